"""Classify any number of scans of the fetal brain, in constant memory.

One bad file becomes a row with its reason and does not stop the others. The table is
written beside its final name and moved there at the end.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from fetal_lib.predict.anomaly_model import AnomalyAnswer, AnomalyModel, load_anomaly_model
from fetal_lib.predict.brain_view import single_view_finder, views_of
from fetal_lib.predict.head_circumference import list_images
from fetal_lib.predict.head_model import HeadModel
from fetal_lib.readers.image import read_gray

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
    paths: Sequence[Path], model: AnomalyModel, batch_size: int = 32
) -> Iterator[tuple[Path, AnomalyAnswer | None, str]]:
    """Yield an answer for each scan, in order.

    Parameters
    ----------
    paths : sequence of Path
    model : AnomalyModel
    batch_size : int
        Scans in memory at a time.

    Yields
    ------
    path, answer, problem
        ``answer`` is None, and ``problem`` says why, where a scan cannot be read.
    """
    queue = iter(paths)
    finder = single_view_finder() if model.spec.view == "head" else None
    while batch := list(islice(queue, batch_size)):
        loaded = [_load(path) for path in batch]
        good = [scan for scan, _ in loaded if scan is not None]
        answers = iter(answer_scans(good, model, finder))
        for path, (scan, problem) in zip(batch, loaded, strict=True):
            yield path, next(answers) if scan is not None else None, problem


def answer_scans(
    scans: Sequence[np.ndarray], model: AnomalyModel, finder: HeadModel | None
) -> list[AnomalyAnswer]:
    """Return an answer for each scan that is held in memory.

    Parameters
    ----------
    scans : sequence of ndarray (H, W), uint8
    model : AnomalyModel
    finder : HeadModel or None
        From :func:`fetal_lib.predict.brain_view.single_view_finder`, for models that see
        the head; None for those that see the whole scan.
    """
    if not scans:
        return []
    spec = model.spec
    views, ellipses = zip(*views_of(scans, spec.side, spec.view, finder), strict=True)
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

    Returns
    -------
    dict
        Number of scans ``answered``, ``unsure`` and ``unreadable``.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")
    counts = {"answered": 0, "unsure": 0, "unreadable": 0}
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for path, answer, problem in classify_scans(paths, model):
            row = result_row(path, answer, problem)
            writer.writerow(row)
            counts[row["status"]] += 1
            progress(1)
    part.replace(out)
    return counts


def run_command(
    images: Sequence[str | Path], model: str | Path | None, out: str | Path
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
    from tqdm import tqdm

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    paths = list_images(images)
    network = load_anomaly_model(model)
    with tqdm(total=len(paths), unit="scan", file=sys.stderr, disable=None) as bar:
        return write_answers(paths, network, out, bar.update)
