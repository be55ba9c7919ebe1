"""Labels as numbers or classes, and what they would be if they were dealt out by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MANY_VALUES = 20


def is_number(label: np.ndarray) -> bool:
    """Say whether a label is a number to be regressed, not a class.

    Floating types are; whole numbers are if they take more than 20 values.

    Examples
    --------
    >>> is_number(np.array([1.5, 2.0])), is_number(np.array([0, 1, 1])), is_number(np.arange(40))
    (True, False, True)
    """
    label = np.asarray(label)
    if np.issubdtype(label.dtype, np.floating):
        return True
    return np.issubdtype(label.dtype, np.integer) and len(np.unique(label)) > MANY_VALUES


def as_columns(label: np.ndarray) -> np.ndarray:
    """Return a number (N,) as one float column, a class as one 0/1 column per class: (N, C)."""
    label = np.asarray(label)
    if is_number(label):
        return label.astype(float)[:, None]
    return (label[:, None] == np.unique(label)[None]).astype(float)


def chance_orders(groups: Sequence, n: int, seed: int) -> np.ndarray:
    """Draw ``n`` orders in which the labels of whole groups are dealt to other groups, int (n, N).

    A row says whose label each case gets. Cases of a group share their label, or nearly, so
    shuffling single cases would make chance look rarer than it is. A group that gets the labels of
    a smaller one repeats them.

    >>> order = chance_orders(["a", "a", "b", "b"], 50, seed=0)
    >>> sorted(map(tuple, np.unique(order, axis=0).tolist()))
    [(0, 1, 2, 3), (2, 3, 0, 1)]
    """
    index = np.unique(np.asarray(groups), return_inverse=True)[1]
    members = np.argsort(index, kind="stable")
    size = np.bincount(index)
    start = np.cumsum(size) - size
    place = np.empty(len(index), int)  # 0, 1, ... within each group
    place[members] = np.arange(len(index)) - np.repeat(start, size)
    rng = np.random.default_rng(seed)
    orders = np.empty((n, len(index)), int)
    for row in orders:
        giver = rng.permutation(len(size))[index]
        row[:] = members[start[giver] + place % size[giver]]
    return orders
