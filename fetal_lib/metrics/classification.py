"""How well classes are told apart: confusion matrix, precision, recall, F1, and accuracy.

A class counts in a mean over classes when at least one case truly is of it. A class that
is never predicted has precision 0, and F1 0. Intervals draw whole groups (patients) anew.

References
----------
Sokolova M, Lapalme G. A systematic analysis of performance measures for classification
tasks. Inf Process Manag 2009;45:427-437. doi:10.1016/j.ipm.2009.03.002
Opitz J, Burst S. Macro F1 and macro F1. 2019. arXiv:1911.03347 (mean of F1, as here,
not F1 of means).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fetal_lib.metrics.intervals import group_numbers, members_of

N_RESAMPLES = 2000


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of each class.

    Attributes
    ----------
    n : int array (K,)
        Cases that truly are of the class.
    precision, recall, f1 : float array (K,)
        Recall and F1 are NaN where ``n`` is 0.
    """

    n: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


def confusion_matrix(label_true: np.ndarray, label_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Count the cases of each true class (row) that each class (column) was predicted for.

    Parameters
    ----------
    label_true, label_pred : int array (N,), from 0 to ``n_classes`` - 1
    n_classes : int

    Returns
    -------
    int array (K, K)

    Raises
    ------
    ValueError
        When the lengths differ or a label is out of range.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    true = check_labels("label_true", label_true, n_classes)
    pred = check_labels("label_pred", label_pred, n_classes)
    if len(true) != len(pred):
        raise ValueError(
            f"label_pred: received {len(pred)} for {len(true)} true labels; give one per case."
        )
    return np.bincount(true * n_classes + pred, minlength=n_classes**2).reshape(
        n_classes, n_classes
    )


def check_labels(name: str, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return class numbers as an int array (N,).

    Raises
    ------
    ValueError
        When one is not a whole number from 0 to ``n_classes`` - 1.
    """
    array = np.asarray(labels)
    whole = np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.bool_)
    if array.ndim != 1 or not len(array) or not whole:
        raise ValueError(
            f"{name}: received {array.dtype} of shape {array.shape}; it must be (N,), N >= 1, "
            "whole numbers. Turn class names into their place in the list of classes."
        )
    array = array.astype(int)
    if array.min() < 0 or array.max() >= n_classes:
        raise ValueError(
            f"{name}: received {array.min()} to {array.max()}; classes are 0 to {n_classes - 1}."
        )
    return array


def class_scores(confusion: np.ndarray) -> ClassScores:
    """Compute precision, recall and F1 of each class from a confusion matrix.

    Parameters
    ----------
    confusion : array (..., K, K)
        Rows are true classes; leading axes hold several matrices.

    Examples
    --------
    >>> class_scores(np.array([[1, 1], [0, 2]])).f1.round(3).tolist()
    [0.667, 0.8]
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    n, found = confusion.sum(-1), confusion.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(found > 0, hits / found, 0.0)
        recall = np.where(n > 0, hits / n, np.nan)
        f1 = np.where(n > 0, 2 * hits / (n + found), np.nan)
    return ClassScores(n, precision, recall, f1)


def macro_f1(confusion: np.ndarray) -> np.ndarray | float:
    """Compute the mean F1 of the classes that have cases.

    Parameters
    ----------
    confusion : array (..., K, K)

    Returns
    -------
    float, or array of the leading axes

    Examples
    --------
    >>> round(macro_f1(np.array([[1, 1], [0, 2]])), 3)
    0.733
    """
    return _plain(_class_mean(class_scores(confusion).f1))


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray | float:
    """Compute the mean recall of the classes that have cases."""
    return _plain(_class_mean(class_scores(confusion).recall))


def macro_precision(confusion: np.ndarray) -> np.ndarray | float:
    """Compute the mean precision of the classes that have cases."""
    scores = class_scores(confusion)
    return _plain(_class_mean(np.where(scores.n > 0, scores.precision, np.nan)))


def accuracy(confusion: np.ndarray) -> np.ndarray | float:
    """Compute the share of cases that were classified right."""
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return _plain(hits / confusion.sum((-2, -1)))


def _class_mean(values: np.ndarray) -> np.ndarray:
    counted = np.isfinite(values)
    total = np.where(counted, values, 0.0).sum(-1)
    return total / np.maximum(counted.sum(-1), 1)


def _plain(value: np.ndarray) -> np.ndarray | float:
    return float(value) if np.ndim(value) == 0 else value


def bootstrap_confusions(
    label_true: np.ndarray,
    label_pred: np.ndarray,
    n_classes: int,
    groups: np.ndarray | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """Draw groups anew with replacement, within each class, and count the confusions of each draw.

    A group belongs to the class of its first case. Drawing within classes keeps rare ones
    in every draw; otherwise a mean over classes would be one over other classes each time.

    Parameters
    ----------
    label_true, label_pred : int array (N,)
    n_classes : int
    groups : array (N,) or None
        The patient of each case; None takes each case for itself.
    n_resamples : int
    seed : int

    Returns
    -------
    int array (R, K, K)

    Examples
    --------
    >>> draws = bootstrap_confusions([0, 0, 1, 1], [0, 0, 1, 0], 2, n_resamples=5)
    >>> draws.shape, draws.sum((1, 2)).tolist()
    ((5, 2, 2), [4, 4, 4, 4, 4])
    """
    true = check_labels("label_true", label_true, n_classes)
    pred = check_labels("label_pred", label_pred, n_classes)
    index = group_numbers(groups, len(true))
    first = np.unique(index, return_index=True)[1]
    cells = np.zeros((len(first), n_classes**2), int)
    np.add.at(cells, (index, true * n_classes + pred), 1)
    rng = np.random.default_rng(seed)
    total = np.zeros((n_resamples, n_classes**2), int)
    for kind in np.unique(true[first]):
        members = cells[true[first] == kind]
        share = np.full(len(members), 1 / len(members))
        total += rng.multinomial(len(members), share, n_resamples) @ members
    return total.reshape(n_resamples, n_classes, n_classes)


def redrawn_rows(
    kinds: np.ndarray, groups: np.ndarray | None = None, n_resamples: int = 200, seed: int = 0
) -> Iterator[np.ndarray]:
    """Yield the rows of each draw of groups with replacement, within each kind.

    Parameters
    ----------
    kinds : array (N,)
        Class of each case; a group is of the kind of its first case.
    groups : array (N,) or None
    n_resamples : int
    seed : int

    Yields
    ------
    int array
        Rows of the cases of the groups drawn.
    """
    kinds = np.asarray(kinds)
    index = group_numbers(groups, len(kinds))
    first = np.unique(index, return_index=True)[1]
    members = members_of(index)
    of_kind = [np.flatnonzero(kinds[first] == kind) for kind in np.unique(kinds[first])]
    rng = np.random.default_rng(seed)
    for _ in range(n_resamples):
        drawn = np.concatenate([rng.choice(ids, len(ids)) for ids in of_kind])
        yield np.concatenate([members[i] for i in drawn])
