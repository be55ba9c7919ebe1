"""What the tab for brain anomalies does: scans in, an answer or "I don't know" out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_book.app import markup
from fetal_book.app.shelf import Loaded, Shelf
from fetal_book.app.uploads import (
    Upload,
    UploadError,
    pixel_size,
    read_scan,
    shrunk,
)
from fetal_lib.predict.anomaly import UNKNOWN_SIZE, anomaly_row
from fetal_lib.predict.anomaly_model import AnomalyAnswer, AnomalyModel
from fetal_lib.predict.brain_view import head_matrix, usual_head, views_of
from fetal_lib.predict.head_model import HeadModel
from fetal_lib.predict.pixel_sizes import PixelSize, PixelSizes, given_sizes

if TYPE_CHECKING:
    from fetal_lib.geometry.ellipse import Ellipse

HEADLINE = "Fetal brain, most likely class"
OPACITY = 0.65
BLUE_BGR = (178, 114, 0)


def answer_files(
    files: Sequence[Upload], shelf: Shelf, label: str | None = None, pixel_size_mm: Any = None
) -> str:
    """Return the result for one scan, or the table for several, as HTML."""
    sizes = given_sizes(pixel_size_mm)
    loaded = shelf.get("anomaly", label)
    finder = shelf.head_finder().model if loaded.model.spec.view == "head" else None
    if len(files) == 1:
        scan, size = read_scan(files[0]), pixel_size(files[0], sizes)
        return answer_scan(scan, files[0].name, loaded, finder, size)
    return _answer_many(files, loaded, finder, sizes)


def answer_scan(
    scan: np.ndarray,
    name: str,
    loaded: Loaded,
    finder: HeadModel | None,
    size: PixelSize = UNKNOWN_SIZE,
) -> str:
    """Return the result for a scan, uint8 (H, W), as HTML.

    The finder finds the head, for models that see the head only.
    """
    start = perf_counter()
    model, (scan, factor) = loaded.model, shrunk(scan)
    problem = loaded.no_head(scan)
    if problem:
        first = markup.headline(HEADLINE, "I don’t know", f"{problem}.", "unknown")
        shown = markup.pictures(markup.picture(markup.data_url(scan), "Your scan", "scan"))
        return markup.result(name, first, shown, choice=loaded.choice, start=start)
    with loaded.lock:
        view, ellipse, answer = _answer(scan, size.mm * factor, model, finder)
        heat = explain(model, view, answer.label)
    matrix = None
    if model.spec.view == "head":
        matrix = head_matrix(ellipse or usual_head(scan.shape), model.spec.side)
    marked = np.repeat(scan[..., None], 3, axis=2)
    if ellipse is not None:
        _draw(marked, ellipse)
    where = "no head was found" if model.spec.view == "head" else "the whole image was taken"
    where = "the head that was found" if ellipse is not None else where
    plain = markup.picture(markup.data_url(marked), f"Your scan: {where}", "scan")
    shown = markup.picture(*_overlay(scan, heat, matrix, answer.label), "overlay")
    parts = (*_words(answer, model, loaded.choice.kind), markup.pictures(plain, shown))
    if model.spec.view == "head":
        parts += (markup.facts({"Pixel size": _scale_words(size)}),)
    return markup.result(name, *parts, choice=loaded.choice, start=start)


def _answer(
    scan: np.ndarray, pixel_size_mm: float, model: AnomalyModel, finder: HeadModel | None
) -> tuple[np.ndarray, Ellipse | None, AnomalyAnswer]:
    """Return the view of a scan, the head that was found, and what the model says."""
    spec = model.spec
    made = views_of([scan], spec.side, spec.view, finder, pixel_sizes=[pixel_size_mm])
    ((view, ellipse),) = made
    (answer,) = model.answer(view[None], np.array([spec.view == "whole" or ellipse is not None]))
    return view, ellipse, answer


def _scale_words(size: PixelSize) -> str:
    if math.isnan(size.mm):
        return "not known; some classes differ in millimetres only, so the answer is less certain"
    return f"{size.mm:.4f} mm ({size.origin})"


def explain(model: AnomalyModel, view: np.ndarray, label: str) -> np.ndarray:
    """Return where a view speaks for a class: Grad-CAM, float32 (side, side), 0 or above."""
    from fetal_book.chapters.brain_anomalies.explain import cam_layer
    from fetal_lib.explain.grad_cam import grad_cam
    from fetal_lib.training.denoise import denoise_all

    image = denoise_all(view[None], model.spec.denoise)[0][..., None] / np.float32(255)
    layer = cam_layer(model.network)
    return grad_cam(model.network, layer, image, model.spec.labels.index(label))


def _overlay(
    scan: np.ndarray, heat: np.ndarray, matrix: np.ndarray | None, label: str
) -> tuple[str, str]:
    """Return the scan with the map over it, and its caption; a map of nothing says so."""
    import cv2

    grey = np.repeat(scan[..., None], 3, axis=2)
    if np.ptp(heat) == 0:
        return markup.data_url(grey), "Grad-CAM is the same everywhere: it points at nothing"
    share = np.clip(heat / heat.max(), 0, 1).astype(np.float32)
    height, width = scan.shape
    if matrix is None:
        share = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        share = cv2.warpAffine(share, matrix, (width, height), flags=flags)
    colours = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    alpha = OPACITY * share[..., None]
    mixed = (grey * (1 - alpha) + colours * alpha).astype(np.uint8)
    return markup.data_url(mixed), f"Grad-CAM: what spoke for “{_words_of(label)}”"


def _draw(canvas: np.ndarray, ellipse: Ellipse) -> None:
    import cv2

    points = np.round(ellipse.boundary(360) * 16).astype(np.int32)
    cv2.polylines(canvas, [points], True, BLUE_BGR, 2, cv2.LINE_AA, shift=4)


def _words(answer: AnomalyAnswer, model: AnomalyModel, kind: str) -> tuple[str, ...]:
    """Return headline and bars; kind is what the model was trained on."""
    ranked = [(answer.label, answer.confidence), *answer.runners_up]
    ranked = [(_words_of(name), share) for name, share in ranked]
    if answer.reason:
        return (
            markup.headline(HEADLINE, "I don’t know", f"{answer.reason}.", "unknown"),
            markup.bars(ranked, "Best guesses, not to be relied on", "unknown"),
        )
    sets = ", ".join(_words_of(name) for name in answer.candidates)
    share = f"{model.spec.set_coverage:.0%} of scans like those of its validation"
    note = f"Set: {sets}. Such sets hold the true class of {share}."
    if answer.label == "normal":
        note += " “Normal” is none of the other classes, not healthy."
    where = " on phantoms" if kind == "phantoms" else ""
    return (
        markup.headline(HEADLINE, _words_of(answer.label), note),
        markup.bars(ranked, f"Calibrated confidence{where}"),
    )


def _words_of(label: str) -> str:
    from fetal_book.chapters.brain_anomalies.data import pretty_label

    return pretty_label(label)


def _answer_many(
    files: Sequence[Upload], loaded: Loaded, finder: HeadModel | None, sizes: PixelSizes
) -> str:
    start, rows = perf_counter(), []
    for file in files:
        size, scan = PixelSize(), None
        try:
            scan, factor = shrunk(read_scan(file))
            size = pixel_size(file, sizes)
            answer = AnomalyAnswer(reason=loaded.no_head(scan))
            if not answer.reason:
                with loaded.lock:
                    *_, answer = _answer(scan, size.mm * factor, loaded.model, finder)
            row = anomaly_row(file.path, answer, size=size)
        except UploadError as error:
            declined = None if scan is None else AnomalyAnswer(reason=str(error))
            row = anomaly_row(file.path, declined, str(error), size)
        rows.append(row | {"image": file.name})
    return markup.results(rows, "scans", "anomaly", "brain_anomalies.csv", loaded.choice, start)
