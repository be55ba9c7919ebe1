"""Measure the head in any number of scans, in constant memory.

Scans are read a batch at a time, so memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from fetal_lib.growth import intergrowth_size
from fetal_lib.growth.gestation import format_weeks_days
from fetal_lib.predict.batch import list_files, number_text, write_rows
from fetal_lib.predict.head_measure import HeadMeasurement, measure_head
from fetal_lib.predict.head_model import HeadModel
from fetal_lib.predict.pixel_sizes import PixelSizes
from fetal_lib.readers.image import read_gray
from fetal_lib.sets.head_images import squash

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


def predict_heads(
    paths: Sequence[Path],
    model: HeadModel,
    sizes: PixelSizes,
    batch_size: int = 16,
    keep_scan: bool = False,
) -> Iterator[tuple[Path, HeadMeasurement, np.ndarray | None]]:
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
    path, measurement, scan
        ``scan`` is uint8 (H, W), or None when not kept or not readable.
    """

    def load(path: Path) -> tuple[Path, np.ndarray | None, str]:
        try:
            sizes.of(path)
            return path, read_gray(path), ""
        except (ValueError, OSError) as error:
            return path, None, str(error)

    queue = iter(paths)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(load, p) for p in islice(queue, batch_size)]
        while waiting:
            loaded = [job.result() for job in waiting]
            waiting = [pool.submit(load, p) for p in islice(queue, batch_size)]
            results = list(pool.map(*_measuring(loaded, model, sizes)))
            for (path, scan, _), result in zip(loaded, results, strict=True):
                yield path, result, scan if keep_scan else None


def _measuring(loaded, model: HeadModel, sizes: PixelSizes):
    """Return the function and the arguments that measure one batch of scans."""
    good = [i for i, (_, scan, _) in enumerate(loaded) if scan is not None]
    maps = {}
    if good:
        batch = np.stack([squash(loaded[i][1], model.shape) for i in good])
        maps = dict(zip(good, model.probs(batch, batch_size=len(batch)), strict=True))

    def measure(i: int) -> HeadMeasurement:
        path, scan, problem = loaded[i]
        if scan is None:
            return HeadMeasurement(reason=problem)
        half = model.spec.relative_half_width
        return measure_head(maps[i], scan.shape, sizes.of(path), half)

    return measure, range(len(loaded))


def head_circumference_row(
    path: Path, result: HeadMeasurement, sizes: PixelSizes
) -> dict[str, str]:
    """Return the row of the result table: text, empty where there is no value."""
    size = sizes.by_name.get(path.name, sizes.common_mm)
    return {
        "image": path.name,
        "status": "declined" if result.reason else "measured",
        "hc_mm": number_text(result.hc_mm, 2),
        "hc_low_mm": number_text(result.hc_low_mm, 2),
        "hc_high_mm": number_text(result.hc_high_mm, 2),
        "ga_intergrowth": format_weeks_days(result.ga_days) if result.ga_days > 0 else "",
        "ga_intergrowth_days": number_text(result.ga_days),
        "ga_hadlock_days": number_text(result.ga_hadlock_days),
        "hc_centile": number_text(_centile(result.hc_mm, sizes.ga_days.get(path.name, math.nan))),
        "pixel_size_mm": number_text(size, 5),
        "cut_share": number_text(result.cut_share, 3),
        "reason": result.reason,
    }


def _centile(hc_mm: float, ga_days: float) -> float:
    """Return the INTERGROWTH-21st centile for a *known* age, NaN where there is none."""
    if not (math.isfinite(hc_mm) and math.isfinite(ga_days)):
        return math.nan
    try:
        return float(intergrowth_size.centile("HC", hc_mm, ga_days / 7))
    except ValueError:
        return math.nan


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
        Number of scans ``measured`` and ``declined``.
    """
    from fetal_lib.predict.head_overlay import save_overlay

    if overlays is not None:
        Path(overlays).mkdir(parents=True, exist_ok=True)

    def rows() -> Iterator[dict[str, str]]:
        for path, result, scan in predict_heads(paths, model, sizes, keep_scan=bool(overlays)):
            if overlays is not None and scan is not None:
                save_overlay(Path(overlays) / f"{path.stem}.png", scan, result)
            yield head_circumference_row(path, result, sizes)

    return write_rows(rows(), out, ("measured", "declined"), len(paths))
