"""What is told of one fetal brain: an age with its interval, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_lib.growth.gestation import format_weeks_days

LIMITS_DAYS = (133.0, 279.0)  # 19+0 to 39+6 weeks


@dataclass(frozen=True)
class GaReading:
    """Hold what was predicted of a scan, or why nothing was.

    Attributes
    ----------
    ga_days, low_days, high_days : NaN when declined.
    shape_days, volume_days : by the image alone, and by the brain's volume alone; NaN where
        unknown.
    brain_ml : of the brain with its fluid, NaN where unknown.
    likeness : with the training, as the model measures it; NaN where it was not looked at.
    spread_days : SD between slices and networks.
    reason : empty when an age was predicted.
    failed : whether the reason is that the file cannot be read.
    images : uint8 (n, S, S, P), None where the scan could not be cut.
    outlines : float (P, S, S), share of the middle slices that is brain; None where unknown.
    """

    ga_days: float = float("nan")
    low_days: float = float("nan")
    high_days: float = float("nan")
    shape_days: float = float("nan")
    volume_days: float = float("nan")
    brain_ml: float = float("nan")
    likeness: float = float("nan")
    spread_days: float = float("nan")
    reason: str = ""
    failed: bool = False
    images: np.ndarray | None = None
    outlines: np.ndarray | None = None


def outside_text(days: float, ga_range_days: tuple[float, float]) -> str:
    """Return why an age is not told: it lies outside those that a model knows; else empty."""
    low, high = np.clip(ga_range_days, *LIMITS_DAYS)
    if low <= days <= high:
        return ""
    return (
        f"predicted {days:.0f} days, outside the ages it knows ({format_weeks_days(low)} to "
        f"{format_weeks_days(high)} weeks, of 19 to 39)"
    )
