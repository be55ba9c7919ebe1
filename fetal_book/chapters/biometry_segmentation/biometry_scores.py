"""Measure annotated cases with a biometry model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.biometry_cases import Case
from fetal_lib.geometry.biometry import SIZES
from fetal_lib.metrics.segmentation import dice
from fetal_lib.predict.biometry_measure import Measured
from fetal_lib.predict.biometry_model import BiometryModel


def measured(model: BiometryModel, cases: Sequence[Case]) -> list[Measured]:
    """Measure cases in their own plane and convention."""
    found = []
    for case in cases:
        (maps,) = model.maps([case.image])
        how = case.plane, case.pixel_size_mm, case.convention, case.image_size
        found.append(model.measure(maps, *how))
    return found


def score_table(model: BiometryModel, cases: Sequence[Case]) -> pd.DataFrame:
    """Return one row a case and size: what the annotation says and what the model says.

    Columns: ``image, source, plane, subject, channel, size, true, value, low, high, reason, dice``;
    numbers are NaN where the model declined. ``dice`` is that of the two ellipses on the scan.
    """
    rows = []
    for case, one in zip(cases, measured(model, cases), strict=True):
        channel = model.channel(case.plane, case.convention)
        known = {"image": case.path.name, "source": case.source, "plane": case.plane}
        known |= {"subject": case.subject, "channel": channel, "reason": one.reason}
        known["dice"] = _dice(case, one)
        for size in SIZES[case.plane]:
            value, low, high = one.sizes.get(size, (np.nan,) * 3)
            rows.append(
                {**known, "size": size, "true": case.sizes_mm[size]}
                | {"value": value, "low": low, "high": high}
            )
    return pd.DataFrame(rows)


def _dice(case: Case, one: Measured) -> float:
    if case.ellipse is None:
        return float("nan")
    if one.reason or one.ellipse is None:
        return 0.0
    return float(dice(case.ellipse.mask(case.image_size), one.ellipse.mask(case.image_size)))
