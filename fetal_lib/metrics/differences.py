"""How sure a difference of two scores is, where cases of the same subjects carry both.

References
----------
Efron B, Tibshirani R. An introduction to the bootstrap. 1993, chapters 8 and 13.
Field CA, Welsh AH. Bootstrapping clustered data. J R Stat Soc B 2007; 69:369-390.
DOI 10.1111/j.1467-9868.2007.00593.x
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fetal_lib.metrics.intervals import check_cases, percentile_interval

Statistic = Callable[..., float]


def difference_ci(
    first: np.ndarray,
    second: np.ndarray,
    statistics: tuple[Statistic, Statistic] = (np.mean, np.mean),
    groups: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    strata: tuple[np.ndarray, np.ndarray] | None = None,
    n_resamples: int = 2000,
    coverage: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute a percentile bootstrap interval for the difference of two scores.

    Subjects of both sides are drawn together, and each drawn one brings its cases on either side:
    the same cases scored in two ways are paired, sides with different subjects are independent,
    and sides that share some subjects are what they are.

    Parameters
    ----------
    first, second : float array (N,) and (M,), or (N, k) and (M, k) whose rows are cases.
    statistics : two functions of an array like ``first`` and ``second`` that give one number each;
        the difference is that of the first minus that of the second.
    groups : the subject of each case of ``first`` and of ``second``. None: each case is a subject;
        both None needs N equal to M, and pairs the cases.
    strata : the class of each case of both sides. Subjects are then drawn within classes, so that
        no draw lacks a rare one; a subject is of the class of its first case.
    n_resamples : int, >= 1
    coverage : float in (0, 1)
    seed : int

    Returns
    -------
    tuple (low, high), unit of the statistics. Both NaN where there is one subject only, or where
    more than half of the resamples have no finite difference.

    Raises
    ------
    ValueError
        When a side is empty or holds a value that is not finite, groups do not fit their cases,
        one side has groups and the other none, sides without groups differ in length, strata do
        not fit their cases, or an argument is out of range.

    Examples
    --------
    >>> errors = np.arange(100.0)
    >>> difference_ci(errors + 1, errors)  # the same everywhere, however errors spread
    (1.0, 1.0)
    """
    named = {"first": first, "second": second}
    sides = [check_cases(side, n_resamples, coverage, name) for name, side in named.items()]
    labels = _labels(sides, groups)
    n_groups = int(max(part.max() for part in labels)) + 1
    if n_groups < 2:
        return float("nan"), float("nan")
    members = [_members(part, n_groups) for part in labels]
    parts = _parts(sides, labels, strata, n_groups)
    rng = np.random.default_rng(seed)
    found = np.empty(n_resamples)
    for i in range(n_resamples):
        drawn = np.concatenate([part[rng.integers(len(part), size=len(part))] for part in parts])
        scores = [
            _score(values, cases(drawn), statistic)
            for values, cases, statistic in zip(sides, members, statistics, strict=True)
        ]
        found[i] = scores[0] - scores[1]
    return percentile_interval(found, coverage)


def _members(labels: np.ndarray, n_groups: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that gives the rows of drawn subjects, each as often as it was drawn."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=n_groups)
    starts = np.cumsum(counts) - counts

    def rows(drawn: np.ndarray) -> np.ndarray:
        lengths = counts[drawn]
        ends = np.cumsum(lengths)
        shift = np.repeat(starts[drawn] - (ends - lengths), lengths)
        return order[shift + np.arange(len(shift))]

    return rows


def _score(values: np.ndarray, rows: np.ndarray, statistic: Statistic) -> float:
    return float(statistic(values[rows])) if len(rows) else np.nan


def _labels(
    sides: list[np.ndarray], groups: tuple[np.ndarray | None, np.ndarray | None]
) -> list[np.ndarray]:
    """Return the number of each case's subject, counted over both sides."""
    sizes = [len(side) for side in sides]
    given = [part is not None for part in groups]
    if not any(given) and sizes[0] == sizes[1]:
        return [np.arange(sizes[0])] * 2
    if not all(given) or [np.shape(part) for part in groups] != [(n,) for n in sizes]:
        shapes = " and ".join("none" if part is None else str(np.shape(part)) for part in groups)
        raise ValueError(
            f"groups: received {shapes} for {sizes[0]} and {sizes[1]} cases; give the subject of "
            "each case of both sides, or of neither where their cases are the same."
        )
    numbers = np.unique(np.concatenate([np.asarray(part) for part in groups]), return_inverse=True)
    return np.split(numbers[1], sizes[:1])


def _parts(
    sides: list[np.ndarray],
    labels: list[np.ndarray],
    strata: tuple[np.ndarray, np.ndarray] | None,
    n_groups: int,
) -> list[np.ndarray]:
    """Return the numbers of the subjects of each class, all together where there are no classes."""
    if strata is None:
        return [np.arange(n_groups)]
    shapes = [np.shape(part) for part in strata]
    if shapes != [(len(side),) for side in sides]:
        raise ValueError(
            f"strata: received {shapes[0]} and {shapes[1]} for {len(sides[0])} and "
            f"{len(sides[1])} cases; give the class of each case of both sides."
        )
    first = np.unique(np.concatenate(labels), return_index=True)[1]
    kinds = np.concatenate([np.asarray(part) for part in strata])[first]
    return [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
