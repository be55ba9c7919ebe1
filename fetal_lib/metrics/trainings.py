"""How sure a score is when a network was trained several times: the luck of training counts.

References
----------
Bouthillier X et al. Accounting for variance in machine learning benchmarks. MLSys 2021.
arXiv:2103.03098
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def over_trainings(
    measure: Callable[[np.ndarray, np.ndarray], float], rng: np.random.Generator | None = None
) -> Callable[[np.ndarray], float]:
    """Make the score of one training into the mean score of several.

    With a generator, as many trainings are drawn, with repeats, each time that the result is
    called: a bootstrap over cases then includes the luck of training. Two sides of a difference
    are given generators of one seed, so that they draw the same trainings.

    Parameters
    ----------
    measure : function of true and predicted values, both float (N,), that gives one number.
    rng : numpy Generator, or None for the mean of all trainings, each once.

    Returns
    -------
    function of an array (N, 1 + S) that gives one number: a row a case, what is true in the first
    column and the answer of each of S trainings in the others. A few trainings show little of
    their spread; the interval is then too narrow rather than too wide.

    Examples
    --------
    >>> mae = lambda true, pred: float(np.abs(true - pred).mean())
    >>> over_trainings(mae)(np.array([[10.0, 11.0, 13.0], [20.0, 21.0, 23.0]]))
    2.0
    """

    def score(rows: np.ndarray) -> float:
        drawn = _drawn(rows.shape[1] - 1, rng)
        return float(np.mean([measure(rows[:, 0], rows[:, 1 + one]) for one in drawn]))

    return score


def over_blocks(
    statistic: Callable[[np.ndarray], float],
    n_trainings: int,
    rng: np.random.Generator | None = None,
) -> Callable[[np.ndarray], float]:
    """Do as :func:`over_trainings` where a case has several numbers of each training.

    Parameters
    ----------
    statistic : function of an array (N, k), a row a case, that gives one number.
    n_trainings : S.
    rng : as there.

    Returns
    -------
    function of an array (N, S k), the k columns of each training beside each other.

    Examples
    --------
    >>> share = lambda counts: float(counts[:, 0].sum() / counts.sum())
    >>> over_blocks(share, 2)(np.array([[1, 3, 3, 1], [1, 3, 3, 1]]))
    0.5
    """

    def score(rows: np.ndarray) -> float:
        parts = np.split(rows, n_trainings, axis=1)
        return float(np.mean([statistic(parts[one]) for one in _drawn(n_trainings, rng)]))

    return score


def _drawn(n: int, rng: np.random.Generator | None) -> np.ndarray:
    return np.arange(n) if rng is None else rng.integers(n, size=n)
