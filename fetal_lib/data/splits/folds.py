"""Cross-validation that keeps groups whole: k folds, and folds within folds.

The outer folds are each tested once; whatever is chosen (a learning rate, a number of epochs) is
chosen on the inner folds, which never hold a case of the outer test part.

References
----------
Varma S, Simon R. Bias in error estimation when using cross-validation for model selection. BMC
Bioinformatics 2006. doi:10.1186/1471-2105-7-91
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fetal_lib.data.splits.check import check_lengths


@dataclass(frozen=True)
class Fold:
    """One outer fold with its inner folds.

    Attributes
    ----------
    number : int
        From 0.
    train, test : ndarray of int
        Rows of the cases; together all of them.
    inner : tuple of (train, val)
        Rows again, of ``train`` only: each of its cases is in exactly one ``val``.
    """

    number: int
    train: np.ndarray
    test: np.ndarray
    inner: tuple[tuple[np.ndarray, np.ndarray], ...]


def k_folds(groups: Sequence[str], label: Sequence, n_folds: int = 5, seed: int = 0) -> np.ndarray:
    """Assign each case to a fold, whole groups at a time, stratified by its label.

    Labels of a floating type are a number: groups are sorted by their mean, and each run of
    ``n_folds`` neighbours is dealt to the folds in random order. All others are classes, and
    scikit-learn's ``StratifiedGroupKFold`` deals them.

    Parameters
    ----------
    groups : sequence of str, length N
    label : sequence of float, or of str or int for classes, length N
    n_folds : int, >= 2
    seed : int

    Returns
    -------
    ndarray of int, shape (N,)
        Fold of each case, 0 to ``n_folds`` - 1; none is empty.

    Raises
    ------
    ValueError
        If lengths differ, a label is missing, or there are fewer groups than folds.

    Examples
    --------
    >>> fold = k_folds(list("aabbccdd"), [1.0, 1, 2, 2, 8, 8, 9, 9], n_folds=2)
    >>> bool(fold[0] == fold[1] != fold[2]), bool(fold[4] != fold[6])
    (True, True)
    """
    check_lengths(groups, label)
    groups, label = np.asarray(groups), np.asarray(label)
    names, index = np.unique(groups, return_inverse=True)
    if n_folds < 2 or len(names) < n_folds:
        raise ValueError(
            f"n_folds: received {n_folds} for {len(names)} groups; it must be 2 or more, and each "
            "fold needs a group. Give fewer folds or more data."
        )
    if np.issubdtype(label.dtype, np.floating):
        return _by_number(index, label, n_folds, seed)
    return _by_class(index, label, n_folds, seed)


def _by_number(index: np.ndarray, label: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    order = np.argsort(np.bincount(index, weights=label) / np.bincount(index), kind="stable")
    fold = np.empty(len(order), int)
    for start in range(0, len(order), n_folds):
        run = order[start : start + n_folds]
        fold[run] = rng.permutation(n_folds)[: len(run)]
    return fold[index]


def _by_class(index: np.ndarray, label: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold

    kind = np.unique(label, return_inverse=True)[1]
    # A class with fewer cases than folds is told of, or refused when all are; it is no reason
    # to stop here, since whole groups can never be dealt evenly.
    enough = kind if np.bincount(kind).max() >= n_folds else np.zeros_like(kind)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    fold = np.empty(len(index), int)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        for number, (_, test) in enumerate(folds.split(index, enough, index)):
            fold[test] = number
    return _without_empty(fold, index, n_folds)


def _without_empty(fold: np.ndarray, index: np.ndarray, n_folds: int) -> np.ndarray:
    """Move one group of the fold with most groups into each empty fold."""
    group_fold = np.zeros(index.max() + 1, int)
    group_fold[index] = fold
    for number in range(n_folds):
        if not (group_fold == number).any():
            fullest = np.bincount(group_fold, minlength=n_folds).argmax()
            group_fold[np.flatnonzero(group_fold == fullest)[-1]] = number
    return group_fold[index]


def nested_folds(
    groups: Sequence[str], label: Sequence, n_outer: int = 5, n_inner: int = 4, seed: int = 0
) -> Iterator[Fold]:
    """Give the outer folds one by one, each with inner folds of its training part.

    Parameters
    ----------
    groups, label : as in :func:`k_folds`
    n_outer, n_inner : int, >= 2
    seed : int
        Inner folds have seeds of their own, drawn from this one and the fold's number.

    Yields
    ------
    Fold

    Raises
    ------
    ValueError
        As :func:`k_folds` does.

    Examples
    --------
    >>> folds = list(nested_folds(list("aabbccddeeff"), np.arange(12.0), 3, 2))
    >>> [len(f.test) for f in folds], [len(val) for _, val in folds[0].inner]
    ([4, 4, 4], [4, 4])
    """
    check_lengths(groups, label)
    groups, label = np.asarray(groups), np.asarray(label)
    outer = k_folds(groups, label, n_outer, seed)
    for number in range(n_outer):
        train, test = np.flatnonzero(outer != number), np.flatnonzero(outer == number)
        inner_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        inner = k_folds(groups[train], label[train], n_inner, inner_seed)
        pairs = tuple((train[inner != i], train[inner == i]) for i in range(n_inner))
        yield Fold(number, train, test, pairs)
