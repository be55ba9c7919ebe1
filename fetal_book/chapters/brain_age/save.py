"""Turn the chapter's classical models into one that `fetal-lib predict brain-age` applies."""

from __future__ import annotations

import numpy as np

from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.models import KERNEL_ALPHAS, contrast_features
from fetal_book.chapters.brain_age.report import add_ages
from fetal_book.chapters.brain_age.tissues import Tissues
from fetal_book.chapters.model_card import model_card
from fetal_book.runs.session import Run
from fetal_lib.baselines.age_regression import (
    ALPHAS,
    NestedPrediction,
    combine,
    nested_kernel_ridge,
    nested_predict,
    volume_regressors,
)
from fetal_lib.baselines.tissue_maps import linear_kernel, smooth_maps
from fetal_lib.metrics.intervals import conformal_quantile
from fetal_lib.predict.age_model import NORM_TISSUES, AgeModel, AgeModelSpec

SIGMA = 1.5
NAME = "predict_model"


def nested_age_model(
    age_years: np.ndarray, tissues: Tissues, parts: Parts
) -> tuple[NestedPrediction, np.ndarray, float]:
    """Judge the model that is saved by nested cross-validation, as all others are.

    Returns the prediction, the kernel (N, N) between the blurred maps, and the mean weight of the
    map model.
    """
    gram = _gram(tissues)
    maps = nested_kernel_ridge([gram], KERNEL_ALPHAS, age_years, parts.folds)
    cubic, grid = volume_regressors()["poly3"]
    numbers = nested_predict(cubic, grid, contrast_features(tissues), age_years, parts.folds)
    together, weights = combine([maps, numbers], age_years, parts.folds)
    return together, gram, float(weights[:, 0].mean())


def _gram(tissues: Tissues) -> np.ndarray:
    return linear_kernel(smooth_maps(tissues.maps, SIGMA))


def save_age_model(
    run: Run, age_years: np.ndarray, tissues: Tissues, parts: Parts
) -> NestedPrediction:
    """Judge the model on the outer folds, fit it to all subjects, and write it to ``model/``.

    Its interval is the quantile of the errors on the outer folds; no subject was in the training
    part of the fold that tested them, but the model that is written has seen all.
    """
    p = run.parameters
    judged, gram, map_weight = nested_age_model(age_years, tissues, parts)
    add_ages(run, age_years, parts, NAME, judged.outer)
    kept = parts.tested
    error = np.abs(judged.outer[kept] - age_years[kept])
    half = conformal_quantile(error, p.coverage)
    model = _fit_all(run, age_years, tissues, gram, parts, map_weight, half)
    if p.save_model:
        model.save(run.folder / "model", _card(run, model.spec))
    return judged


def _fit_all(
    run: Run,
    age_years: np.ndarray,
    tissues: Tissues,
    gram: np.ndarray,
    parts: Parts,
    map_weight: float,
    half: float,
) -> AgeModel:
    weights, intercept = _map_weights(age_years, tissues, gram, parts)
    scaler, powers, coefficients, constant = _cubic(age_years, contrast_features(tissues))
    spec = AgeModelSpec(
        sigma=SIGMA,
        map_weight=map_weight,
        map_intercept=intercept,
        half_width_years=half,
        interval_coverage=run.parameters.coverage,
        age_range=(float(age_years.min()), float(age_years.max())),
        norms=_norms(age_years, tissues.volumes_ml),
        trained_on=run.data_name,
    )
    return AgeModel(spec, weights, *scaler, powers, coefficients, constant)


def _map_weights(
    age_years: np.ndarray, tissues: Tissues, gram: np.ndarray, parts: Parts
) -> tuple[np.ndarray, float]:
    """Return the weight of each place (3, X, Y, Z) and the intercept, by the dual solution."""
    fold = parts.folds[0]
    alpha = nested_kernel_ridge([gram], KERNEL_ALPHAS, age_years, [fold]).chosen[0]["alpha"]
    mean_age = float(age_years.mean())
    dual = np.linalg.solve(gram + alpha * np.eye(len(gram)), age_years - mean_age)
    from scipy import ndimage

    total = np.zeros(tissues.maps.shape[1:], np.float64)
    mean = np.zeros_like(total)
    largest = np.zeros_like(total)
    for weight, case in zip(dual, tissues.maps, strict=True):
        blurred = np.stack([ndimage.gaussian_filter(m.astype(np.float32), SIGMA) for m in case])
        total += weight * blurred
        mean += blurred / len(dual)
        largest = np.maximum(largest, blurred)
    used = largest > 0.02
    scale = _scale(tissues)
    weights = np.where(used, (total - dual.sum() * mean) / scale, 0)
    return weights.astype(np.float32), mean_age - float((weights * mean).sum())


def _scale(tissues: Tissues) -> float:
    """Return what `linear_kernel` divided the products by."""
    features = smooth_maps(tissues.maps, SIGMA)
    centred = features - features.mean(axis=0)
    return float((centred.astype(np.float64) ** 2).sum(axis=1).mean())


def _cubic(age_years: np.ndarray, numbers: np.ndarray) -> tuple:
    """Return scaler, exponents, coefficients in plain z-scores, and the intercept."""
    from sklearn.model_selection import GridSearchCV

    estimator, _ = volume_regressors()["poly3"]
    search = GridSearchCV(
        estimator, {"ridge__alpha": ALPHAS}, scoring="neg_mean_absolute_error", cv=5
    )
    order = np.random.default_rng(0).permutation(len(age_years))
    pipeline = search.fit(numbers[order], age_years[order]).best_estimator_
    first, terms, second, ridge = (step for _, step in pipeline.steps)
    coefficients = ridge.coef_ / second.scale_
    constant = float(ridge.intercept_ - (second.mean_ / second.scale_) @ ridge.coef_)
    return (first.mean_, first.scale_), terms.powers_, coefficients, constant


def _norms(age_years: np.ndarray, volumes_ml: np.ndarray) -> dict[str, tuple]:
    shares = volumes_ml / volumes_ml.sum(axis=1, keepdims=True)
    norms = {}
    for k, name in enumerate(NORM_TISSUES):
        c, b, a = np.polyfit(age_years, shares[:, k], 2)
        sd = (shares[:, k] - (a + b * age_years + c * age_years**2)).std(ddof=3)
        norms[name] = (float(a), float(b), float(c), float(sd))
    return norms


def _card(run: Run, spec: AgeModelSpec) -> str:
    low, high = spec.age_range
    return model_card(
        run,
        NAME,
        "Brain age from tissue maps and volumes",
        f"`{spec.trained_on}` (licence: see the data)",
        f"; ages {low:.0f} to {high:.0f} years. Input: a skull-stripped T1 scan, registered to MNI "
        "space.",
        [
            f"Interval: ± {spec.half_width_years:.1f} years, from the errors on the outer folds, "
            f"for {spec.interval_coverage:.0%} coverage on people like these.",
            "Predictions are pulled to the middle of the training ages: the old are predicted too "
            "young and the young too old.",
        ],
        "Not for people with disease: none was in the training set.",
        "the outer folds",
    )
