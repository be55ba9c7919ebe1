"""From the maps of a biometry network to sizes in millimetres, or to the reason why not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fetal_lib.geometry.biometry import SIZES, line_from_probs
from fetal_lib.geometry.callipers import line_length
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.fit import ellipse_from_probs
from fetal_lib.predict.biometry_maps import END_SPREAD
from fetal_lib.predict.head_measure import (
    HC_RANGE_MM,
    MIN_AXIS_RATIO,
    cut_share,
    why_no_ellipse,
)
from fetal_lib.predict.pixel_sizes import check_pixel_size

CONVENTIONS = {"outer-outer": "head", "outer-inner": "head_inner"}
"""Where a head's callipers stand, and the map that shows it."""
RANGE_MM = {"hc_mm": HC_RANGE_MM, "ac_mm": (35.0, 450.0), "fl_mm": (4.0, 95.0)}
"""Outside it no fetus from 11 weeks to term is found."""
FLOOR_MM = {
    "hc_mm": 100.0,
    "bpd_mm": 30.0,
    "ofd_mm": 35.0,
    "ac_mm": 100.0,
    "tad_mm": 32.0,
    "apad_mm": 32.0,
    "fl_mm": 20.0,
}
"""Half-widths are shares of a size plus this: a part of an error does not grow with the size."""
MIN_AREA_SHARE = {"head": 0.01, "abdomen": 0.01, "femur": 0.0005}
MIN_SURE = {"head": 0.0, "abdomen": 0.91}
"""Mean probability in a region from which its outline is taken, set on out-of-fold predictions:
abdomens below it were the ones that erred most, of heads it says nothing."""
BEYOND, ASIDE = 0.9, 0.12
"""How far beyond the end of a femur's band, and beside its axis, the bell of the end may lie."""
MIN_BELL = 0.3
"""Probability from which there is a bell."""


@dataclass(frozen=True)
class Measured:
    """What was measured in one scan.

    Attributes
    ----------
    plane : "head", "abdomen" or "femur".
    sizes : dict of (value, low, high)
        In mm, by the names of `fetal_lib.geometry.biometry.SIZES`; the ends of the interval are
        NaN where the model has none. Empty where the scan was declined.
    ellipse : Ellipse or None
        Of a head or an abdomen, in pixels of the scan; kept when declined, for drawing.
    line : ndarray (2, 2) or None
        A femur's ends or an abdomen's TAD, x and y in pixels of the scan.
    reason : str
        Why it was declined; empty when it was not.
    """

    plane: str
    sizes: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    ellipse: Ellipse | None = None
    line: np.ndarray | None = None
    reason: str = ""


def find_shape(
    maps: Mapping[str, np.ndarray], plane: str, size_hw: tuple[int, int], channel: str = ""
) -> tuple[Ellipse | None, np.ndarray | None, str]:
    """Find a structure in the maps of a scan.

    Parameters
    ----------
    maps : dict of float array (h, w)
        Of one scan, see `fetal_lib.predict.biometry_maps.CHANNELS`.
    plane : "head", "abdomen" or "femur".
    size_hw : (height, width) of the scan in pixels.
    channel : str
        The map of the outline; empty for the plane's own.

    Returns
    -------
    ellipse, line, reason
        As in `Measured`; the reason does not look at the size.
    """
    probs = maps[channel or plane]
    found = probs >= 0.5
    if found.mean() < MIN_AREA_SHARE[plane]:
        return None, None, f"no {plane} found"
    if plane == "femur":
        return _femur(maps, size_hw)
    try:
        drawn = ellipse_from_probs(probs)
    except ValueError:
        return None, None, f"no {plane} found: its outline fits no ellipse"
    ellipse, inside = drawn.resized(probs.shape, size_hw), drawn.mask(probs.shape)
    line = None
    if plane == "abdomen":
        line = diameter(ellipse, transverse_rad(maps.get("transverse"), size_hw))
    agreement = 2 * (found & inside).sum() / max(1, found.sum() + inside.sum())
    reason = _why_no_ellipse(plane, ellipse, float(agreement), size_hw)
    if not reason and probs[found].mean() < MIN_SURE[plane]:
        reason = f"the outline of the {plane} is not clear"
    return ellipse, line, reason


def _why_no_ellipse(
    plane: str, ellipse: Ellipse, agreement: float, size_hw: tuple[int, int]
) -> str:
    cut, ratio = cut_share(ellipse, size_hw), ellipse.semi_minor / ellipse.semi_major
    if why := why_no_ellipse(plane, cut, agreement):
        return why
    if ratio < MIN_AXIS_RATIO:
        return f"no {plane} found: axis ratio {ratio:.2f}, it must be 0.55-1"
    return ""


def _femur(
    maps: Mapping[str, np.ndarray], size_hw: tuple[int, int]
) -> tuple[None, np.ndarray | None, str]:
    try:
        line = line_from_probs(maps["femur"], size_hw)
    except ValueError:
        return None, None, "no femur found: the region is no band"
    if "femur_ends" not in maps:
        return None, line, ""
    moved = ends_by_bells(line, maps["femur_ends"], size_hw)
    if moved is None:
        return None, line, "an end of the femur is not clear"
    return None, moved, ""


def ends_by_bells(
    line: np.ndarray, bells: np.ndarray, size_hw: tuple[int, int]
) -> np.ndarray | None:
    """Move the ends of a band to the bells along its axis; None where one has no bell.

    A band may stop where the bone is faint, so its end is looked for from the band's quarters
    outward to `BEYOND` of its length; it is the mean place of what is above half of the highest
    probability there, near the highest.
    """
    scale = np.array([size_hw[1] / bells.shape[1], size_hw[0] / bells.shape[0]])
    y, x = np.indices(bells.shape)
    places = (np.stack([x, y], -1) + 0.5) * scale - 0.5
    length, middle = line_length(line), line.mean(0)
    spread = END_SPREAD * max(size_hw)
    moved = []
    for end in line:
        direction = (end - middle) / (length / 2)
        off = places - middle
        along = off @ direction / length
        across = np.abs(off @ (direction[1], -direction[0]))
        reached = (along > 0.25) & (along < 0.5 + BEYOND)
        near = np.where(reached & (across < np.maximum(ASIDE * length, 2 * spread)), bells, 0)
        top = near.max()
        peak = places[np.unravel_index(near.argmax(), near.shape)]
        close = np.hypot(*(places - peak).transpose(2, 0, 1)) < 3 * spread
        weight = np.where(close & (near >= top / 2), near, 0)[..., None]
        if top < MIN_BELL:
            return None
        moved.append((places * weight).sum((0, 1)) / weight.sum())
    return np.array(moved)


def transverse_rad(band: np.ndarray | None, size_hw: tuple[int, int]) -> float:
    """Return the direction of TAD: that of its band, or upright where none was found."""
    if band is None:
        return math.pi / 2
    try:
        x, y = np.subtract(*line_from_probs(band, size_hw)[::-1])
    except ValueError:
        return math.pi / 2
    return float(np.arctan2(y, x))


def diameter(ellipse: Ellipse, angle_rad: float) -> np.ndarray:
    """Return the ends (2, 2) of the diameter of an ellipse in a direction."""
    turn = angle_rad - ellipse.angle_rad
    half = 1 / np.hypot(np.cos(turn) / ellipse.semi_major, np.sin(turn) / ellipse.semi_minor)
    step = half * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    centre = np.array([ellipse.center_x, ellipse.center_y])
    return np.stack([centre - step, centre + step])


def shape_sizes_mm(
    plane: str, ellipse: Ellipse | None, line: np.ndarray | None, pixel_size_mm: float
) -> dict[str, float]:
    """Return the sizes of what `find_shape` found, in mm."""
    if plane == "femur":
        lengths = [line_length(line)]
    elif plane == "head":
        lengths = [ellipse.perimeter, 2 * ellipse.semi_minor, 2 * ellipse.semi_major]
    else:
        angle = float(np.arctan2(*(line[1] - line[0])[::-1]))
        across = line_length(diameter(ellipse, angle + math.pi / 2))
        lengths = [ellipse.perimeter, line_length(line), across]
    return {name: v * pixel_size_mm for name, v in zip(SIZES[plane], lengths, strict=True)}


def measure_maps(
    maps: Mapping[str, np.ndarray],
    plane: str,
    size_hw: tuple[int, int],
    pixel_size_mm: float,
    channel: str,
    offset: float = 1.0,
    half_widths_mm: Callable[[dict[str, float]], dict[str, float]] | None = None,
) -> Measured:
    """Measure what the maps of a scan show, with intervals.

    Parameters
    ----------
    maps, plane, size_hw, channel : as for `find_shape`.
    pixel_size_mm : float
    offset : float
        Factor by which the shape is made larger about its middle.
    half_widths_mm : callable, optional
        Takes the sizes in mm, the charted one first; returns half of each interval's width.

    Raises
    ------
    ValueError
        If the pixel size is not one.
    """
    check_pixel_size(pixel_size_mm)
    ellipse, line, reason = find_shape(maps, plane, size_hw, channel)
    ellipse = ellipse and ellipse.enlarged(offset)
    line = None if line is None else line.mean(0) + offset * (line - line.mean(0))
    if reason:
        return Measured(plane, {}, ellipse, line, reason)
    sizes_mm = shape_sizes_mm(plane, ellipse, line, pixel_size_mm)
    charted = SIZES[plane][0]
    low, high = RANGE_MM[charted]
    size_mm = sizes_mm[charted]
    if not low <= size_mm <= high:
        what = f"{charted.removesuffix('_mm').upper()} {size_mm:.0f} mm"
        reason = f"unreasonable size: {what}, outside {low:.0f}-{high:.0f} mm"
        return Measured(plane, {}, ellipse, line, reason)
    half = half_widths_mm(sizes_mm) if half_widths_mm else dict.fromkeys(sizes_mm, math.nan)
    sizes = {name: (mm, mm - half[name], mm + half[name]) for name, mm in sizes_mm.items()}
    return Measured(plane, sizes, ellipse, line)
