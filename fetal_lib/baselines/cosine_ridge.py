"""Kernel ridge regression that keeps weights only: random cosines in place of training cases.

The features of a case are projected on principal components, and these on random cosines, whose
products approach a Gaussian kernel (here the mean of two, of different widths). Ridge regression
on the cosines is then kernel ridge without a single training case in the model. What it predicts
is pulled to the middle; a smooth curve of out-of-fold predictions against age undoes that as far
as the ages of the training set allow.

References
----------
Rahimi A, Recht B. Random features for large-scale kernel machines. NeurIPS 2007;20:1177-1184.
Franke K et al. Estimating the age of healthy subjects from T1-weighted MRI scans using kernel
methods. NeuroImage 2010;50:883-892. doi:10.1016/j.neuroimage.2010.01.005
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.baselines.age_regression import NestedPrediction, nested_kernel_ridge

if TYPE_CHECKING:
    from fetal_lib.data.splits.folds import Fold

N_COMPONENTS, N_COSINES = 60, 3000
WIDTHS = (2.0, 4.0)
"""Widths of the two kernels, as multiples of the median squared distance of two cases."""
ALPHAS = (0.03, 0.06, 0.1, 0.2, 0.4)
CURVE_YEARS = 6.0
"""SD of the Gaussian that smooths the curve."""
MARGIN_YEARS = 10.0


@dataclass(frozen=True)
class CosineBasis:
    """Take features of a case to random cosines.

    Attributes
    ----------
    mean : float (F,), of the training cases' features.
    components : float (K, F), principal components.
    directions, phases : float (K, D) and (D,), of the cosines.
    """

    mean: np.ndarray
    components: np.ndarray
    directions: np.ndarray
    phases: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the cosines (N, D) of features (N, F); the squares of a row sum to about 1."""
        scores = (features - self.mean) @ self.components.T.astype(float)
        size = np.sqrt(2 / len(self.phases))
        return size * np.cos(scores @ self.directions + self.phases)


@dataclass(frozen=True)
class CosineRidge:
    """Predict ages from features.

    Attributes
    ----------
    basis : CosineBasis
    weights : float (D,), years.
    intercept : float, years.
    curve : float (2, G), predictions as they come and the ages that they stand for.
    """

    basis: CosineBasis
    weights: np.ndarray
    intercept: float
    curve: np.ndarray

    def raw(self, features: np.ndarray) -> np.ndarray:
        """Return what is predicted before the curve, (N,) in years, of features (N, F)."""
        return self.basis(features) @ self.weights + self.intercept

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return ages (N,) in years of features (N, F)."""
        return np.interp(self.raw(features), *self.curve)


def fit_basis(features: np.ndarray, seed: int = 0) -> CosineBasis:
    """Find principal components of features (N, F) and draw the cosines; no age is asked."""
    mean = features.mean(axis=0)
    _, _, axes = np.linalg.svd(features - mean, full_matrices=False)
    components = axes[: min(N_COMPONENTS, len(features) - 1)]
    scores = (features - mean) @ components.T
    gram = scores @ scores.T
    squared = gram.diagonal()[:, None] + gram.diagonal()[None] - 2 * gram
    median = np.median(squared[np.triu_indices(len(gram), 1)])
    rng = np.random.default_rng(seed)
    widths = np.repeat(WIDTHS, -(-N_COSINES // len(WIDTHS)))[:N_COSINES]
    directions = rng.standard_normal((len(components), N_COSINES)) * np.sqrt(2 / (widths * median))
    return CosineBasis(mean, components, directions, rng.uniform(0, 2 * np.pi, N_COSINES))


def fit_cosine_ridge(
    features: np.ndarray, age_years: np.ndarray, alpha: float, curve: np.ndarray, seed: int = 0
) -> CosineRidge:
    """Fit to features (N, F) and ages (N,) with a penalty and a curve that folds chose."""
    basis = fit_basis(features, seed)
    cosines = basis(features)
    intercept = float(age_years.mean())
    dual = np.linalg.solve(
        cosines @ cosines.T + alpha * np.eye(len(cosines)), age_years - intercept
    )
    return CosineRidge(basis, cosines.T @ dual, intercept, curve)


def age_curve(pred_years: np.ndarray, age_years: np.ndarray) -> np.ndarray:
    """Return the mean age of those with about the same out-of-fold prediction, as a curve.

    Parameters
    ----------
    pred_years, age_years : float (N,)

    Returns
    -------
    float (2, G) : predictions a year apart, and the age for each, which never falls. Predictions
        beyond the ends have the age of the end.

    Examples
    --------
    >>> age = np.linspace(20, 90, 200)
    >>> x, y = age_curve(0.5 * age + 27, age)
    >>> bool(abs(np.interp(0.5 * 60 + 27, x, y) - 60) < 2)
    True
    """
    low, high = age_years.min() - MARGIN_YEARS, age_years.max() + MARGIN_YEARS
    grid = np.arange(np.floor(low), np.ceil(high) + 1)
    near = np.exp(-0.5 * ((grid[:, None] - np.clip(pred_years, low, high)) / CURVE_YEARS) ** 2)
    return np.stack([grid, np.maximum.accumulate(near @ age_years / near.sum(axis=1))])


def nested_cosine_ridge(
    features: np.ndarray, age_years: np.ndarray, folds: Sequence[Fold], seed: int = 0
) -> NestedPrediction:
    """Predict each case by nested cross-validation, as `fit_cosine_ridge` would.

    Components and cosines are those of the outer training part; penalty and curve come from the
    inner folds. `chosen` has ``alpha`` and ``curve`` of each fold.

    Parameters
    ----------
    features : float (N, F)
    age_years : float (N,)
    folds : outer folds with their inner ones.
    """
    outer = np.full(len(age_years), np.nan)
    inner, chosen = [], []
    for fold in folds:
        cosines = fit_basis(features[fold.train], seed)(features)
        plain = nested_kernel_ridge([cosines @ cosines.T], ALPHAS, age_years, [fold])
        guess = plain.inner[0]
        known = np.isfinite(guess)
        curve = age_curve(guess[known], age_years[known])
        outer[fold.test] = np.interp(plain.outer[fold.test], *curve)
        inner.append(np.where(known, np.interp(guess, *curve), np.nan))
        chosen.append({"alpha": plain.chosen[0]["alpha"], "curve": curve})
    return NestedPrediction(outer, tuple(inner), tuple(chosen))
