"""What a flaw of the method does to a score, with the interval of the difference."""

from __future__ import annotations

import numpy as np

from fetal_book.runs.session import Run
from fetal_lib.metrics.differences import Statistic, difference_ci


def add_difference(
    run: Run,
    names: tuple[str, str],
    metric: str,
    cases: tuple[np.ndarray, np.ndarray],
    statistics: tuple[Statistic, Statistic] = (np.mean, np.mean),
    groups: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    strata: tuple[np.ndarray, np.ndarray] | None = None,
    n_resamples: int = 2000,
) -> tuple[float, tuple[float, float]]:
    """Add to a run the score with a flaw minus the score without it, and its interval; return both.

    The pairs are in the order of the names, those of the models with the flaw and without it, and
    are what :func:`fetal_lib.metrics.differences.difference_ci` takes.
    """
    value = statistics[0](cases[0]) - statistics[1](cases[1])
    seed = run.parameters.seed
    ci95 = difference_ci(*cases, statistics, groups, strata, n_resamples, seed=seed)
    subjects = len(cases[0]) if groups[0] is None else len(np.unique(np.concatenate(groups)))
    run.add_difference(*names, metric, value, ci95, subjects)
    return value, ci95
