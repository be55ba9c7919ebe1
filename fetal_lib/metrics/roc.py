"""Curves over thresholds: ROC and precision-recall, their areas, bands, and cut-offs.

The area under the ROC curve is the Mann-Whitney statistic: the chance that a case of the
class has a higher score than one that is not, ties counting half. One against the rest
for each class; *macro* is the mean over classes that have cases on both sides, *micro*
takes all decisions (case, class) as one pile.

References
----------
Hanley JA, McNeil BJ. Radiology 1982;143:29-36. doi:10.1148/radiology.143.1.7063747
Youden WJ. Index for rating diagnostic tests. Cancer 1950;3:32-35.
doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3
Davis J, Goadrich M. The relationship between precision-recall and ROC curves. ICML 2006.
doi:10.1145/1143844.1143874 (why precision-recall points are not joined by straight lines).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_lib.metrics.classification import check_labels, redrawn_rows
from fetal_lib.metrics.intervals import percentile_interval

GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Curve:
    """A curve over thresholds, the highest first.

    Attributes
    ----------
    x, y : float array (M,)
        False positive rate and recall (ROC), or recall and precision.
    thresholds : float array (M,)
        A case counts as positive when its score is at least the threshold; infinite for
        the first point of a ROC curve.
    """

    x: np.ndarray
    y: np.ndarray
    thresholds: np.ndarray


def _checked(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive, score = np.asarray(positive, bool), np.asarray(score, float)
    if positive.shape != score.shape or positive.ndim != 1 or not len(positive):
        raise ValueError(
            f"score: received shape {score.shape} for labels {positive.shape}; both are (N,), N "
            ">= 1. Give one score per case."
        )
    if not np.isfinite(score).all():
        raise ValueError(f"score: {int((~np.isfinite(score)).sum())} not finite; drop those cases.")
    return positive, score


def _counts(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return thresholds, true and false positives at each distinct score, from the highest."""
    order = np.argsort(-score, kind="stable")
    score, positive = score[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    hits = np.cumsum(positive)[last]
    return score[last], hits, last + 1 - hits


def roc_curve(positive: np.ndarray, score: np.ndarray) -> Curve:
    """Compute recall over the false positive rate.

    Parameters
    ----------
    positive : bool array (N,)
    score : float array (N,), higher for positives.

    Returns
    -------
    Curve
        From (0, 0) to (1, 1); NaN where one side has no case.

    Examples
    --------
    >>> curve = roc_curve([True, False, True], [0.9, 0.8, 0.7])
    >>> curve.x.tolist(), curve.y.tolist()
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
    """
    positive, score = _checked(positive, score)
    thresholds, hits, alarms = _counts(positive, score)
    n_pos, n_neg = positive.sum(), (~positive).sum()
    y = np.concatenate([[0], hits]) / n_pos if n_pos else np.full(len(hits) + 1, np.nan)
    x = np.concatenate([[0], alarms]) / n_neg if n_neg else np.full(len(hits) + 1, np.nan)
    return Curve(x, y, np.concatenate([[np.inf], thresholds]))


def auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Compute the area under the ROC curve, NaN where one side has no case.

    Examples
    --------
    >>> auc([True, False, True, False], [0.9, 0.8, 0.7, 0.7])
    0.625
    """
    curve = roc_curve(positive, score)
    return float(np.trapezoid(curve.y, curve.x))


def pr_curve(positive: np.ndarray, score: np.ndarray) -> Curve:
    """Compute precision over recall, at each distinct score."""
    positive, score = _checked(positive, score)
    thresholds, hits, alarms = _counts(positive, score)
    n_pos = positive.sum()
    recall = hits / n_pos if n_pos else np.full(len(hits), np.nan)
    return Curve(recall, hits / (hits + alarms), thresholds)


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """Compute the mean precision over the steps of recall, NaN without positives.

    Examples
    --------
    >>> round(average_precision([True, False, True], [0.9, 0.8, 0.7]), 4)
    0.8333
    """
    curve = pr_curve(positive, score)
    return float((np.diff(np.concatenate([[0], curve.x])) * curve.y).sum())


def one_hot(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return which class each case is of, bool array (N, K)."""
    return check_labels("labels", labels, n_classes)[:, None] == np.arange(n_classes)


def class_aucs(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Compute the area of each class against the rest.

    Parameters
    ----------
    labels : int array (N,)
    probs : float array (N, K)

    Returns
    -------
    float array (K,), NaN for a class that has no case, or all.
    """
    probs = np.asarray(probs, float)
    positive = one_hot(labels, probs.shape[1])
    return np.array([auc(positive[:, k], probs[:, k]) for k in range(probs.shape[1])])


def macro_auc(labels: np.ndarray, probs: np.ndarray) -> float:
    """Compute the mean of the classes' areas, NaN where none has one."""
    areas = class_aucs(labels, probs)
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")


def micro_auc(labels: np.ndarray, probs: np.ndarray) -> float:
    """Compute the area over all decisions (case, class) as one pile."""
    probs = np.asarray(probs, float)
    return auc(one_hot(labels, probs.shape[1]).ravel(), probs.ravel())


@dataclass(frozen=True)
class Band:
    """A ROC curve on a grid of false positive rates, with what resampling makes of it.

    Attributes
    ----------
    x : float array (M,)
    y, low, high : float array (M,)
        Recall, and the pointwise 95 % band.
    auc : float
    auc_ci95 : (low, high)
    n : int
        Positive cases.
    """

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    auc: float
    auc_ci95: tuple[float, float]
    n: int


def roc_band(
    positive: np.ndarray,
    score: np.ndarray,
    groups: np.ndarray | None = None,
    n_resamples: int = 200,
    seed: int = 0,
) -> Band:
    """Compute a ROC curve with a band from groups drawn anew, positives and others apart.

    All is NaN where one side has no case.

    Parameters
    ----------
    positive : bool array (N,)
    score : float array (N,)
    groups : array (N,) or None
        The patient of each case; a group is positive when its first case is.
    n_resamples : int
    seed : int
    """
    positive, score = _checked(positive, score)
    whole = roc_curve(positive, score)
    curves, areas = [], []
    for rows in redrawn_rows(positive, groups, n_resamples, seed):
        curve = roc_curve(positive[rows], score[rows])
        curves.append(_on_grid(curve))
        areas.append(np.trapezoid(curve.y, curve.x))
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    area = float(np.trapezoid(whole.y, whole.x))
    return Band(
        GRID, _on_grid(whole), low, high, area, percentile_interval(areas), int(positive.sum())
    )


def _on_grid(curve: Curve) -> np.ndarray:
    """Return recall on the grid: the straight lines of the curve, the upper end of its steps."""
    if not np.isfinite([curve.x, curve.y]).all():
        return np.full(len(GRID), np.nan)
    x, last = np.unique(curve.x[::-1], return_index=True)
    return np.interp(GRID, x, curve.y[::-1][last])


def youden_threshold(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the cut-off with the largest recall minus false positive rate.

    It lies halfway between the score it keeps and the next lower one, so that it does
    not rest on one case alone; NaN where one side has no case.

    Examples
    --------
    >>> youden_threshold([True, True, False, False], [0.9, 0.7, 0.5, 0.1])
    0.6
    """
    curve = roc_curve(positive, score)
    gain = curve.y - curve.x
    if not np.isfinite(gain).all():
        return float("nan")
    return _halfway(curve.thresholds, int(gain.argmax()))


def recall_threshold(positive: np.ndarray, score: np.ndarray, recall: float) -> float:
    """Return the highest cut-off that still finds a share of the positives.

    Raises
    ------
    ValueError
        When the share is outside [0, 1].

    Examples
    --------
    >>> recall_threshold([True, True, False, False], [0.9, 0.4, 0.5, 0.1], 1.0)
    0.25
    """
    if not 0 <= recall <= 1:
        raise ValueError(f"recall: received {recall!r}; it is a fraction. Use 0.95 for 95 %.")
    curve = roc_curve(positive, score)
    if not np.isfinite(curve.y).all():
        return float("nan")
    return _halfway(curve.thresholds, int(np.flatnonzero(curve.y >= recall - 1e-12)[0]))


def _halfway(thresholds: np.ndarray, at: int) -> float:
    if at == 0:
        return float("inf")
    below = thresholds[at + 1] if at + 1 < len(thresholds) else thresholds[at]
    return float((thresholds[at] + below) / 2)
