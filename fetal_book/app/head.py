"""What the tab for head circumference does: a scan and its scale in, millimetres out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from fetal_book.app import markup
from fetal_book.app.shelf import Loaded, Shelf
from fetal_book.app.uploads import (
    ScaleNeeded,
    Upload,
    UploadError,
    from_data_url,
    pixel_size,
    read_scan,
    shrunk,
)
from fetal_lib.growth import intergrowth_size
from fetal_lib.growth.gestation import format_weeks_days, parse_weeks_days
from fetal_lib.predict.head_circumference import head_circumference_row
from fetal_lib.predict.head_measure import HeadMeasurement
from fetal_lib.predict.pixel_sizes import (
    PixelSize,
    check_pixel_size,
    given_sizes,
    read_number,
    stated_mm,
)

ASK = (
    "Millimetres need a scale: type the pixel size, or click two points of the scale on the image "
    "and type their distance; then press Measure."
)


def hold_file(file: Upload) -> dict[str, Any]:
    """Return what the browser holds for the page of an uploaded scan, its stated pixel size too."""
    scan = read_scan(file)
    with file.named_in_errors():
        stated = stated_mm(file.path)
    return hold_scan(scan, file.name) | {"stated_mm": None if math.isnan(stated) else stated}


def hold_scan(scan: np.ndarray, name: str) -> dict[str, Any]:
    """Return what the browser holds for the page: the scan, no points yet.

    The scan is whole in it, as PNG, since nothing is kept on this side between requests.
    """
    small, factor = shrunk(scan)
    held = {"image": markup.data_url(small, "png"), "name": name, "factor": factor, "points": []}
    return held | {"width": small.shape[1], "height": small.shape[0]}


def read_scale(pixel_size_mm: Any, distance_mm: Any, held: dict[str, Any] | None) -> PixelSize:
    """Return the pixel size that follows from two points, was typed, or stands in the file.

    What `hold_scan` made has the points in percent of width and height.
    """
    typed, distance = read_number(pixel_size_mm, "pixel size"), read_number(distance_mm, "distance")
    stated = read_number((held or {}).get("stated_mm"), "pixel size in the file")
    points = (held or {}).get("points") or []
    if len(points) == 2 and distance:
        sides = np.array([held["width"], held["height"]], float) * float(held["factor"]) / 100
        (a, b) = (np.array([p["x"], p["y"]], float) * sides for p in points)
        length = float(np.hypot(*(a - b)))
        if not length >= 10:
            raise UploadError("the two points are closer than 10 pixels; click two further apart.")
        check_pixel_size(distance / length)
        origin = f"{distance:g} mm between two points {length:.0f} pixels apart"
        return PixelSize(distance / length, origin).beside(stated or math.nan)
    if typed is not None:
        check_pixel_size(typed)
        return PixelSize(typed, "typed").beside(stated or math.nan)
    if stated is None:
        raise ScaleNeeded(ASK)
    check_pixel_size(stated)
    return PixelSize(stated, "stated in the file")


def read_known_age(text: str | None) -> float:
    """Return a gestational age in days written as ``20+3``, NaN for an empty text.

    >>> read_known_age("20+3"), read_known_age(" ")
    (143.0, nan)
    """
    return float(parse_weeks_days(text.strip())) if text and text.strip() else math.nan


def measure_held(
    held: dict[str, Any] | None,
    pixel_size_mm: Any,
    distance_mm: Any,
    known_age: str | None,
    shelf: Shelf,
    label: str | None = None,
) -> str:
    """Return the measurement of the scan that the browser holds, as HTML."""
    scan = from_data_url((held or {}).get("image"))
    scale = read_scale(pixel_size_mm, distance_mm, held)
    factor = float(held.get("factor", 1.0))
    name = str(held.get("name", "scan"))
    return measure_scan(
        scan, name, scale, factor, read_known_age(known_age), shelf.get("hc", label)
    )


def measure_scan(
    scan: np.ndarray, name: str, scale: PixelSize, factor: float, ga_days: float, loaded: Loaded
) -> str:
    """Return the measurement of a scan, uint8 (H, W), as HTML.

    The scale is of the pixels as they were uploaded, of which one pixel of the scan is `factor`
    wide. The age is known from dating, for the centile; NaN when unknown.
    """
    start = perf_counter()
    found = _measure(scan, scale.mm * factor, loaded)
    url = markup.data_url(_drawn(scan, found))
    seen = "Your scan" if found.ellipse is None else "Your scan with the ellipse that was found"
    overlay = markup.picture(url, seen, "overlay")
    if found.reason:
        note = f"{found.reason}."
        first = markup.headline("Head circumference", "I don’t know", note, "unknown")
        shown = markup.pictures(overlay)
    else:
        coverage = loaded.model.spec.interval_coverage
        first = markup.headline(
            "Head circumference", f"{found.hc_mm:.1f} mm", _interval(found, coverage)
        )
        shown = markup.pictures(overlay, _chart(found, ga_days))
    rows = _facts(found, ga_days) | {
        "Pixel size": f"{scale.mm:.4f} mm ({scale.origin})",
    }
    parts = (first, markup.facts(rows), shown)
    return markup.result(name, *parts, choice=loaded.choice, start=start)


def answer_files(
    files: Sequence[Upload], shelf: Shelf, label: str | None = None, pixel_size_mm: Any = None
) -> str:
    """Return the table of several scans, with one pixel size or that of each file, as HTML."""
    sizes = given_sizes(pixel_size_mm)
    loaded, start, rows = shelf.get("hc", label), perf_counter(), []
    for file in files:
        size, scan = PixelSize(), None
        try:
            scan, factor = shrunk(read_scan(file))
            size = pixel_size(file, sizes)
            found = HeadMeasurement(reason="its file states no pixel size; type one for all")
            if not math.isnan(size.mm):
                found = _measure(scan, size.mm * factor, loaded)
        except ValueError as error:
            found = HeadMeasurement(reason=str(error), failed=scan is None)
        row = head_circumference_row(file.path, found, size, loaded.model.spec)
        rows.append(row | {"image": file.name})
    if math.isnan(sizes.common_mm) and not any(row["pixel_size_mm"] for row in rows):
        raise ScaleNeeded("Several scans need one pixel size for all: type it, then drop them.")
    return markup.results(rows, "scans", "hc", "head_circumference.csv", loaded.choice, start)


def _measure(scan: np.ndarray, pixel_size_mm: float, loaded: Loaded) -> HeadMeasurement:
    model, problem = loaded.model, loaded.no_head(scan)
    if problem:
        return HeadMeasurement(reason=problem)
    with loaded.lock:
        (probs,) = model.head_maps([scan])
    return model.head_of(probs, scan.shape, pixel_size_mm)


def _drawn(scan: np.ndarray, found: HeadMeasurement) -> np.ndarray:
    from fetal_lib.predict.head_overlay import draw_overlay

    return draw_overlay(scan, replace(found, reason=" ") if found.reason else found)


def _interval(found: HeadMeasurement, coverage: float) -> str:
    if not math.isfinite(found.hc_high_mm):
        return "no interval: the model was not calibrated"
    return f"{found.hc_low_mm:.1f} to {found.hc_high_mm:.1f} mm, {coverage:.0%} interval"


def _facts(found: HeadMeasurement, ga_days: float) -> dict[str, str]:
    rows = {}
    if math.isfinite(found.ga_days):
        rows["Age by INTERGROWTH-21st"] = f"{format_weeks_days(found.ga_days)} weeks"
    if math.isfinite(found.ga_hadlock_days):
        rows["Age by Hadlock 1984"] = f"{_weeks(found.ga_hadlock_days)} weeks"
    if math.isfinite(found.hc_mm):
        rows["Centile"] = _centile(found.hc_mm, ga_days)
    return rows


def _weeks(ga_days: float) -> str:
    try:
        return format_weeks_days(ga_days)
    except ValueError:
        return f"{ga_days / 7:.1f}"


def _centile(hc_mm: float, ga_days: float) -> str:
    if not math.isfinite(ga_days):
        return "needs the age from dating: type it, a head cannot be small for its own size"
    try:
        centile = float(intergrowth_size.centile("HC", hc_mm, ga_days / 7))
    except ValueError as error:
        return str(error)
    return f"{centile:.1f} at {format_weeks_days(ga_days)} weeks (INTERGROWTH-21st)"


def _chart(found: HeadMeasurement, ga_days: float) -> str:
    """Return the growth chart with the head on it: a point at a known age, else a level."""
    from fetal_book.app.growth_chart import growth_chart

    known, half = math.isfinite(ga_days), found.hc_high_mm - found.hc_mm
    with markup.FIGURES:
        chart = growth_chart(known)
        half = half if math.isfinite(half) else 0.0
        url = markup.data_url(chart.picture(found.hc_mm, half, ga_days / 7), "png")
    caption = (
        "Growth chart: the head at its known age"
        if known
        else "Growth chart: the head’s level; where it lies needs the age from dating"
    )
    return markup.picture(url, caption, "chart")
