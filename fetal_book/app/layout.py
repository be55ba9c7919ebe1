"""How a tab is laid out, and what an upload starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass
class Columns:
    """The parts of a tab: inputs at the left, the result at the right, on a phone below them."""

    inputs: gr.Column
    files: gr.File
    model: gr.Dropdown
    result: gr.HTML


def columns(shelf: Shelf, task: str, hint: str) -> Columns:
    """Lay out a tab; where there is no model for it, say how to make one."""
    import gradio as gr

    labels = [one.label for one in shelf.choices[task]]
    text = escape(hint) if labels else _no_model(TASKS[task].command)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320) as inputs:
            files = gr.File(
                label="One scan, or several for a table",
                file_count="multiple",
                height=150,
                visible=bool(labels),
                elem_id=f"files-{task}",
            )
            gr.HTML(f'<p class="fl-hint">{text}</p>', apply_default_css=False)
            first = labels[0] if labels else None
            model = gr.Dropdown(labels, value=first, label="Model", visible=len(labels) > 1)
        with gr.Column(scale=3, min_width=320):
            shown = WAITING if labels else ""
            result = gr.HTML(shown, elem_id=f"result-{task}", apply_default_css=False)
    return Columns(inputs, files, model, result)


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
