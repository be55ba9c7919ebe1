"""Predict age from a table of numbers, with everything that is chosen chosen inside the folds.

Six regressors on tissue volumes: the three of source 004 (least squares, Bayesian ridge, a cubic
polynomial) and ridge, a Gaussian process and gradient boosting. The source's cubic has no
intercept and takes three shares that sum to one, so its 20 columns hang together; here one share
is dropped and the cubic is shrunk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from fetal_lib.data.splits.folds import Fold

ALPHAS = tuple(float(a) for a in np.logspace(-3, 3, 13))


@dataclass(frozen=True)
class NestedPrediction:
    """Hold what nested cross-validation says of each case.

    Attributes
    ----------
    outer : float (N,)
        Prediction of each case by a model that never saw it, nor chose anything on it; NaN for
        cases that are in no outer test part.
    inner : tuple of float (N,), one an outer fold
        Out-of-fold predictions within the training part of that fold, NaN elsewhere: what may
        be looked at to set weights, intervals and corrections for the fold's test part.
    chosen : tuple of dict, one an outer fold
        The settings that the inner folds chose.
    """

    outer: np.ndarray
    inner: tuple[np.ndarray, ...]
    chosen: tuple[dict, ...] = ()


def volume_regressors(seed: int = 0) -> dict[str, tuple[BaseEstimator, dict[str, Sequence]]]:
    """Return each regressor with the settings that inner folds choose from."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.linear_model import BayesianRidge, LinearRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * RBF(3.0, (0.3, 1e2)) + WhiteKernel(0.2, (1e-3, 2))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
    boosting = HistGradientBoostingRegressor(
        max_iter=100, learning_rate=0.06, min_samples_leaf=8, random_state=seed
    )
    cubic = (StandardScaler(), PolynomialFeatures(3, include_bias=False), StandardScaler())
    alphas = {"ridge__alpha": ALPHAS}
    return {
        "linear": (make_pipeline(StandardScaler(), LinearRegression()), {}),
        "bayesian_ridge": (make_pipeline(StandardScaler(), BayesianRidge()), {}),
        "poly3": (make_pipeline(*cubic, Ridge()), alphas),
        "ridge": (make_pipeline(StandardScaler(), Ridge()), alphas),
        "gaussian_process": (make_pipeline(StandardScaler(), process), {}),
        "gradient_boosting": (boosting, {"max_leaf_nodes": (4, 8)}),
    }


def nested_predict(
    estimator: BaseEstimator,
    grid: dict[str, Sequence],
    features: np.ndarray,
    age_years: np.ndarray,
    folds: Sequence[Fold],
) -> NestedPrediction:
    """Predict each case by nested cross-validation.

    Parameters
    ----------
    estimator : scikit-learn regressor
    grid : settings to choose from by the mean absolute error of the inner folds; may be empty.
    features : float (N, F)
    age_years : float (N,)
    folds : outer folds with their inner ones.

    Returns
    -------
    NestedPrediction
    """
    from sklearn.base import clone
    from sklearn.model_selection import ParameterGrid

    outer = np.full(len(age_years), np.nan)
    inner, chosen = [], []
    for fold in folds:
        tried = []
        for settings in ParameterGrid(grid):
            model = clone(estimator).set_params(**settings)
            guess = _inner_predictions(model, features, age_years, fold)
            error = np.nanmean(np.abs(guess - age_years))
            tried.append((error, len(tried), settings, guess))
        _, _, settings, guess = min(tried)
        model = clone(estimator).set_params(**settings)
        model.fit(features[fold.train], age_years[fold.train])
        outer[fold.test] = model.predict(features[fold.test])
        inner.append(guess)
        chosen.append(dict(settings))
    return NestedPrediction(outer, tuple(inner), tuple(chosen))


def _inner_predictions(
    model: BaseEstimator, features: np.ndarray, age_years: np.ndarray, fold: Fold
) -> np.ndarray:
    guess = np.full(len(age_years), np.nan)
    for train, val in fold.inner:
        guess[val] = model.fit(features[train], age_years[train]).predict(features[val])
    return guess


def nested_kernel_ridge(
    kernels: Sequence[np.ndarray],
    alphas: Sequence[float],
    age_years: np.ndarray,
    folds: Sequence[Fold],
    names: Sequence[str] = (),
) -> NestedPrediction:
    """Predict each case by kernel ridge, kernel and penalty chosen on the inner folds.

    A kernel between images takes a second to compute and then serves all folds: it holds no age,
    so cases of the test part may stand in it.

    Parameters
    ----------
    kernels : of float (N, N), each symmetric with a diagonal around 1.
    alphas : penalties.
    age_years : float (N,)
    folds : outer folds with their inner ones.
    names : of the kernels, for `chosen`.
    """
    n = len(age_years)
    names = list(names) or [str(i) for i in range(len(kernels))]
    outer = np.full(n, np.nan)
    inner, chosen = [], []
    for fold in folds:
        best: tuple[float, int, float, np.ndarray] | None = None
        for k, kernel in enumerate(kernels):
            guesses = np.full((len(alphas), n), np.nan)
            for train, val in fold.inner:
                guesses[:, val] = _kernel_path(kernel, alphas, age_years, train, val)
            errors = np.nanmean(np.abs(guesses - age_years), axis=1)
            i = int(errors.argmin())
            if best is None or errors[i] < best[0]:
                best = (float(errors[i]), k, alphas[i], guesses[i])
        _, k, alpha, guess = best
        outer[fold.test] = _kernel_path(kernels[k], [alpha], age_years, fold.train, fold.test)[0]
        inner.append(guess)
        chosen.append({"kernel": names[k], "alpha": alpha})
    return NestedPrediction(outer, tuple(inner), tuple(chosen))


def _kernel_path(
    kernel: np.ndarray,
    alphas: Sequence[float],
    age_years: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
) -> np.ndarray:
    """Return predictions (A, T) for each penalty, by one decomposition of the kernel."""
    mean = age_years[train].mean()
    values, vectors = np.linalg.eigh(kernel[np.ix_(train, train)])
    turned = vectors.T @ (age_years[train] - mean)
    cross = kernel[np.ix_(test, train)] @ vectors
    return np.stack([cross @ (turned / (np.maximum(values, 0) + a)) for a in alphas]) + mean


def combine(
    predictions: Sequence[NestedPrediction], age_years: np.ndarray, folds: Sequence[Fold]
) -> tuple[NestedPrediction, np.ndarray]:
    """Average models, each weighted by the inverse square of its inner error.

    Parameters
    ----------
    predictions : of the models.
    age_years : float (N,)
    folds : the outer folds.

    Returns
    -------
    prediction : NestedPrediction
        Inner predictions exist where all models have one.
    weights : float (folds, models), each row sums to 1.
    """
    outer = np.full(len(age_years), np.nan)
    inner, weights = [], []
    for k, fold in enumerate(folds):
        guesses = np.stack([p.inner[k] for p in predictions])  # (M, N)
        known = np.isfinite(guesses).all(axis=0)
        error = np.abs(guesses[:, known] - age_years[known]).mean(axis=1)
        weight = error**-2.0 / (error**-2.0).sum()
        outer[fold.test] = weight @ np.stack([p.outer[fold.test] for p in predictions])
        inner.append(weight @ guesses)
        weights.append(weight)
    return NestedPrediction(outer, tuple(inner)), np.array(weights)


def choose_on_inner(predictions: dict[str, NestedPrediction], age_years: np.ndarray) -> list[str]:
    """Return, for each outer fold, the model with the smallest inner error."""
    n_folds = len(next(iter(predictions.values())).inner)

    def error(name: str, k: int) -> float:
        return float(np.nanmean(np.abs(predictions[name].inner[k] - age_years)))

    return [min(predictions, key=lambda name, k=k: error(name, k)) for k in range(n_folds)]


def conformal_half_widths(
    prediction: NestedPrediction,
    age_years: np.ndarray,
    folds: Sequence[Fold],
    quantile: Callable[[np.ndarray], float],
) -> np.ndarray:
    """Return the half-width of each tested case's interval, from its fold's inner errors, (N,)."""
    half = np.full(len(age_years), np.nan)
    for k, fold in enumerate(folds):
        error = np.abs(prediction.inner[k] - age_years)
        half[fold.test] = quantile(error[np.isfinite(error)])
    return half
