"""Which few of many cases are looked at: spread over all of them, and not chosen by result."""

from __future__ import annotations

import numpy as np


def evenly_spaced(n: int, of: int) -> np.ndarray:
    """Return up to ``n`` positions, evenly spaced over ``of`` cases: first and last included.

    The first cases would not do where a set is listed by size, as HC18 is.

    Parameters
    ----------
    n, of : int, >= 0

    Returns
    -------
    ndarray, int (min(n, of),), rising

    Examples
    --------
    >>> evenly_spaced(3, 9), evenly_spaced(3, 2), evenly_spaced(3, 0)
    (array([0, 4, 8]), array([0, 1]), array([], dtype=int64))
    """
    return np.linspace(0, of - 1, min(n, of)).astype(int)
