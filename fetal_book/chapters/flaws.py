"""What a flaw of the method does to a score, with the interval of the difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fetal_book.runs.session import Run
from fetal_lib.metrics.differences import Statistic, difference_ci
from fetal_lib.metrics.trainings import over_trainings


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
    measure: Callable[[np.ndarray, np.ndarray], float],
    groups: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    **facts: Any,
) -> tuple[float, tuple[float, float]]:
    """Do as :func:`add_difference` where both sides were trained S times; the luck of it counts.

    ``answers`` are (N, 1 + S) and (M, 1 + S): what is true of a case, then what each training
    answered; one seed trained the same column of both.
    """
    seed = run.parameters.seed
    whole = over_trainings(measure)
    value = whole(answers[0]) - whole(answers[1])
    drawn = tuple(over_trainings(measure, np.random.default_rng(seed)) for _ in answers)
    ci95 = difference_ci(*answers, drawn, groups, seed=seed)
    facts["trainings"] = answers[0].shape[1] - 1
    _keep(run, names, metric, value, ci95, (answers, groups), facts)
    return value, ci95


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
