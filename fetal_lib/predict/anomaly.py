"""Classify any number of scans of the fetal brain, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from fetal_lib.predict.anomaly_model import AnomalyAnswer, AnomalyModel, load_anomaly_model
from fetal_lib.predict.batch import scan_bar, write_rows
from fetal_lib.predict.brain_view import load_head_finder, views_of
from fetal_lib.predict.head_circumference import list_images
from fetal_lib.predict.head_model import HeadModel
from fetal_lib.predict.pixel_sizes import PixelSizes
from fetal_lib.readers.image import read_gray

UNKNOWN = PixelSizes()
FIELDS = (
    "image",
    "status",
    "label",
    "confidence",
    "second",
    "second_confidence",
    "third",
    "third_confidence",
    "one_of",
    "distance",
    "reason",
)


def classify_scans(
    paths: Sequence[Path],
    model: AnomalyModel,
    batch_size: int = 32,
    sizes: PixelSizes = UNKNOWN,
) -> Iterator[tuple[Path, AnomalyAnswer | None, str]]:
    """Yield an answer for each scan, in order.

    Parameters
    ----------
    paths : sequence of Path
    model : AnomalyModel
    batch_size : int
        Scans in memory at a time.
    sizes : PixelSizes
        A scan without one is answered as well, with its widths in mm unknown.

    Yields
    ------
    path, answer, problem
        ``answer`` is None, and ``problem`` says why, where a scan cannot be read.
    """
    queue = iter(paths)
    finder = load_head_finder() if model.spec.view == "head" else None
    while batch := list(islice(queue, batch_size)):
        loaded = [_load(path) for path in batch]
        good = [k for k, (scan, _) in enumerate(loaded) if scan is not None]
        known = [sizes.by_name.get(batch[k].name, sizes.common_mm) for k in good]
        answers = iter(answer_scans([loaded[k][0] for k in good], model, finder, known))
        for path, (scan, problem) in zip(batch, loaded, strict=True):
            yield path, next(answers) if scan is not None else None, problem


def answer_scans(
    scans: Sequence[np.ndarray],
    model: AnomalyModel,
    finder: HeadModel | None,
    pixel_sizes: Sequence[float] | None = None,
) -> list[AnomalyAnswer]:
    """Return an answer for each scan that is held in memory.

    Parameters
    ----------
    scans : sequence of ndarray (H, W), uint8
    model : AnomalyModel
    finder : HeadModel or None
        From :func:`fetal_lib.predict.brain_view.load_head_finder`, for models that see
        the head; None for those that see the whole scan.
    pixel_sizes : sequence of float, optional
        Of each scan in mm, NaN where it is not known.
    """
    if not scans:
        return []
    spec = model.spec
    made = views_of(scans, spec.side, spec.view, finder, pixel_sizes=pixel_sizes)
    views, ellipses = zip(*made, strict=True)
    found = np.array([spec.view == "whole" or ellipse is not None for ellipse in ellipses])
    return model.answer(np.stack(views), found)


def _load(path: Path) -> tuple[np.ndarray | None, str]:
    try:
        return read_gray(path), ""
    except (ValueError, OSError) as error:
        return None, str(error)


def result_row(path: Path, answer: AnomalyAnswer | None, problem: str = "") -> dict[str, str]:
    """Return the row of the result table; an image that is not answered keeps its best guess.

    ``status`` is ``answered``, ``unsure`` (see ``reason``) or ``unreadable``.
    """
    if answer is None:
        return dict.fromkeys(FIELDS, "") | {
            "image": path.name,
            "status": "unreadable",
            "reason": problem,
        }
    second, third = (*answer.runners_up, ("", float("nan")), ("", float("nan")))[:2]
    return {
        "image": path.name,
        "status": "unsure" if answer.reason else "answered",
        "label": answer.label,
        "confidence": f"{answer.confidence:.4f}",
        "second": second[0],
        "second_confidence": f"{second[1]:.4f}" if second[0] else "",
        "third": third[0],
        "third_confidence": f"{third[1]:.4f}" if third[0] else "",
        "one_of": " ".join(answer.candidates),
        "distance": f"{answer.distance:.1f}",
        "reason": answer.reason,
    }


def write_answers(
    paths: Sequence[Path],
    model: AnomalyModel,
    out: str | Path,
    progress: Callable[[int], None] = lambda n: None,
    sizes: PixelSizes = UNKNOWN,
) -> dict[str, int]:
    """Classify scans and write a CSV.

    Parameters
    ----------
    paths : sequence of Path
    model : AnomalyModel
    out : path
        It appears when all scans are done.
    progress : callable
        Called with the number of scans just finished.
    sizes : PixelSizes

    Returns
    -------
    dict
        Number of scans ``answered``, ``unsure`` and ``unreadable``.
    """
    rows = (result_row(*found) for found in classify_scans(paths, model, sizes=sizes))
    return write_rows(rows, out, FIELDS, ("answered", "unsure", "unreadable"), progress)


def run_command(
    images: Sequence[str | Path],
    model: str | Path | None,
    out: str | Path,
    sizes: PixelSizes = UNKNOWN,
) -> dict[str, int]:
    """Do what ``fetal-lib predict anomaly`` does: load, classify, write, show a bar.

    Returns
    -------
    dict
        As :func:`write_answers` does.

    Raises
    ------
    ValueError
        If a path does not exist or holds no image, or the folder holds no model.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    paths = list_images(images)
    network = load_anomaly_model(model)
    with scan_bar(len(paths)) as bar:
        return write_answers(paths, network, out, bar.update, sizes)
