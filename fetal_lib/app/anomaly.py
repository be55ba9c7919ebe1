"""What the tab for brain anomalies does: scans in, an answer or "I don't know" out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import perf_counter

import numpy as np

from fetal_lib.app import markup
from fetal_lib.app.shelf import Loaded, Shelf
from fetal_lib.app.uploads import Upload, UploadError, read_scan, shrunk
from fetal_lib.predict.anomaly import answer_scans, result_row
from fetal_lib.predict.anomaly_model import AnomalyAnswer, AnomalyModel
from fetal_lib.predict.brain_view import head_matrix, views_of
from fetal_lib.predict.head_model import HeadModel

OPACITY = 0.65
BLUE_BGR = (178, 114, 0)


def answer_files(files: Sequence[Upload], shelf: Shelf, label: str | None = None) -> str:
    """Return the result for one scan, or the table for several, as HTML.

    Raises
    ------
    ValueError
        If a single scan cannot be read, or there is no model.
    """
    loaded = shelf.get("anomaly", label)
    finder = _finder(shelf, loaded)
    if len(files) == 1:
        return answer_scan(read_scan(files[0]), files[0].name, loaded, finder)
    return _answer_many(files, loaded, finder)


def _finder(shelf: Shelf, loaded: Loaded) -> HeadModel | None:
    return shelf.head_finder().model if loaded.model.spec.view == "head" else None


def answer_scan(scan: np.ndarray, name: str, loaded: Loaded, finder: HeadModel | None) -> str:
    """Return the result for a scan as HTML.

    Parameters
    ----------
    scan : uint8 (H, W)
    name : shown above the result.
    loaded : an anomaly model.
    finder : finds the head, for models that see the head only.
    """
    start = perf_counter()
    model, (scan, _) = loaded.model, shrunk(scan)
    with loaded.lock:
        ((view, ellipse),) = views_of([scan], model.spec.side, model.spec.view, finder)
        found = np.array([model.spec.view == "whole" or ellipse is not None])
        (answer,) = model.answer(view[None], found)
        heat = explain(model, view, answer.label)
    matrix = None if ellipse is None else head_matrix(ellipse, model.spec.side)
    marked = np.repeat(scan[..., None], 3, axis=2)
    if ellipse is not None:
        _draw(marked, ellipse)
    where = "the head that was found" if ellipse is not None else "the whole image was taken"
    plain = markup.picture(markup.data_url(marked), f"Your scan: {where}", "scan")
    shown = markup.picture(*_overlay(scan, heat, matrix, answer.label), "overlay")
    parts = (*_words(answer, model), markup.pictures(plain, shown))
    seconds = perf_counter() - start
    return markup.result(name, *parts, choice=loaded.choice, seconds=seconds)


def explain(model: AnomalyModel, view: np.ndarray, label: str) -> np.ndarray:
    """Return where a view speaks for a class: Grad-CAM, float32 (side, side), 0 or above."""
    from fetal_lib.chapters.brain_anomalies.explain import cam_layer
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


def _draw(canvas: np.ndarray, ellipse) -> None:
    import cv2

    points = np.round(ellipse.boundary(360) * 16).astype(np.int32)
    cv2.polylines(canvas, [points], True, BLUE_BGR, 2, cv2.LINE_AA, shift=4)


def _words(answer: AnomalyAnswer, model: AnomalyModel) -> tuple[str, ...]:
    """Return headline and bars."""
    ranked = [(answer.label, answer.confidence), *answer.runners_up]
    ranked = [(_words_of(name), share) for name, share in ranked]
    if answer.reason:
        reason = answer.reason
        if math.isinf(model.spec.abstain_below) and reason.startswith("not sure"):
            reason = "not sure: this model was never sure enough on its validation images"
        return (
            markup.headline("Brain anomaly", "I don’t know", f"{reason}.", "unknown"),
            markup.bars(ranked, "Best guesses, not to be relied on", "unknown"),
        )
    sets = ", ".join(_words_of(name) for name in answer.candidates)
    note = f"One of these with {model.spec.set_coverage:.0%} coverage: {sets}."
    return (
        markup.headline("Brain anomaly", _words_of(answer.label), note),
        markup.bars(ranked, "Calibrated confidence"),
    )


def _words_of(label: str) -> str:
    return label.replace("_", " ")


def _answer_many(files: Sequence[Upload], loaded: Loaded, finder: HeadModel | None) -> str:
    start = perf_counter()
    rows = []
    for file in files:
        try:
            scan = shrunk(read_scan(file))[0]
            with loaded.lock:
                (answer,) = answer_scans([scan], loaded.model, finder)
            row = result_row(file.path, answer)
        except UploadError as error:
            row = result_row(file.path, None, str(error))
        rows.append(row | {"image": file.name})
    seconds = perf_counter() - start
    title = f"{len(files)} scans"
    listed = markup.table(rows, "brain_anomalies.csv")
    return markup.result(title, listed, choice=loaded.choice, seconds=seconds)
