"""Score class probabilities against the truth: one table for all models, one for the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from fetal_lib.metrics import classification as cls
from fetal_lib.metrics import intervals
from fetal_lib.metrics.calibration import ece
from fetal_lib.metrics.roc import average_precision, macro_auc, micro_auc, roc_band

N_RESAMPLES = 200
"""Draws for the areas, which are computed draw by draw."""


def summarise(
    labels: np.ndarray,
    probs: np.ndarray,
    groups: np.ndarray,
    model: str,
    split: str = "test",
    seed: int = 0,
) -> list[dict[str, object]]:
    """Return result rows: accuracy, macro-F1 and so on, with intervals over groups. Precision and
    recall are means over classes; what has no value is left out.
    """
    found = _from_confusions(labels, probs, groups, seed) | _areas(labels, probs, groups, seed)
    rows = []
    for metric, (value, ci95) in found.items():
        if not np.isfinite(value):
            continue
        row = {"model": model, "split": split, "metric": metric, "value": float(value)}
        rows.append(row | {"n": len(labels), "ci95": ci95 if np.isfinite(ci95).all() else None})
    return rows


def confusions(
    labels: np.ndarray, pred: np.ndarray, groups: np.ndarray, n_classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the confusion matrix of predicted classes, and those of a bootstrap over groups."""
    table = cls.confusion_matrix(labels, pred, n_classes)
    return table, cls.bootstrap_confusions(labels, pred, n_classes, groups, seed=seed)


def f1_with_interval(table: np.ndarray, draws: np.ndarray) -> dict[str, float]:
    """Return macro-F1 of :func:`confusions` with its 95 % interval, as columns of a table."""
    low, high = intervals.percentile_interval(cls.macro_f1(draws))
    return {"macro_f1": cls.macro_f1(table), "low": low, "high": high}


def _from_confusions(
    labels: np.ndarray, probs: np.ndarray, groups: np.ndarray, seed: int
) -> dict[str, tuple[float, tuple[float, float]]]:
    table, draws = confusions(labels, probs.argmax(1), groups, probs.shape[1], seed)
    scores = {
        "accuracy": cls.accuracy,
        "macro_f1": cls.macro_f1,
        "precision": cls.macro_precision,
        "recall": cls.balanced_accuracy,
    }
    return {name: (f(table), intervals.percentile_interval(f(draws))) for name, f in scores.items()}


def _areas(
    labels: np.ndarray, probs: np.ndarray, groups: np.ndarray, seed: int
) -> dict[str, tuple[float, tuple[float, float]]]:
    right = probs.argmax(1) == labels
    measures = {
        "auc_macro": lambda i: macro_auc(labels[i], probs[i]),
        "auc_micro": lambda i: micro_auc(labels[i], probs[i]),
        "ece": lambda i: ece(probs[i].max(1), right[i]),
    }
    draws = list(cls.redrawn_rows(labels, groups, N_RESAMPLES, seed))
    everyone = np.arange(len(labels))
    return {
        name: (f(everyone), intervals.percentile_interval([f(rows) for rows in draws]))
        for name, f in measures.items()
    }


def class_table(
    labels: np.ndarray, probs: np.ndarray, groups: np.ndarray, names: Sequence[str], seed: int = 0
) -> pd.DataFrame:
    """Return a row a class: n, patients, precision, recall, F1 with interval, AUC with interval."""
    table, draws = confusions(labels, probs.argmax(1), groups, probs.shape[1], seed)
    scores, drawn = cls.class_scores(table), cls.class_scores(draws).f1
    rows = []
    for k in np.flatnonzero(scores.n):
        low, high = intervals.percentile_interval(drawn[:, k])
        row = {"class": names[k], "n": int(scores.n[k])}
        row["patients"] = len(set(np.asarray(groups)[labels == k]))
        row |= {"precision": scores.precision[k], "recall": scores.recall[k], "f1": scores.f1[k]}
        row |= {"f1_low": low, "f1_high": high}
        if 0 < scores.n[k] < len(labels):
            band = roc_band(labels == k, probs[:, k], groups, N_RESAMPLES, seed)
            row |= {"auc": band.auc, "auc_low": band.auc_ci95[0], "auc_high": band.auc_ci95[1]}
        row["average_precision"] = average_precision(labels == k, probs[:, k])
        rows.append(row)
    return pd.DataFrame(rows)


def compare_models(
    labels: np.ndarray,
    probs: Mapping[str, np.ndarray],
    groups: np.ndarray,
    seed: int = 0,
) -> pd.DataFrame:
    """Return differences of macro-F1 between models on the same cases, a minus b, by paired draws.
    *a is better* is the share of draws in which it is; equal ones count half.
    """
    drawn, whole = {}, {}
    for name, p in probs.items():
        pair = confusions(labels, p.argmax(1), groups, p.shape[1], seed)
        whole[name], drawn[name] = (cls.macro_f1(one) for one in pair)
    rows = []
    for a, b in combinations(probs, 2):
        difference = drawn[a] - drawn[b]
        low, high = intervals.percentile_interval(difference)
        row = {"a": a, "b": b, "difference": whole[a] - whole[b], "low": low, "high": high}
        better = (difference > 0).mean() + (difference == 0).mean() / 2
        rows.append(row | {"a is better": float(better)})
    return pd.DataFrame(rows)
