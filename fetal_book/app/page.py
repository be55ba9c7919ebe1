"""The page: a tab for each task, each with a box for files and a place for the result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.app import markup
from fetal_book.app.folder import KEPT_S, own_folder
from fetal_book.app.gate import only_uploads
from fetal_book.app.layout import columns, field, on_upload
from fetal_book.app.shelf import Shelf, named
from fetal_book.app.uploads import ScaleNeeded, received

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
SWEEP = (60, KEPT_S)
"""Every so many seconds files are deleted that nobody asked about for so many seconds."""
FAILED = (
    "This could not be answered, and the reason is none that the app knows: its console says more. "
    "Drop the scan again, or another one."
)
LOG = logging.getLogger(__name__)
USERS_AT_ONCE = 2
IN_QUEUE = 64


def build(
    anomaly: str | Path | None = None,
    hc: str | Path | None = None,
    ga: str | Path | None = None,
    brain_age: str | Path | None = None,
) -> gr.Blocks:
    """Build the page; `launch` opens it.

    Each argument is the folder of the run whose model a tab starts with, or its chapter; without it
    the newest run's.
    """
    import gradio as gr

    own_folder()
    shelf = Shelf({"anomaly": anomaly, "hc": hc, "ga": ga, "brain-age": brain_age})
    style = f"<style>{(HERE / 'page.css').read_text(encoding='utf-8')}</style>"
    options = {"title": "Fetal Imaging Compendium", "delete_cache": SWEEP}
    with gr.Blocks(analytics_enabled=False, **options) as page:
        gr.HTML(style + BANNER + HEADER, elem_classes="fl-top", apply_default_css=False)
        forget = _forgetter(page)
        only_uploads(page)
        with gr.Tabs():
            for number, (task, (title, tab)) in enumerate(TABS.items()):
                with gr.Tab(title) as opened:
                    tab(shelf, forget)
                _when_opened(opened.select if number else page.load, task, shelf)
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


def _when_opened(event: Callable, task: str, shelf: Shelf) -> None:
    """Make a tab's model ready when the tab is opened for the first time."""
    done = set()

    def ready() -> None:
        from fetal_book.app.warm_up import warm_up

        if task not in done:
            done.add(task)
            warm_up(task, shelf)

    event(ready, None, None, api_visibility="private", queue=False, show_progress="hidden")


def _guarded(work: Callable[..., str], *given: Any) -> str:
    """Return a result, or the message of what is wrong with what was given."""
    try:
        return work(*given)
    except ScaleNeeded as question:
        return markup.question(str(question))
    except ValueError as error:
        return markup.refusal(str(error))
    except Exception:
        LOG.exception("a request could not be answered")
        return markup.refusal(FAILED)


def _answered(work: Callable[..., str], files: Any, *given: Any) -> str:
    """Return the result for uploaded files, which go at the end; or what is wrong with them."""

    def answer() -> str:
        with received(files) as scans:
            return work(scans, *given)

    return _guarded(answer)


def _files_tab(
    task: str, work: str, hint: str, *fields: tuple[str, str, str]
) -> Callable[[Shelf, Callable], None]:
    """Return what lays out a tab that answers files when they come.

    The work is the ``module:function`` that takes files, shelf, model and the fields' texts.
    """

    def tab(shelf: Shelf, forget: Callable) -> None:
        def answer(files: Any, model: str | None, *typed: str) -> tuple[None, str]:
            return None, _answered(named(work), files, shelf, model, *typed)

        parts = columns(shelf, task, hint)
        with parts.inputs:
            typed = [field(*one) for one in fields]
        on_upload(parts, answer, [parts.model, *typed], forget)

    return tab


def _head(shelf: Shelf, forget: Callable) -> None:
    import gradio as gr

    def show(
        files: Any, size: Any, distance: Any, age: str | None, model: str | None
    ) -> tuple[None, dict | None, str]:
        from fetal_book.app import head

        held = None

        def work(scans: list) -> str:
            nonlocal held
            if len(scans) > 1:
                return head.answer_files(scans, shelf, model, size)
            (file,) = scans
            held = head.hold_file(file)
            return head.measure_held(held, size, None, age, shelf, model)

        result = _answered(work, files)
        return None, held, result

    def measure(held: Any, size: Any, distance: Any, age: str | None, model: str | None) -> str:
        from fetal_book.app.head import measure_held

        return _guarded(measure_held, held, size, distance, age, shelf, model)

    hint = "The standard plane of the fetal head. PNG, JPEG, TIFF, BMP or DICOM, at most 20 MB."
    parts = columns(shelf, "hc", hint)
    with parts.inputs:
        with gr.Row():
            size = field("Pixel size, mm", "0.13", "pixel-size")
            age = field("Age from dating", "20+3, for the centile", "known-age")
        scan = gr.HTML(
            None,
            html_template=(HERE / "scale_points.html").read_text(encoding="utf-8"),
            js_on_load=(HERE / "scale_points.js").read_text(encoding="utf-8"),
            elem_id="scale-points",
            apply_default_css=False,
        )
        distance = field("Distance of the two points, mm", "50", "distance")
        button = gr.Button("Measure", variant="primary", elem_id="measure")
    given = [size, distance, age, parts.model]
    on_upload(parts, show, given, forget, outputs=[scan])
    options = {"api_visibility": "private", "preprocess": False, "show_progress": "minimal"}
    done = button.click(measure, [scan, *given], parts.result, **options)
    done.then(forget, None, None, api_visibility="private", queue=False)


TABS = {
    "anomaly": (
        "Brain anomaly",
        _files_tab(
            "anomaly",
            "fetal_book.app.anomaly:answer_files",
            "A transverse plane of the fetal head. PNG, JPEG, TIFF, BMP or DICOM, at most 20 MB. "
            "Some classes differ in millimetres only: type the pixel size, if you know it, before "
            "you drop the scan.",
            ("Pixel size, mm", "0.13", "anomaly-size"),
        ),
    ),
    "hc": ("Head circumference", _head),
    "biometry": (
        "Biometry",
        _files_tab(
            "biometry",
            "fetal_book.app.biometry:answer_files",
            "Head, abdomen and femur of one examination, all at once. PNG, JPEG, TIFF, BMP or "
            "DICOM, at most 20 MB each. Type the pixel size, the same for all, and the age from "
            "dating before you drop them; DICOM files may state their own.",
            ("Pixel size, mm", "0.13", "biometry-size"),
            ("Age from dating", "30+0, for centiles", "biometry-age"),
        ),
    ),
    "ga": (
        "Gestational age\u00a0(MRI)",
        _files_tab(
            "ga",
            "fetal_book.app.gestational_age:answer_files",
            "T2 volume of the fetal brain (NIfTI), masked or with NAME_mask.nii.gz; or one slice a "
            "plane as pictures with axial, coronal and sagittal in their names. At most 100 MB a "
            "file.",
        ),
    ),
    "brain-age": (
        "Adult brain\u00a0age",
        _files_tab(
            "brain-age",
            "fetal_book.app.brain_age:answer_files",
            "T1 scan of an adult, skull-stripped. NIfTI, at most 100 MB.",
            ("The person’s age in years", "67, for centiles; type it first", "years"),
        ),
    ),
}
