"""How a tab is laid out, and what an upload starts."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from fetal_book.app.shelf import TASKS, Shelf

if TYPE_CHECKING:
    import gradio as gr

WAITING = '<div class="fl-empty">The result appears here.</div>'


def field(label: str, example: str, name: str) -> gr.Textbox:
    """Return a field for a number; text, since an empty one must stay empty."""
    import gradio as gr

    return gr.Textbox(
        "", label=label, placeholder=f"such as {example}", elem_id=name, min_width=150
    )


class Columns:
    """Lay out a tab: inputs at the left, the result at the right, below each other on a phone."""

    def __init__(self, shelf: Shelf, task: str, hint: str) -> None:
        self.shelf, self.task, self.hint = shelf, TASKS[task], hint

    def __enter__(self) -> Columns:
        import gradio as gr

        known = self.shelf.choices[self.task.name]
        labels = [one.label for one in known]
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320) as self.inputs:
                self.files = gr.File(
                    label="One scan, or several for a table",
                    file_count="multiple",
                    height=150,
                    visible=bool(known),
                    elem_id=f"files-{self.task.name}",
                )
                text = self.hint if known else _no_model(self.task.command)
                gr.HTML(
                    f'<p class="fl-hint">{text if not known else escape(text)}</p>',
                    apply_default_css=False,
                )
                self.model = gr.Dropdown(
                    labels,
                    value=labels[0] if labels else None,
                    label="Model",
                    visible=len(labels) > 1,
                )
            with gr.Column(scale=3, min_width=320):
                self.result = gr.HTML(
                    WAITING if known else "",
                    elem_id=f"result-{self.task.name}",
                    apply_default_css=False,
                )
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _no_model(command: str) -> str:
    return (
        f'<span class="fl-missing">There is no trained model for this yet. Make one with '
        f"<code>{escape(command)}</code>, then start the app again.</span>"
    )


def on_upload(
    parts: Columns,
    work: Callable,
    given: list,
    forget: Callable,
    outputs: list | None = None,
) -> None:
    """Start the work when files have come, then empty the box and forget the request."""
    done = parts.files.upload(
        work,
        [parts.files, *given],
        [parts.files, *(outputs or []), parts.result],
        api_visibility="private",
        preprocess=False,
        show_progress="minimal",
        show_progress_on=[parts.result],
    )
    done.then(forget, None, None, api_visibility="private", queue=False)
