"""Measure the head in any number of scans, in constant memory.

Scans are read a batch at a time, so memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np

from fetal_lib.data.bad_files import plain_file_name
from fetal_lib.growth import hadlock, intergrowth_age, intergrowth_size
from fetal_lib.growth.bpd_convention import OUTER_OUTER
from fetal_lib.growth.gestation import format_weeks_days
from fetal_lib.predict import hc18_submission
from fetal_lib.predict.batch import (
    interval_notes,
    number_text,
    status_of,
    write_rows,
)
from fetal_lib.predict.biometry_model import BiometryModel, BiometrySpec
from fetal_lib.predict.columns import reason_text
from fetal_lib.predict.hc18_submission import submission_row
from fetal_lib.predict.head_gate import Gate
from fetal_lib.predict.head_measure import HeadMeasurement, or_nan, why_not
from fetal_lib.predict.head_model import HeadModel, HeadModelSpec
from fetal_lib.predict.pixel_sizes import PixelSize, PixelSizes
from fetal_lib.predict.scans import Scan, in_batches, only_heads

HeadFinder = HeadModel | BiometryModel
Drawn = tuple[Path, np.ndarray | None]
OTHER_CALLIPERS = "the formulas were made for callipers outer to outer"


def predict_heads(
    paths: Sequence[Path],
    model: HeadFinder,
    sizes: PixelSizes,
    batch_size: int = 16,
    keep_scan: bool = False,
    gate: Gate | None = None,
) -> Iterator[tuple[Path, HeadMeasurement, np.ndarray | None, PixelSize]]:
    """Yield a measurement for each scan, in order.

    Parameters
    ----------
    paths : sequence of Path
    model : HeadModel or BiometryModel
    sizes : PixelSizes
    batch_size : int
        Scans in memory at a time (as many again are being read ahead).
    keep_scan : bool
        Hand out the scan as well, for overlays.
    gate : Gate, optional
        Declines what is no head; without it everything is measured.

    Yields
    ------
    path, measurement, scan, pixel_size
        ``scan`` is uint8 (H, W), or None when not kept or not readable.
    """

    with ThreadPoolExecutor(2) as pool:
        for read in in_batches(paths, sizes, batch_size, pool):
            scans = only_heads(read, gate)
            results = pool.map(_measure, scans, _maps(scans, model), repeat(model))
            for scan, result in zip(scans, results, strict=True):
                yield scan.path, result, scan.image if keep_scan else None, scan.size


def _maps(scans: Sequence[Scan], model: HeadFinder) -> list[np.ndarray | None]:
    """Return the network's map of each scan, None where it is not measured."""
    images = [scan.image for scan in scans if not scan.problem]
    maps = iter(model.head_maps(images) if images else ())
    return [None if scan.problem else next(maps) for scan in scans]


def _measure(scan: Scan, probs: np.ndarray | None, model: HeadFinder) -> HeadMeasurement:
    if scan.problem:
        return HeadMeasurement(reason=scan.problem, failed=scan.image is None)
    return model.head_of(probs, scan.image.shape, scan.size.mm)


def head_circumference_row(
    path: Path,
    result: HeadMeasurement,
    size: PixelSize,
    spec: HeadModelSpec | BiometrySpec,
    ga_days: float = math.nan,
    convention: str = OUTER_OUTER,
) -> dict[str, str]:
    """Return the row of the result table: text, empty where there is no value.

    The spec is the model's. The age, in days, is one that is known from dating, for the centile.
    """
    hc_mm, weeks = result.hc_mm, ga_days / 7
    notes, level_text = interval_notes(result.hc_high_mm, spec.interval_coverage)
    if convention == OUTER_OUTER:
        notes["ga_intergrowth"] = why_not(intergrowth_age.ga_days_from_hc, hc_mm)
        notes["ga_hadlock_days"] = why_not(hadlock.ga_weeks, "HC", hc_mm)
        notes["hc_centile"] = (
            "needs the age from dating, ga_days of a table"
            if math.isnan(ga_days)
            else why_not(intergrowth_size.centile, "HC", hc_mm, weeks)
        )
    else:
        weeks, notes["ga_*, hc_centile"] = math.nan, OTHER_CALLIPERS
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
    model: HeadFinder,
    sizes: PixelSizes,
    out: str | Path,
    overlays: str | Path | None = None,
    gate: Gate | None = None,
    as_submission: bool = False,
) -> dict[str, int]:
    """Measure scans, write a CSV and, if asked, a picture of each measured ellipse.

    Parameters
    ----------
    paths : sequence of Path
    model : HeadModel or BiometryModel
    sizes : PixelSizes
    out : path
        The CSV; it appears when all scans are done.
    overlays : path, optional
        Folder for pictures; created when missing.
    gate : Gate, optional
        Declines what is no head.
    as_submission : bool
        Write the table that the HC18 challenge takes, with the ellipses also of heads that were
        declined, and without scans that have none.

    Returns
    -------
    dict
        Number of scans ``measured``, ``declined`` and ``failed``.
    """
    from fetal_lib.predict.head_overlay import draw_overlay, with_pictures

    def drawn(one: tuple[Path, HeadMeasurement, np.ndarray | None, PixelSize]) -> Drawn:
        path, result, scan, _ = one
        return path, None if scan is None else draw_overlay(scan, result)

    found = predict_heads(paths, model, sizes, keep_scan=bool(overlays), gate=gate)
    found = with_pictures(found, overlays, drawn)

    def rows() -> Iterator[dict[str, str]]:
        for path, result, _, size in found:
            ga_days = sizes.ga_days.get(plain_file_name(path), math.nan)
            convention = getattr(model, "convention", OUTER_OUTER)
            row = head_circumference_row(path, result, size, model.spec, ga_days, convention)
            if as_submission and result.ellipse is not None:
                row |= submission_row(path.name, result.ellipse, size.mm)
            yield row

    columns = hc18_submission.COLUMNS if as_submission else ()
    return write_rows(rows(), out, "hc", len(paths), columns)
