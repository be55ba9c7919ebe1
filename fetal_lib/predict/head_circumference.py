"""Measure the head in any number of scans, in constant memory.

Scans are read a batch at a time, so memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fetal_lib.data.images import squash
from fetal_lib.growth import hadlock, intergrowth_age, intergrowth_size
from fetal_lib.growth.gestation import format_weeks_days
from fetal_lib.predict.batch import (
    interval_notes,
    list_files,
    number_text,
    status_of,
    write_rows,
)
from fetal_lib.predict.columns import reason_text
from fetal_lib.predict.head_measure import HeadMeasurement, measure_head, or_nan, why_not
from fetal_lib.predict.head_model import HeadModel, HeadModelSpec
from fetal_lib.predict.pixel_sizes import PixelSize, PixelSizes
from fetal_lib.readers.image import read_gray

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm"}


def list_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Return the image files that paths name, folders searched one level deep.

    Annotation files of HC18 (``*_Annotation.png``) are left out.

    Raises
    ------
    ValueError
        If a path does not exist, or nothing is found; all missing ones are named.
    """
    return list_files(inputs, _scans, "images", ", ".join(sorted(SUFFIXES)))


def _scans(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return [path for path in found if not path.stem.endswith("_Annotation")]


class Loaded(NamedTuple):
    """A scan that was read, or why it was not."""

    path: Path
    scan: np.ndarray | None
    size: PixelSize
    problem: str = ""
    failed: bool = False


def predict_heads(
    paths: Sequence[Path],
    model: HeadModel,
    sizes: PixelSizes,
    batch_size: int = 16,
    keep_scan: bool = False,
) -> Iterator[tuple[Path, HeadMeasurement, np.ndarray | None, PixelSize]]:
    """Yield a measurement for each scan, in order.

    Parameters
    ----------
    paths : sequence of Path
    model : HeadModel
    sizes : PixelSizes
    batch_size : int
        Scans in memory at a time (as many again are being read ahead).
    keep_scan : bool
        Hand out the scan as well, for overlays.

    Yields
    ------
    path, measurement, scan, pixel_size
        ``scan`` is uint8 (H, W), or None when not kept or not readable.
    """

    def load(path: Path) -> Loaded:
        try:
            scan = read_gray(path)
        except (ValueError, OSError) as error:
            return Loaded(path, None, PixelSize(), str(error), failed=True)
        try:
            size = sizes.find(path)
        except ValueError as error:
            return Loaded(path, None, PixelSize(), str(error))
        if not math.isnan(size.mm):
            return Loaded(path, scan, size)
        where = "is not in the table and not" if sizes.by_name else "is not"
        problem = f"pixel size of {path.name} {where} stated in the file"
        return Loaded(path, None, size, f"{problem}; add a row or give --pixel-size")

    queue = iter(paths)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(load, p) for p in islice(queue, batch_size)]
        while waiting:
            loaded = [job.result() for job in waiting]
            waiting = [pool.submit(load, p) for p in islice(queue, batch_size)]
            maps = _maps(loaded, model)
            half = repeat(model.spec.relative_half_width)
            for one, result in zip(loaded, pool.map(_measure, loaded, maps, half), strict=True):
                yield one.path, result, one.scan if keep_scan else None, one.size


def _maps(loaded: Sequence[Loaded], model: HeadModel) -> list[np.ndarray | None]:
    """Return the network's map of each scan, None where there is no scan."""
    scans = [one.scan for one in loaded if one.scan is not None]
    if not scans:
        return [None] * len(loaded)
    batch = np.stack([squash(scan, model.shape) for scan in scans])
    maps = iter(model.probs(batch, batch_size=len(batch)))
    return [None if one.scan is None else next(maps) for one in loaded]


def _measure(loaded: Loaded, probs: np.ndarray | None, half: float) -> HeadMeasurement:
    if loaded.scan is None:
        return HeadMeasurement(reason=loaded.problem, failed=loaded.failed)
    return measure_head(probs, loaded.scan.shape, loaded.size.mm, half)


def head_circumference_row(
    path: Path,
    result: HeadMeasurement,
    size: PixelSize,
    spec: HeadModelSpec,
    ga_days: float = math.nan,
) -> dict[str, str]:
    """Return the row of the result table: text, empty where there is no value.

    The spec is the model's. The age, in days, is one that is known from dating, for the centile.
    """
    hc_mm, weeks = result.hc_mm, ga_days / 7
    notes, level_text = interval_notes(result.hc_high_mm, spec.interval_coverage)
    notes["ga_intergrowth"] = why_not(intergrowth_age.ga_days_from_hc, hc_mm)
    notes["ga_hadlock_days"] = why_not(hadlock.ga_weeks, "HC", hc_mm)
    notes["hc_centile"] = (
        "needs the age from dating, ga_days of a table"
        if math.isnan(ga_days)
        else why_not(intergrowth_size.centile, "HC", hc_mm, weeks)
    )
    return {
        "image": path.name,
        "status": status_of("hc", result.reason, result.failed),
        "hc_mm": number_text(hc_mm, 2),
        "hc_low_mm": number_text(result.hc_low_mm, 2),
        "hc_high_mm": number_text(result.hc_high_mm, 2),
        "interval_level": level_text,
        "ga_intergrowth": format_weeks_days(result.ga_days) if result.ga_days > 0 else "",
        "ga_intergrowth_days": number_text(result.ga_days),
        "ga_hadlock_days": number_text(result.ga_hadlock_days),
        "hc_centile": number_text(or_nan(intergrowth_size.centile, "HC", hc_mm, weeks)),
        "pixel_size_mm": number_text(size.mm, 5),
        "pixel_size_from": size.origin,
        "cut_share": number_text(result.cut_share, 3),
        "reason": reason_text(result.reason, notes),
    }


def write_predictions(
    paths: Sequence[Path],
    model: HeadModel,
    sizes: PixelSizes,
    out: str | Path,
    overlays: str | Path | None = None,
) -> dict[str, int]:
    """Measure scans, write a CSV and, if asked, a picture of each measured ellipse.

    Parameters
    ----------
    paths : sequence of Path
    model : HeadModel
    sizes : PixelSizes
    out : path
        The CSV; it appears when all scans are done.
    overlays : path, optional
        Folder for pictures; created when missing.

    Returns
    -------
    dict
        Number of scans ``measured``, ``declined`` and ``failed``.
    """
    from fetal_lib.predict.head_overlay import save_overlay

    if overlays is not None:
        Path(overlays).mkdir(parents=True, exist_ok=True)

    def rows() -> Iterator[dict[str, str]]:
        found = predict_heads(paths, model, sizes, keep_scan=bool(overlays))
        for path, result, scan, size in found:
            if overlays is not None and scan is not None:
                save_overlay(Path(overlays) / f"{path.stem}.png", scan, result)
            ga_days = sizes.ga_days.get(path.name, math.nan)
            yield head_circumference_row(path, result, size, model.spec, ga_days)

    return write_rows(rows(), out, "hc", len(paths))
