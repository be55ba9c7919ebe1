"""The page: a tab for each task, each with a box for files and a place for the result."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.app import markup
from fetal_lib.app.shelf import TASKS, Shelf
from fetal_lib.app.uploads import ScaleNeeded, received

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
BANNER = (
    '<div class="fl-banner"><b>Research and teaching only, not for clinical use.</b> Files are '
    "read, answered and deleted.</div>"
)
HEADER = (
    '<div class="fl-header"><h1>Fetal Imaging Compendium</h1>'
    "<p>Drop a scan and see what a trained model says, how sure it is, and why.</p></div>"
)
WAITING = '<div class="fl-empty">The result appears here.</div>'
SWEEP = (60, 600)
"""Every so many seconds files are deleted that nobody asked about for so many seconds."""
USERS_AT_ONCE = 2
IN_QUEUE = 64


def build(
    anomaly: str | Path | None = None,
    hc: str | Path | None = None,
    ga: str | Path | None = None,
    brain_age: str | Path | None = None,
) -> gr.Blocks:
    """Build the page; `launch` opens it.

    Parameters
    ----------
    anomaly, hc, ga, brain_age : path, optional
        Folder of the run whose model a tab starts with; the newest run's without it.

    Returns
    -------
    gradio.Blocks

    Raises
    ------
    AppError
        If a folder holds no model.
    """
    import gradio as gr

    shelf = Shelf({"anomaly": anomaly, "hc": hc, "ga": ga, "brain-age": brain_age})
    style = f"<style>{(HERE / 'page.css').read_text(encoding='utf-8')}</style>"
    options = {"title": "Fetal Imaging Compendium", "delete_cache": SWEEP}
    with gr.Blocks(analytics_enabled=False, **options) as page:
        gr.HTML(style + BANNER + HEADER, elem_classes="fl-top", apply_default_css=False)
        forget = _forgetter(page)
        with gr.Tabs():
            for title, tab in TABS.items():
                with gr.Tab(title):
                    tab(shelf, forget)
    page.queue(default_concurrency_limit=USERS_AT_ONCE, max_size=IN_QUEUE, api_open=False)
    return page


def _forgetter(page: gr.Blocks) -> Callable[[Any], None]:
    """Return a function that drops what Gradio keeps in memory of a visitor's last request."""
    import gradio as gr

    def forget(request: gr.Request) -> None:
        holder = page.state_holder
        with holder.lock:
            holder.session_data.pop(request.session_hash, None)

    forget.__annotations__["request"] = gr.Request  # Gradio looks at it when the page is built
    return forget


def _guarded(work: Callable[..., str], *given: Any) -> str:
    """Return a result, or the message of what is wrong with what was given."""
    try:
        return work(*given)
    except ScaleNeeded as question:
        return markup.question(str(question))
    except (ValueError, OSError) as error:
        return markup.refusal(str(error))


def _answered(work: Callable[..., str], files: Any, *given: Any) -> str:
    """Return the result for uploaded files, which go at the end; or what is wrong with them."""

    def answer() -> str:
        with received(files) as scans:
            return work(scans, *given)

    return _guarded(answer)


def _anomaly(shelf: Shelf, forget: Callable) -> None:
    def answer(files: Any, model: str | None) -> tuple[None, str]:
        from fetal_lib.app.anomaly import answer_files

        return None, _answered(answer_files, files, shelf, model)

    hint = "A transverse plane of the fetal head. PNG, JPEG, TIFF, BMP or DICOM, at most 20 MB."
    with _Columns(shelf, "anomaly", hint) as parts:
        _on_upload(parts, answer, [parts.model], forget)


def _head(shelf: Shelf, forget: Callable) -> None:
    import gradio as gr

    def show(
        files: Any, size: Any, distance: Any, age: str | None, model: str | None
    ) -> tuple[None, dict | None, str]:
        from fetal_lib.app import head
        from fetal_lib.app.uploads import read_scan

        held = None

        def work(scans: list) -> str:
            nonlocal held
            if len(scans) > 1:
                return head.measure_files(scans, size, shelf, model)
            held = head.hold_scan(read_scan(scans[0]), scans[0].name)
            return head.measure_held(held, size, None, age, shelf, model)

        result = _answered(work, files)
        return None, held, result

    def measure(held: Any, size: Any, distance: Any, age: str | None, model: str | None) -> str:
        from fetal_lib.app.head import measure_held

        return _guarded(measure_held, held, size, distance, age, shelf, model)

    hint = "The standard plane of the fetal head. PNG, JPEG, TIFF, BMP or DICOM, at most 20 MB."
    with _Columns(shelf, "hc", hint) as parts:
        with parts.inputs:
            with gr.Row():
                size = _field("Pixel size, mm", "0.13", "pixel-size")
                age = _field("Age from dating", "20+3, for the centile", "known-age")
            scan = gr.HTML(
                None,
                html_template=(HERE / "scale_points.html").read_text(encoding="utf-8"),
                js_on_load=(HERE / "scale_points.js").read_text(encoding="utf-8"),
                elem_id="scale-points",
                apply_default_css=False,
            )
            distance = _field("Distance of the two points, mm", "50", "distance")
            button = gr.Button("Measure", variant="primary", elem_id="measure")
        given = [size, distance, age, parts.model]
        _on_upload(parts, show, given, forget, outputs=[scan])
        options = {"api_visibility": "private", "preprocess": False, "show_progress": "minimal"}
        done = button.click(measure, [scan, *given], parts.result, **options)
        done.then(forget, None, None, api_visibility="private", queue=False)


def _gestational_age(shelf: Shelf, forget: Callable) -> None:
    def tell(files: Any, model: str | None) -> tuple[None, str]:
        from fetal_lib.app.gestational_age import tell_files

        return None, _answered(tell_files, files, shelf, model)

    hint = (
        "T2 volume of the fetal brain (NIfTI), masked or with NAME_mask.nii.gz; or one slice a "
        "plane as pictures with axial, coronal and sagittal in their names. At most 100 MB a file."
    )
    with _Columns(shelf, "ga", hint) as parts:
        _on_upload(parts, tell, [parts.model], forget)


def _brain_age(shelf: Shelf, forget: Callable) -> None:
    def tell(files: Any, age: Any, model: str | None) -> tuple[None, str]:
        from fetal_lib.app.brain_age import tell_files

        return None, _answered(tell_files, files, age, shelf, model)

    hint = "T1 scan of an adult, skull-stripped, in MNI space. NIfTI, at most 100 MB."
    with _Columns(shelf, "brain-age", hint) as parts:
        with parts.inputs:
            age = _field("The person’s age in years", "67, for centiles; type it first", "years")
        _on_upload(parts, tell, [age, parts.model], forget)


TABS = {
    "Brain anomaly": _anomaly,
    "Head circumference": _head,
    "Gestational age\u00a0(MRI)": _gestational_age,
    "Adult brain\u00a0age": _brain_age,
}


def _field(label: str, example: str, name: str) -> gr.Textbox:
    """Return a field for a number; text, since an empty one must stay empty."""
    import gradio as gr

    return gr.Textbox(
        "", label=label, placeholder=f"such as {example}", elem_id=name, min_width=150
    )


class _Columns:
    """Lay out a tab: inputs at the left, the result at the right, below each other on a phone."""

    def __init__(self, shelf: Shelf, task: str, hint: str) -> None:
        self.shelf, self.task, self.hint = shelf, TASKS[task], hint

    def __enter__(self) -> _Columns:
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


def _on_upload(
    parts: _Columns,
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
