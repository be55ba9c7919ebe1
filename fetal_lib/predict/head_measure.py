"""From a probability map to a head circumference, or to the reason why not.

The half-probability contour is fitted by an ellipse, the ellipse is carried
back from the squashed image to the scan (its axes change by different factors,
so it is carried as a whole), scaled by the pixel size, and its perimeter taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fetal_lib.geometry.ellipse import Ellipse, head_circumference_mm
from fetal_lib.geometry.fit import ellipse_from_probs
from fetal_lib.growth import hadlock, intergrowth_age
from fetal_lib.predict.pixel_sizes import check_pixel_size

HC_RANGE_MM = (40.0, 400.0)
"""Outside it no fetal head from 11 weeks to term is found: 44 to 346 mm in HC18."""
MIN_AREA_SHARE = 0.01
MIN_AGREEMENT = 0.90
MIN_AXIS_RATIO = 0.55
MAX_CUT_SHARE = 0.30


@dataclass(frozen=True)
class HeadMeasurement:
    """A measured head; numbers are NaN where it was declined.

    Attributes
    ----------
    hc_mm, hc_low_mm, hc_high_mm : float
        Head circumference and its conformal interval, which an uncalibrated model has not.
    ga_days, ga_hadlock_days : float
        Gestational age from HC by INTERGROWTH-21st and by Hadlock 1984; NaN
        outside the range for which a formula was made.
    cut_share : float
        Share of the ellipse's outline that lies outside the image.
    agreement : float
        Dice of the thresholded map and the ellipse: how elliptic the map is.
    ellipse : Ellipse or None
        In pixels of the scan.
    reason : str
        Why the measurement was declined; empty when it was not.
    failed : bool
        Whether the reason is that the file cannot be read.
    """

    hc_mm: float = math.nan
    hc_low_mm: float = math.nan
    hc_high_mm: float = math.nan
    ga_days: float = math.nan
    ga_hadlock_days: float = math.nan
    cut_share: float = math.nan
    agreement: float = math.nan
    ellipse: Ellipse | None = None
    reason: str = ""
    failed: bool = False


def measure_head(
    probs: np.ndarray,
    size_hw: tuple[int, int],
    pixel_size_mm: float,
    relative_half_width: float = math.inf,
    offset: float = 1.0,
) -> HeadMeasurement:
    """Measure the head in a probability map of a squashed image.

    Parameters
    ----------
    probs : ndarray, shape (H, W), in [0, 1]
    size_hw : (height, width)
        Size of the scan in pixels, before squashing.
    pixel_size_mm : float
        Side of a pixel of the scan, in mm.
    relative_half_width : float
        Conformal half-width as a share of HC.
    offset : float
        Factor by which the ellipse is made larger about its centre.

    Returns
    -------
    HeadMeasurement

    Raises
    ------
    ValueError
        If the pixel size is not one.
    """
    check_pixel_size(pixel_size_mm)
    head = probs >= 0.5
    if head.mean() < MIN_AREA_SHARE:
        return HeadMeasurement(reason="no head found")
    try:
        squashed = ellipse_from_probs(probs)
    except ValueError:
        return HeadMeasurement(reason="no head found: its outline fits no ellipse")
    ellipse = squashed.resized(probs.shape, size_hw).enlarged(offset)
    inside = squashed.mask(probs.shape)
    shape = {
        "ellipse": ellipse,
        "cut_share": cut_share(ellipse, size_hw),
        "agreement": float(2 * (head & inside).sum() / max(1, head.sum() + inside.sum())),
    }
    hc_mm = head_circumference_mm(ellipse, (pixel_size_mm, pixel_size_mm))
    reason = decline_reason(ellipse, shape["cut_share"], shape["agreement"], hc_mm)
    if reason:
        return HeadMeasurement(**shape, reason=reason)
    known = math.isfinite(relative_half_width)
    half = relative_half_width * hc_mm if known else math.nan
    return HeadMeasurement(
        hc_mm=hc_mm,
        hc_low_mm=hc_mm - half,
        hc_high_mm=hc_mm + half,
        ga_days=or_nan(intergrowth_age.ga_days_from_hc, hc_mm),
        ga_hadlock_days=7 * or_nan(hadlock.ga_weeks, "HC", hc_mm),
        **shape,
    )


def cut_share(ellipse: Ellipse, size_hw: tuple[int, int]) -> float:
    """Return the share of an ellipse's outline that lies outside an image.

    Examples
    --------
    >>> cut_share(Ellipse(49.5, 49.5, 20, 15, 0.0), (100, 100))
    0.0
    """
    height, width = size_hw
    x, y = ellipse.boundary(720).T
    outside = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
    return float(outside.mean())


def why_no_ellipse(plane: str, cut: float, agreement: float) -> str:
    """Return why a region is no ellipse of a plane, or that the image cuts it; else nothing.

    >>> why_no_ellipse("abdomen", 0.0, 0.5)
    'no abdomen found: the region is no ellipse (Dice with its fit 0.50)'
    """
    if agreement < MIN_AGREEMENT:
        return f"no {plane} found: the region is no ellipse (Dice with its fit {agreement:.2f})"
    if cut > MAX_CUT_SHARE:
        return f"ellipse cut by the image: {cut:.0%} of its outline lies outside"
    return ""


def decline_reason(ellipse: Ellipse, cut: float, agreement: float, hc_mm: float) -> str:
    """Return why an ellipse is not taken for a head, or an empty string."""
    ratio = ellipse.semi_minor / ellipse.semi_major
    if why := why_no_ellipse("head", cut, agreement):
        return why
    if ratio < MIN_AXIS_RATIO:
        return f"no head found: axis ratio {ratio:.2f}, heads have 0.6-1"
    low, high = HC_RANGE_MM
    if not low <= hc_mm <= high:
        return f"unreasonable size: HC {hc_mm:.0f} mm, outside {low:.0f}-{high:.0f} mm"
    return ""


def or_nan(formula: Callable[..., float], *sizes: float | str) -> float:
    """Return a formula's value, NaN outside the range that it was made for.

    Examples
    --------
    >>> or_nan(intergrowth_age.ga_days_from_hc, 1000.0)
    nan
    """
    try:
        return float(formula(*sizes))
    except ValueError:
        return math.nan


def why_not(formula: Callable[..., float], *sizes: float | str) -> str:
    """Return why a formula gives no value, empty where it does.

    Examples
    --------
    >>> why_not(intergrowth_age.ga_days_from_hc, 60.0)
    'hc_mm: received 60; it must be from 98 to 346 mm'
    """
    try:
        formula(*sizes)
    except ValueError as error:
        return str(error).split(". ")[0]
    return ""
