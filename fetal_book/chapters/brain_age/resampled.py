"""The saved model learns from each scan three times: as it came, interpolated, and registered here.

A scan that is brought to other voxels is interpolated and comes out softer. One that lay elsewhere
is registered to the template besides, and fills it as that registration sees fit, which need not
be how the scans of a data set came. What either does to an age is asked of the scans of the outer
test parts, and what it does to models that learnt from fewer of the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.report import add_ages
from fetal_book.chapters.brain_age.tissues import REGISTERED, RESAMPLED, Tissues
from fetal_book.runs.session import Run
from fetal_lib.baselines.age_regression import NestedPrediction
from fetal_lib.baselines.cosine_ridge import nested_cosine_ridge
from fetal_lib.baselines.tissue_maps import age_features
from fetal_lib.data.splits.folds import Fold
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval

WAYS = ("as they came", *RESAMPLED)
"""How scans come: the first N of 3N rows, then the same scans interpolated, then registered."""


@dataclass(frozen=True)
class Learnt:
    """Hold what a model learnt from: its name in the results, in words, and how many of `WAYS`."""

    model: str
    words: str
    n_ways: int


ALL_WAYS = Learnt("predict_model", "all three", 3)
"""What the saved model learns from."""
LEARNT = (
    Learnt("predict_model_once", "as they came", 1),
    Learnt("predict_model_twice", "as they came, interpolated", 2),
    ALL_WAYS,
)


def features_of_all(tissues: Tissues) -> np.ndarray:
    """Return what the model takes of each scan in each of `WAYS`, (3N, F)."""
    ways = (tissues.maps, *tissues.resampled)
    return np.stack([age_features(maps) for some in ways for maps in some])


def rows_of_all(rows: np.ndarray, n: int, n_ways: int = len(WAYS)) -> np.ndarray:
    """Return rows of N scans, then those of the same scans in further `WAYS`.

    Examples
    --------
    >>> rows_of_all(np.array([0, 2]), 10).tolist()
    [0, 2, 10, 12, 20, 22]
    """
    return np.concatenate([rows + way * n for way in range(n_ways)])


def folds_of_all(folds: Sequence[Fold], n: int, n_ways: int = len(WAYS)) -> list[Fold]:
    """Return folds of 3N rows: a scan is on the same side however it comes.

    A model that learns from fewer ways is tested in all of them.

    Examples
    --------
    >>> fold = Fold(0, np.array([0, 1]), np.array([2]), ((np.array([0]), np.array([1])),))
    >>> wide = folds_of_all([fold], 3)[0]
    >>> wide.train.tolist(), wide.test.tolist(), wide.inner[0][1].tolist()
    ([0, 1, 3, 4, 6, 7], [2, 5, 8], [1, 4, 7])
    >>> folds_of_all([fold], 3, 1)[0].train.tolist()
    [0, 1]
    """
    return [
        Fold(
            fold.number,
            rows_of_all(fold.train, n, n_ways),
            rows_of_all(fold.test, n),
            tuple(
                (rows_of_all(train, n, n_ways), rows_of_all(val, n, n_ways))
                for train, val in fold.inner
            ),
        )
        for fold in folds
    ]


def judge_all(
    features: np.ndarray, age_years: np.ndarray, parts: Parts, seed: int, learnt: Learnt = ALL_WAYS
) -> NestedPrediction:
    """Predict each scan (N,) in each of `WAYS` by nested cross-validation: 3N predictions."""
    folds = folds_of_all(parts.folds, len(age_years), learnt.n_ways)
    return nested_cosine_ridge(features, np.tile(age_years, len(WAYS)), folds, seed)


def as_they_came(judged: NestedPrediction) -> NestedPrediction:
    """Return what `judge_all` says of the N scans as they came."""
    n = len(judged.outer) // len(WAYS)
    inner = tuple(guess[:n] for guess in judged.inner)
    return NestedPrediction(judged.outer[:n], inner, judged.chosen)


def resampled_table(
    run: Run, age_years: np.ndarray, tissues: Tissues, parts: Parts
) -> tuple[pd.DataFrame, str]:
    """Return the error by what a model learnt from and how a scan comes, and in Markdown how far
    ages move.

    A scan that could not be registered is left out of the rows of registered ones. The errors of
    resampled scans are added to the run.
    """
    from threadpoolctl import threadpool_limits

    features, n, seed = features_of_all(tissues), len(age_years), run.parameters.seed
    asked = {way: parts.tested for way in WAYS}
    asked[REGISTERED] = parts.tested & tissues.registered
    rows, told = [], {}
    for learnt in LEARNT:
        with threadpool_limits(1):
            judged = judge_all(features, age_years, parts, seed, learnt)
        found = dict(zip(WAYS, judged.outer.reshape(len(WAYS), n), strict=True))
        for way, guess in found.items():
            kept = asked[way]
            if way in RESAMPLED:
                add_ages(run, age_years, parts, f"{learnt.model}_{way}", guess, kept)
            gap = (guess - age_years)[kept]
            moved = np.abs(guess - found[WAYS[0]])[kept]
            how = {"groups": parts.person[kept], "seed": seed}
            row = {"learnt from": learnt.words, "asked about": way, "n": int(kept.sum())}
            row["MAE (y)"] = with_interval(np.abs(gap).mean(), bootstrap_ci(np.abs(gap), **how), 2)
            row["mean gap (y)"] = with_interval(gap.mean(), bootstrap_ci(gap, **how), 2)
            rows.append(row)
            told[learnt, way] = (
                f"{with_interval(moved.mean(), bootstrap_ci(moved, **how), 1)} years, "
                f"at most {moved.max():.0f}"
            )
    return pd.DataFrame(rows), _words(told)


def _words(told: dict[tuple[Learnt, str], str]) -> str:
    lines = [
        f"- {does} moves an age by {told[LEARNT[0], way]}, where a model learnt from scans as they "
        f"came only, and by **{told[ALL_WAYS, way]}**, where it learnt from all three, as the "
        "saved model does."
        for does, way in zip(("Interpolation", "Registration"), RESAMPLED, strict=True)
    ]
    return "\n".join([*lines, "", "In brackets: 95 % intervals over subjects."])
