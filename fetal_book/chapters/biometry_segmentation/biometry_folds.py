"""An honest prediction of every case: each fold is measured by a network that has not seen it.

A head network is fitted anew for each fold of HC18's examinations. A network of three planes goes
on from a head network that has seen HC18's training part, so that part is learnt in every fold and
measured in none, HC18's validation part is measured and never learnt, and the subjects of the
calliper set are dealt to the folds, but for those of its test part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.biometry_cases import Case
from fetal_book.chapters.biometry_segmentation.biometry_scores import score_table
from fetal_lib.data.splits.folds import k_folds
from fetal_lib.predict.biometry_model import BiometryModel

OUT_OF_FOLD = "out_of_fold.csv"
HC18 = "hc18"


def fold_numbers(cases: Sequence[Case], n_folds: int, seed: int = 0) -> np.ndarray:
    """Return the fold of each case (N,), whole examinations and subjects at a time."""
    found = np.zeros(len(cases), int)
    is_hc18 = np.array([case.source == HC18 for case in cases])
    for rows, label in (
        (is_hc18, lambda case: case.sizes_mm["hc_mm"]),
        (~is_hc18, lambda case: case.plane),
    ):
        some = [case for case, chosen in zip(cases, rows, strict=True) if chosen]
        if some:
            groups, labels = [case.subject for case in some], [label(case) for case in some]
            found[rows] = k_folds(groups, labels, n_folds, seed)
    return found


def splits(
    cases: Sequence[Case], n_folds: int, has_start: bool
) -> Iterator[tuple[list[Case], list[Case]]]:
    """Yield what the network of each fold learns from, and what it measures."""
    folds = fold_numbers(cases, n_folds)
    for number in range(n_folds):
        pairs = [(case, fold == number) for case, fold in zip(cases, folds, strict=True)]
        yield (
            [case for case, mine in pairs if _is_learnt(case, mine, has_start)],
            [case for case, mine in pairs if mine and _is_measured(case, has_start)],
        )


def _is_learnt(case: Case, mine: bool, has_start: bool) -> bool:
    if case.source == HC18:
        return case.part == "train" if has_start else not mine
    return case.part != "test" and not mine


def _is_measured(case: Case, has_start: bool) -> bool:
    if case.source == HC18:
        return case.part == "validation" or not has_start
    return case.part != "test"


def measure_folds(
    cases: Sequence[Case],
    n_folds: int,
    has_start: bool,
    folder: Path,
    fitted: Callable[[Sequence[Case], Path], BiometryModel],
) -> pd.DataFrame:
    """Fit a network for each fold and measure the fold by it; write and return all rows.

    Parameters
    ----------
    cases : sequence of Case
    n_folds : int
    has_start : bool
        The networks go on from one that has seen HC18's training part.
    folder : path
        Gets a folder for each fold, and `OUT_OF_FOLD`.
    fitted : callable
        Takes what to learn from and the fold's folder; returns a model without offsets.

    Returns
    -------
    DataFrame
        As of `score_table`, with the columns ``part`` and ``fold``.
    """
    tables = []
    for number, (learnt, held) in enumerate(splits(cases, n_folds, has_start)):
        table = score_table(fitted(learnt, folder / f"fold_{number}"), held)
        parts = {case.path.name: case.part for case in held}
        tables.append(table.assign(part=table["image"].map(parts), fold=number))
    found = pd.concat(tables, ignore_index=True).drop(columns=["low", "high"])
    found = found.round({"dice": 4, "true": 3, "value": 3})
    found.to_csv(folder / OUT_OF_FOLD, index=False)
    return found
