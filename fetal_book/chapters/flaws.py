"""What a flaw of the method does to a score, with the interval of the difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fetal_book.chapters.case_scores import interval_of
from fetal_book.runs.session import Run
from fetal_lib.metrics.differences import Statistic, difference_ci

ScoreMaker = Callable[..., Statistic]
"""What makes a score of several trainings, with a generator one that draws them, such as
``functools.partial(over_trainings, measure)``."""


def add_difference(
    run: Run,
    names: tuple[str, str],
    metric: str,
    cases: tuple[np.ndarray, np.ndarray],
    statistics: tuple[Statistic, Statistic] = (np.mean, np.mean),
    groups: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    strata: tuple[np.ndarray, np.ndarray] | None = None,
    n_resamples: int = 2000,
    **facts: Any,
) -> tuple[float, tuple[float, float]]:
    """Add to a run the score with a flaw minus the score without it, and its interval; return both.

    The pairs are in the order of the names, those of the models with the flaw and without it, and
    are what :func:`fetal_lib.metrics.differences.difference_ci` takes. ``facts`` are those of
    :meth:`fetal_book.runs.session.Run.add_difference`: trainings, epochs, exposed.
    """
    value = statistics[0](cases[0]) - statistics[1](cases[1])
    seed = run.parameters.seed
    ci95 = difference_ci(*cases, statistics, groups, strata, n_resamples, seed=seed)
    _keep(run, names, metric, value, ci95, (cases, groups), facts)
    return value, ci95


def add_difference_of_trainings(
    run: Run,
    names: tuple[str, str],
    metric: str,
    answers: tuple[np.ndarray, np.ndarray],
    scores: tuple[ScoreMaker, ScoreMaker],
    groups: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    strata: tuple[np.ndarray, np.ndarray] | None = None,
    n_resamples: int = 2000,
    **facts: Any,
) -> tuple[float, tuple[float, float]]:
    """Do as :func:`add_difference` where both sides were trained S times; the luck of it counts.

    ``answers`` hold a row a case and columns of each training, as ``scores`` take them; one seed
    trained the same columns of both. ``facts`` has to say how many ``trainings`` these are.
    """
    seed = run.parameters.seed
    whole = [make()(rows) for make, rows in zip(scores, answers, strict=True)]
    drawn = tuple(make(np.random.default_rng(seed)) for make in scores)
    ci95 = difference_ci(*answers, drawn, groups, strata, n_resamples, seed=seed)
    _keep(run, names, metric, whole[0] - whole[1], ci95, (answers, groups), facts)
    return whole[0] - whole[1], ci95


def score_trainings(
    make: ScoreMaker, answers: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[float, tuple[float, float] | None]:
    """Return the mean score of all trainings, and its interval over groups and trainings."""
    drawn = make(np.random.default_rng(seed))
    return make()(answers), interval_of(answers, groups, seed, drawn)


def _keep(
    run: Run,
    names: tuple[str, str],
    metric: str,
    value: float,
    ci95: tuple[float, float],
    sides: tuple[Any, Any],
    facts: dict[str, Any],
) -> None:
    cases, groups = sides
    subjects = len(cases[0]) if groups[0] is None else len(np.unique(np.concatenate(groups)))
    run.add_difference(*names, metric, value, ci95, subjects, **facts)
