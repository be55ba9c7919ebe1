"""Which cases of a test part are shown: some around the median, and the worst."""

from __future__ import annotations

import numpy as np


def typical_and_worst(scores: np.ndarray, n: int = 4) -> np.ndarray:
    """Return the positions of cases around the median score, then of as many worst ones.

    The higher a score (N,), the better; the first half rises, the second begins with the worst.
    There are `n` of either kind; fewer where there are not ``2 n``, since none is shown twice.

    Examples
    --------
    >>> typical_and_worst(np.array([0.9, 0.1, 0.5, 0.6, 0.2, 0.8]), 2)
    array([2, 3, 1, 4])
    >>> typical_and_worst(np.array([0.3, 0.9]), 2), typical_and_worst(np.array([0.3]), 2)
    (array([1, 0]), array([0]))
    """
    order = np.argsort(scores, kind="stable")
    n = min(n, max(1, len(order) // 2))
    middle = max(n, len(order) // 2 - n // 2)
    return np.concatenate([order[middle : middle + n], order[:n]])
