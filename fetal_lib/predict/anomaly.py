"""Classify any number of scans of the fetal brain, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from fetal_lib.predict.anomaly_model import AnomalyAnswer, AnomalyModel
from fetal_lib.predict.batch import number_text, status_of, write_rows
from fetal_lib.predict.brain_view import load_head_finder, views_of
from fetal_lib.predict.columns import reason_text
from fetal_lib.predict.head_gate import Gate
from fetal_lib.predict.head_model import HeadModel
from fetal_lib.predict.pixel_sizes import PixelSize, PixelSizes
from fetal_lib.predict.scans import only_heads, read_scan

UNKNOWN, UNKNOWN_SIZE = PixelSizes(), PixelSize()


def classify_scans(
    paths: Sequence[Path],
    model: AnomalyModel,
    batch_size: int = 32,
    sizes: PixelSizes = UNKNOWN,
    gate: Gate | None = None,
) -> Iterator[tuple[Path, AnomalyAnswer | None, str, PixelSize]]:
    """Yield an answer for each scan, in order.

    Parameters
    ----------
    paths : sequence of Path
    model : AnomalyModel
    batch_size : int
        Scans in memory at a time.
    sizes : PixelSizes
        A DICOM file that they do not name is taken at the size that it states. A scan without
        one is answered as well, with its widths in mm unknown.
    gate : Gate, optional
        Declines what is no head.

    Yields
    ------
    path, answer, problem, pixel_size
        ``answer`` is None where a scan cannot be read; ``problem`` says why.
    """
    queue = iter(paths)
    finder = load_head_finder() if model.spec.view == "head" else None
    while batch := list(islice(queue, batch_size)):
        scans = only_heads([read_scan(path, sizes) for path in batch], gate)
        good = [(scan.image, scan.size.mm) for scan in scans if not scan.problem]
        images, known = zip(*good, strict=True) if good else ((), ())
        answers = iter(answer_scans(images, model, finder, known))
        for path, image, size, problem in scans:
            declined = None if image is None else AnomalyAnswer(reason=problem)
            yield path, declined if problem else next(answers), problem, size


def answer_scans(
    scans: Sequence[np.ndarray],
    model: AnomalyModel,
    finder: HeadModel | None,
    pixel_sizes: Sequence[float] | None = None,
) -> list[AnomalyAnswer]:
    """Return an answer for each scan, uint8 (H, W), that is held in memory.

    Models that see the head need the finder of `fetal_lib.predict.brain_view.load_head_finder`.
    Pixel sizes are in mm, NaN where one is not known.
    """
    if not scans:
        return []
    spec = model.spec
    made = views_of(scans, spec.side, spec.view, finder, pixel_sizes=pixel_sizes)
    views, ellipses = zip(*made, strict=True)
    found = np.array([spec.view == "whole" or ellipse is not None for ellipse in ellipses])
    return model.answer(np.stack(views), found)


def anomaly_row(
    path: Path,
    answer: AnomalyAnswer | None,
    problem: str = "",
    size: PixelSize = UNKNOWN_SIZE,
) -> dict[str, str]:
    """Return the row of the result table; an image that is not answered keeps its best guess.

    The pixel size stands beside the answer, which may be another without it; it is empty where it
    was not known. Without an answer the problem is that the file cannot be read.
    """
    failed = answer is None
    answer = answer or AnomalyAnswer(reason=problem)
    notes = {"pixel_size_mm": ""}
    if math.isnan(size.mm):
        notes["pixel_size_mm"] = "none was given and the file states none"
    if len(answer.runners_up) < 2:
        notes["third"] = "the model knows fewer classes"
    second, third = (*answer.runners_up, ("", math.nan), ("", math.nan))[:2]
    return {
        "image": path.name,
        "status": status_of("anomaly", answer.reason, failed),
        "label": answer.label,
        "confidence": number_text(answer.confidence, 4),
        "second": second[0],
        "second_confidence": number_text(second[1], 4),
        "third": third[0],
        "third_confidence": number_text(third[1], 4),
        "one_of": " ".join(answer.candidates),
        "interval_level": number_text(answer.level, 2),
        "distance": number_text(answer.distance),
        "pixel_size_mm": number_text(size.mm, 5),
        "pixel_size_from": size.origin,
        "reason": reason_text(answer.reason, notes),
    }


def write_answers(
    paths: Sequence[Path],
    model: AnomalyModel,
    out: str | Path,
    sizes: PixelSizes = UNKNOWN,
    gate: Gate | None = None,
) -> dict[str, int]:
    """Classify scans and write a CSV.

    Parameters
    ----------
    paths : sequence of Path
    model : AnomalyModel
    out : path
        It appears when all scans are done.
    sizes : PixelSizes
    gate : Gate, optional
        Declines what is no head.

    Returns
    -------
    dict
        Number of scans ``answered``, ``declined`` and ``failed``.
    """
    rows = (anomaly_row(*found) for found in classify_scans(paths, model, sizes=sizes, gate=gate))
    return write_rows(rows, out, "anomaly", len(paths))
