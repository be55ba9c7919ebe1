"""The saved model learns from each scan twice: as it came, and interpolated once more.

A scan that is registered, or brought to other voxels, is interpolated and comes out softer, by its
place more or less so. What that does to an age is asked of the scans of the outer test parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.report import add_ages
from fetal_book.chapters.brain_age.tissues import Tissues
from fetal_book.runs.session import Run
from fetal_lib.baselines.age_regression import NestedPrediction
from fetal_lib.baselines.cosine_ridge import nested_cosine_ridge
from fetal_lib.baselines.tissue_maps import age_features
from fetal_lib.data.splits.folds import Fold
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval

LEARNT = {"as they came": "predict_model_once", "both": "predict_model"}
"""What the model learns from, and what the results call it."""


def both_features(tissues: Tissues) -> np.ndarray:
    """Return what the model takes of each scan, then of each interpolated once more, (2N, F)."""
    return np.stack([age_features(maps) for maps in (*tissues.maps, *tissues.softer)])


def both_rows(rows: np.ndarray, n: int) -> np.ndarray:
    """Return rows of N scans, then those of the same scans interpolated once more."""
    return np.concatenate([rows, rows + n])


def both_folds(folds: Sequence[Fold], n: int, learnt: str = "both") -> list[Fold]:
    """Return folds of 2N rows: a scan and its softer self are on the same side.

    `learnt` is of `LEARNT`; what the model does not learn from is still tested.

    Examples
    --------
    >>> fold = Fold(0, np.array([0, 1]), np.array([2]), ((np.array([0]), np.array([1])),))
    >>> wide = both_folds([fold], 3)[0]
    >>> wide.train.tolist(), wide.test.tolist(), wide.inner[0][1].tolist()
    ([0, 1, 3, 4], [2, 5], [1, 4])
    >>> both_folds([fold], 3, "as they came")[0].train.tolist()
    [0, 1]
    """

    def taught(rows: np.ndarray) -> np.ndarray:
        return both_rows(rows, n) if learnt == "both" else rows

    return [
        Fold(
            fold.number,
            taught(fold.train),
            both_rows(fold.test, n),
            tuple((taught(train), taught(val)) for train, val in fold.inner),
        )
        for fold in folds
    ]


def judge_both(
    features: np.ndarray, age_years: np.ndarray, parts: Parts, seed: int, learnt: str = "both"
) -> NestedPrediction:
    """Predict each scan (N,) and its softer self by nested cross-validation: 2N predictions."""
    folds = both_folds(parts.folds, len(age_years), learnt)
    return nested_cosine_ridge(features, np.tile(age_years, 2), folds, seed)


def as_they_came(judged: NestedPrediction) -> NestedPrediction:
    """Return what `judge_both` says of the N scans as they came."""
    n = len(judged.outer) // 2
    inner = tuple(guess[:n] for guess in judged.inner)
    return NestedPrediction(judged.outer[:n], inner, judged.chosen)


def softer_table(
    run: Run, age_years: np.ndarray, tissues: Tissues, parts: Parts
) -> tuple[pd.DataFrame, str]:
    """Return the error on scans as they came and softer, and in Markdown how far ages move.

    The errors of the softer scans are added to the run.
    """
    from threadpoolctl import threadpool_limits

    features, kept, rows, told = both_features(tissues), parts.tested, [], []
    n, seed = len(age_years), run.parameters.seed
    how = {"groups": parts.person[kept], "seed": seed}
    for learnt, model in LEARNT.items():
        with threadpool_limits(1):
            found = judge_both(features, age_years, parts, seed, learnt).outer.reshape(2, n)
        add_ages(run, age_years, parts, f"{model}_softer", found[1])
        moved = np.abs(found[1] - found[0])[kept]
        for asked, guess in zip(("as they came", "softer"), found, strict=True):
            gap = (guess - age_years)[kept]
            row = {"learnt from": learnt, "asked about": asked}
            row["MAE (y)"] = with_interval(np.abs(gap).mean(), bootstrap_ci(np.abs(gap), **how), 2)
            row["mean gap (y)"] = with_interval(gap.mean(), bootstrap_ci(gap, **how), 2)
            rows.append(row)
        told.append(
            f"{with_interval(moved.mean(), bootstrap_ci(moved, **how), 1)} years, "
            f"at most {moved.max():.0f}"
        )
    text = (
        f"Interpolation moves an age by {told[0]}, where the model learnt from scans as they came "
        f"only, and by **{told[1]}**, where it learnt from both, as the saved model does. In "
        "brackets: 95 % intervals over subjects."
    )
    return pd.DataFrame(rows), text
