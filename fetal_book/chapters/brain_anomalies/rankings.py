"""What rankings are worth: those of source 001's log, and those by test sets that differ."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from fetal_lib.metrics.intervals import wilson_interval

LOG = (("CNN", 0.829, 193), ("separable CNN", 0.808, 193), ("Xception", 0.950, 180))
"""Model, test accuracy and number of test images in the source's own console log."""
NEAR_ZERO = 1e-12


def log_table() -> pd.DataFrame:
    """Return the accuracies of the source's console log with Wilson intervals."""
    rows = []
    for name, share, n in LOG:
        low, high = wilson_interval(share * n, n)
        rows.append({"model": name, "accuracy (log)": share, "n": n, "low": low, "high": high})
    return pd.DataFrame(rows)


def log_difference() -> tuple[int, int, float]:
    """Return by how many of how many images the log's first two models differ, and the least p. An
    exact sign test finds the most in it where one model missed all that the other missed.
    """
    (_, first, n), (_, second, _) = LOG[:2]
    images = abs(round(first * n) - round(second * n))
    return images, n, min(1.0, 2 * 0.5**images)


def ranking_table(labels: np.ndarray, predicted: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return how often the less accurate of two models wins, for each pair of predictions (N,)."""
    rows = []
    for pair in combinations(predicted, 2):
        share = {name: float((predicted[name] == labels).mean()) for name in pair}
        better, worse = sorted(pair, key=share.get, reverse=True)
        row = {"better": better, "worse": worse, "difference": share[better] - share[worse]}
        rows.append(row | ranking_flips(labels, predicted[better], predicted[worse]))
    return pd.DataFrame(rows)


def ranking_flips(
    labels: np.ndarray, better: np.ndarray, worse: np.ndarray, sizes: tuple[int, int] = (193, 180),
    n_draws: int = 4000, seed: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Return how often the worse of two models wins, on one test set and on two different ones. The
    sets are drawn with replacement; draws with equal accuracy count half.
    """
    rng = np.random.default_rng(seed)
    hit = [(np.asarray(pred) == labels).astype(float) for pred in (better, worse)]
    one = rng.integers(len(labels), size=(n_draws, sizes[0]))
    other = rng.integers(len(labels), size=(n_draws, sizes[1]))
    first = hit[0][one].mean(1)
    rivals = {"same test set": hit[1][one].mean(1), "different test sets": hit[1][other].mean(1)}
    shares = {}
    for word, rival in rivals.items():
        tied = np.abs(rival - first) < NEAR_ZERO
        shares[word] = float(((rival > first) & ~tied).mean() + tied.mean() / 2)
    return shares
