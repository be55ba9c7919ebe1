"""Measure annotated cases with a biometry model, and set its offsets and intervals by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.biometry_cases import Case
from fetal_lib.geometry.biometry import SIZES
from fetal_lib.metrics.intervals import conformal_quantile
from fetal_lib.metrics.segmentation import dice
from fetal_lib.predict.biometry_measure import FLOOR_MM, Measured
from fetal_lib.predict.biometry_model import BiometryModel

COVERAGE = 0.9


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


def calibrated(model: BiometryModel, cases: Sequence[Case]) -> BiometryModel:
    """Set offsets and half-widths on cases that the network did not learn from.

    A channel has one offset, the median of true over found of its charted size; the half-width
    of each size is conformal over one case of each subject.
    """
    bare = BiometryModel(model.network, replace(model.spec, offsets={}, half_widths={}))
    table = score_table(bare, cases).dropna(subset=["value"])
    offsets: dict[str, float] = {}
    half_widths: dict[str, dict[str, tuple[float, ...]]] = {}
    for channel, rows in table.groupby("channel"):
        charted = rows[rows["size"] == SIZES[rows["plane"].iloc[0]][0]]
        offset = float((charted["true"] / charted["value"]).median())
        for size, some in rows.groupby("size"):
            one_each = some.drop_duplicates("subject")
            value = one_each["value"] * offset
            off = np.abs(one_each["true"] - value) / (value + FLOOR_MM[size])
            half = conformal_quantile(off.to_numpy(), COVERAGE)
            offsets[channel] = round(offset, 5)
            if np.isfinite(half):
                half_widths.setdefault(channel, {})[size] = (round(half, 5),)
    spec = replace(model.spec, offsets=offsets, half_widths=half_widths, interval_coverage=COVERAGE)
    return BiometryModel(model.network, spec)
