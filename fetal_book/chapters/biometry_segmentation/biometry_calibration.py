"""Set the offsets and the intervals of a biometry model, and write both with its card.

``python -m fetal_book.chapters.biometry_segmentation.biometry_calibration DATA_ROOT MODEL``

``MODEL`` holds a model, and ``out_of_fold.csv`` where its command made one with ``--folds``. The
offsets are set on the validation part; the half-widths by the folds, else on the validation part.

The intervals are cross-conformal: the errors are of fits of the same kind as the model, shorter and
on about as many cases, none of which the fit has seen. So coverage is not promised for this model
but measured, on the test part.

References
----------
Vovk V. Cross-conformal predictors. Ann Math Artif Intell 2015; 74:9-28.
doi:10.1007/s10472-013-9368-4
Barber RF et al. Predictive inference with the jackknife+. Ann Stat 2021; 49:486-507.
doi:10.1214/20-AOS1965
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from fetal_book.chapters.biometry_segmentation.biometry_card import ABLATION, biometry_card
from fetal_book.chapters.biometry_segmentation.biometry_cases import (
    Case,
    calliper_cases,
    hc18_cases,
    of_part,
)
from fetal_book.chapters.biometry_segmentation.biometry_folds import OUT_OF_FOLD
from fetal_book.chapters.biometry_segmentation.biometry_scores import score_table
from fetal_lib.geometry.biometry import SIZES
from fetal_lib.growth.hadlock import SIZE_MM_RANGE, ga_weeks
from fetal_lib.metrics.intervals import conformal_quantile
from fetal_lib.predict.biometry_measure import FLOOR_MM
from fetal_lib.predict.biometry_model import BiometryModel

COVERAGE = 0.9
TRIMESTER_WEEKS = 14, 28
MIN_SUBJECTS = 30
"""Fewer in a trimester do not set a half-width by themselves."""


def calibrated(
    model: BiometryModel, own: pd.DataFrame, folds: pd.DataFrame | None = None
) -> BiometryModel:
    """Set offsets and half-widths by what models without offsets say of whom they have not seen.

    Parameters
    ----------
    model : BiometryModel
    own : DataFrame
        As of `score_table`, of the validation part by the model itself without offsets: it sets
        the offsets, in which one fit differs from another.
    folds : DataFrame, optional
        Likewise, of the folds: it sets the half-widths, each fold's errors about its own offsets.
        Without it ``own`` does.
    """
    halves, limits = half_widths(own if folds is None else folds)
    found = {"offsets": offsets(own), "half_widths": halves, "limits_mm": limits}
    return BiometryModel(model.network, replace(model.spec, **found, interval_coverage=COVERAGE))


def offsets(table: pd.DataFrame) -> dict[str, float]:
    """Return the offset of each channel: the median of true over found of its charted size."""
    charted = table[table["size"] == table["plane"].map(lambda plane: SIZES[plane][0])]
    ratio = charted["true"] / charted["value"]
    return ratio.groupby(charted["channel"]).median().round(5).to_dict()


def half_widths(
    table: pd.DataFrame,
) -> tuple[dict[str, dict[str, tuple[float, ...]]], dict[str, tuple[float, ...]]]:
    """Return the half-widths of each size of a channel, and where its groups begin, in mm.

    A half-width is the conformal quantile over one image of each subject, in each trimester of the
    charted size as it was measured. Where a channel has fewer than `MIN_SUBJECTS` in a trimester,
    heads by the other convention are taken with it.
    """
    widths: dict[str, dict[str, tuple[float, ...]]] = {}
    limits_mm: dict[str, tuple[float, ...]] = {}
    found = table.dropna(subset=["value"]).drop_duplicates(["channel", "subject", "size"])
    found = found.assign(value=found["value"] * _factor(found))
    found["off"] = (found["true"] - found["value"]).abs() / (
        found["value"] + found["size"].map(FLOOR_MM)
    )
    for plane, rows in found.groupby("plane"):
        charted, key = SIZES[plane][0], ["channel", "subject"]
        sizes_mm = rows[rows["size"] == charted].set_index(key)["value"].rename("charted")
        limits = tuple(_limits(charted, sizes_mm.to_numpy()))
        group = np.searchsorted(limits, rows.join(sizes_mm, on=key)["charted"], side="right")
        for channel, size in rows[["channel", "size"]].drop_duplicates().itertuples(index=False):
            halves = []
            for k in range(len(limits) + 1):
                alike = rows[(group == k) & (rows["size"] == size)]
                mine = alike[alike["channel"] == channel]
                some = mine if len(mine) >= MIN_SUBJECTS else alike
                halves.append(conformal_quantile(some["off"].to_numpy(), COVERAGE))
            limits_mm[channel] = limits
            if np.isfinite(halves).all():
                widths.setdefault(channel, {})[size] = tuple(round(half, 5) for half in halves)
    return widths, limits_mm


def _factor(table: pd.DataFrame) -> pd.Series:
    """Return the offset that each row's channel has in its fold."""
    if "fold" not in table:
        return table["channel"].map(offsets(table))
    parts = [rows["channel"].map(offsets(rows)) for _, rows in table.groupby("fold")]
    return pd.concat(parts).reindex(table.index)


def _limits(size: str, sizes_mm: np.ndarray) -> Iterator[float]:
    """Yield where a next trimester begins, of those with enough structures on either side."""
    name = size.removesuffix("_mm").upper()
    grid = np.arange(*SIZE_MM_RANGE[name], 0.5)
    low = -np.inf
    for week in TRIMESTER_WEEKS:
        limit = float(grid[np.searchsorted(ga_weeks(name, grid), week)])
        below, above = (sizes_mm >= low) & (sizes_mm < limit), sizes_mm >= limit
        if min(below.sum(), above.sum()) >= MIN_SUBJECTS:
            yield limit
            low = limit


def out_of_fold_scores(model: BiometryModel, folds: pd.DataFrame) -> pd.DataFrame:
    """Return the folds' predictions with offsets and intervals, each fold's set by the others."""
    parts = []
    for fold, rows in folds.groupby("fold"):
        others = folds[folds["fold"] != fold]
        spec = calibrated(model, others, others).spec
        values = rows["value"] * rows["channel"].map(spec.offsets)
        half = pd.Series(np.nan, rows.index)
        for (_, channel), one in values.groupby([rows["image"], rows["channel"]]):
            sizes_mm = dict(zip(rows.loc[one.index, "size"], one, strict=True))
            half[one.index] = list(spec.half_widths_mm(channel, sizes_mm).values())
        parts.append(rows.assign(value=values, low=values - half, high=values + half))
    return pd.concat(parts, ignore_index=True)


def read_folds(folder: Path) -> pd.DataFrame | None:
    """Return the folds' predictions in a model's folder but those of the test part, if any."""
    if not (folder / OUT_OF_FOLD).is_file():
        return None
    table = pd.read_csv(folder / OUT_OF_FOLD, keep_default_na=True)
    return table[table["part"] != "test"].fillna({"reason": ""})


def finish(model: BiometryModel, cases: Sequence[Case], folder: Path) -> BiometryModel:
    """Calibrate a model and write it into its folder, with the card."""
    bare = BiometryModel(
        model.network, replace(model.spec, offsets={}, half_widths={}, limits_mm={})
    )
    own = score_table(bare, of_part(cases, "validation"))
    model = calibrated(model, own, read_folds(folder))
    model.save(folder, card_of(model, cases, folder))
    return model


def card_of(model: BiometryModel, cases: Sequence[Case], folder: Path) -> str:
    """Return the card of a model, with the folds' scores and the ablation where its folder has
    them."""
    folds = read_folds(folder)
    scores = None if folds is None else out_of_fold_scores(model, folds)
    path = folder / ABLATION
    ablation = pd.read_csv(path) if path.is_file() else None
    return biometry_card(model, cases, out_of_fold=scores, ablation=ablation)


def main(
    root: Annotated[Path, typer.Argument(help="Folder of the data sets.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the model.")],
) -> None:
    """Set the offsets and intervals of a model anew, and write its card."""
    model, cases = BiometryModel.load(folder), hc18_cases(root / "hc18")
    if len(model.spec.channels) > 1:
        cases += calliper_cases(root / "fetal_biometry_fp")
    finish(model, cases, folder)


if __name__ == "__main__":
    typer.run(main)
