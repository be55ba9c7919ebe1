"""How well does something that is no anatomy know the label? A small model tells.

The model sees the clue alone (a file's place in the list, its pixel size, its border strip) and
is scored on groups that it was not fitted to. Chance is measured, not assumed: the same model,
the same folds, labels dealt to other groups.

References
----------
Ojala M, Garriga GC. Permutation tests for studying classifier performance. JMLR 2010;
11:1833-1863. https://jmlr.org/papers/v11/ojala10a.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fetal_lib.data.audit.labels import as_columns, chance_orders, is_number
from fetal_lib.data.splits.folds import k_folds

N_CHANCE = 199
"""Times that labels are dealt by chance; the smallest p is 1 / 200."""
MAX_CASES = 2000
N_FOLDS = 5
MIN_GROUPS = 10
N_NEIGHBOURS = 10
LINEAR_FROM = 8  # columns; a linear model from here on, neighbours below


@dataclass(frozen=True)
class ClueScore:
    """How well a clue predicts the label.

    Attributes
    ----------
    measure : "R2" for a number, "AUC" (one against the rest, mean over classes) for classes.
    value : the score on held-out groups.
    chance : what 95 % of the chance labels stay below; at least 0 for R2, 0.5 for AUC.
    p : share of chance labels that reach the value, itself counted.
    strength, chance_strength : value and chance from 0 (nothing) to 1 (everything): R2, or
        2 AUC - 1; not below 0.
    rank_corr : Spearman's correlation of clue and label, NaN unless both are one number.
    n : cases scored.
    varies : False if the clue is the same for all cases, and so was not scored.
    """

    measure: str
    value: float
    chance: float
    p: float
    strength: float
    chance_strength: float
    rank_corr: float
    n: int
    varies: bool = True


def score_clue(
    features: np.ndarray, label: Sequence, groups: Sequence, seed: int = 0
) -> ClueScore | None:
    """Score a small model that predicts the label from a clue, on held-out groups.

    Up to 7 columns: the mean of the 10 nearest neighbours, or of the nearer half where that is
    fewer. From 8 columns: ridge regression. More than 2,000 cases are cut to 2,000 by drawing
    whole groups. Of the features, (N,) or (N, K), NaN (as infinity) counts as a value of its own;
    classes with cases of one group only are not scored. None is returned if the label has one
    value, or there are fewer than 10 groups.

    >>> label = np.repeat(["normal", "abnormal"], 40)
    >>> score = score_clue(np.arange(80), label, groups=np.arange(80))
    >>> score.measure, score.value > 0.9, score.p < 0.01
    ('AUC', True, True)
    """
    features = np.asarray(features, float).reshape(len(label), -1)
    features = np.where(np.isfinite(features), features, np.nan)
    label, groups = np.asarray(label), np.asarray(groups)
    rank_corr = _rank_corr(features, label)
    rows = _at_most(groups, MAX_CASES, seed)
    features, label, groups = features[rows], label[rows], groups[rows]
    if len(np.unique(groups)) < MIN_GROUPS or len(np.unique(label)) < 2:
        return None
    number = is_number(label)
    if not _varies(features):
        return _nothing(number, len(label))
    target = as_columns(label) if number else _shared_classes(label, groups)
    if target.shape[1] == 0:
        return None
    orders = np.vstack([np.arange(len(label)), chance_orders(groups, N_CHANCE, seed)])
    truth = target[orders].transpose(1, 0, 2)  # (N, 1 + P, C)
    fold = k_folds(groups, label.astype(float) if number else label, N_FOLDS, seed)
    guess = _held_out(_ready(features, seed), truth, fold)
    found = _r2(truth, guess) if number else _auc(truth, guess)
    return _as_score(found, number, rank_corr, len(label))


def _varies(features: np.ndarray) -> bool:
    same = (features == features[0]) | (np.isnan(features) & np.isnan(features[0]))
    return not same.all()


def _nothing(number: bool, n: int) -> ClueScore:
    plain = 0.0 if number else 0.5
    measure = "R2" if number else "AUC"
    return ClueScore(measure, plain, plain, 1.0, 0.0, 0.0, float("nan"), n, varies=False)


def _as_score(found: np.ndarray, number: bool, rank_corr: float, n: int) -> ClueScore:
    plain = 0.0 if number else 0.5
    value, chance = found[0], max(plain, np.quantile(found[1:], 0.95))
    p = float((1 + (found[1:] >= value).sum()) / len(found))
    scaled = (value, chance) if number else (2 * value - 1, 2 * chance - 1)
    strength, chance_strength = (float(np.clip(x, 0, 1)) for x in scaled)
    measure = "R2" if number else "AUC"
    return ClueScore(
        measure, float(value), float(chance), p, strength, chance_strength, rank_corr, n
    )


def _rank_corr(features: np.ndarray, label: np.ndarray) -> float:
    if features.shape[1] != 1 or not is_number(label) or np.isnan(features).any():
        return float("nan")
    if not _varies(features) or len(np.unique(label)) < 2:
        return float("nan")
    from scipy.stats import spearmanr

    return float(spearmanr(features[:, 0], label).statistic)


def _at_most(groups: np.ndarray, n_cases: int, seed: int) -> np.ndarray:
    """Return the rows of whole groups, drawn at random, that hold about ``n_cases``."""
    if len(groups) <= n_cases:
        return np.arange(len(groups))
    index = np.unique(groups, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(index.max() + 1)
    taken = np.cumsum(np.bincount(index)[order]) <= n_cases
    taken[0] = True
    return np.flatnonzero(np.isin(index, order[taken]))


def _shared_classes(label: np.ndarray, groups: np.ndarray) -> np.ndarray:
    kept = [k for k, kind in enumerate(np.unique(label)) if len(set(groups[label == kind])) > 1]
    return as_columns(label)[:, kept]


def _ready(features: np.ndarray, seed: int) -> np.ndarray:
    """Standardise, mark what is missing, drop constants, and break ties at random.

    Without the last, the neighbours of equal values would be those next in the list, and an
    image size would be scored for the order of the files.
    """
    absent = np.isnan(features)
    middle = np.nanmedian(np.where(absent.all(0), 0.0, features), axis=0)
    columns = np.hstack([np.where(absent, middle, features), absent.astype(float)])
    columns = columns[:, columns.std(0) > 0]
    columns = (columns - columns.mean(0)) / columns.std(0)
    return columns + np.random.default_rng(seed).normal(0, 1e-6, columns.shape)


def _held_out(features: np.ndarray, truth: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predict every fold from the others, for all columns of ``truth`` (N, P, C) at once."""
    predict = _by_ridge if features.shape[1] >= LINEAR_FROM else _by_neighbours
    flat = truth.reshape(len(truth), -1)
    guess = np.empty_like(flat)
    for number in np.unique(fold):
        test = fold == number
        guess[test] = predict(features[~test], flat[~test], features[test])
    return guess.reshape(truth.shape)


def _by_neighbours(known: np.ndarray, target: np.ndarray, asked: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    k = min(N_NEIGHBOURS, len(known) // 2)  # the mean of all would answer the same everywhere
    graph = NearestNeighbors(n_neighbors=k).fit(known).kneighbors_graph(asked)
    return (graph @ target) / k


def _by_ridge(known: np.ndarray, target: np.ndarray, asked: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=len(known)).fit(known, target).predict(asked)


def _r2(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    error = ((truth - guess) ** 2).sum((0, 2))
    return 1 - error / ((truth - truth.mean(0)) ** 2).sum((0, 2))


def _auc(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Return the mean over classes of the Mann-Whitney AUC of each column, shape (P,)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.round(guess, 9), axis=0)  # (N, P, C)
    n_in = truth.sum(0)
    n_out = len(truth) - n_in
    above = (ranks * truth).sum(0) - n_in * (n_in + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmean(above / (n_in * n_out), axis=1)
