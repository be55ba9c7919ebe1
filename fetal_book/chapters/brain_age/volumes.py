"""Turn tissue volumes into what age models are fed, and follow the segmenter's error to the age."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.data import Parts
from fetal_lib.metrics.regression import mae


def relative_volumes(volumes_ml: np.ndarray) -> np.ndarray:
    """Return gray and white matter as shares of the three, (N, 2); the third follows.

    Examples
    --------
    >>> relative_volumes(np.array([[1.0, 2.0, 1.0]])).tolist()
    [[0.5, 0.25]]
    """
    return volumes_ml[:, 1:] / volumes_ml.sum(axis=1, keepdims=True)


def absolute_volumes(volumes_ml: np.ndarray, etiv_ml: np.ndarray) -> np.ndarray:
    """Return the person's own CSF, gray and white matter in mL, (N, 3).

    Registration gives all heads one size; the volume inside the skull, where a data set knows
    it for everybody, gives them back their own. Otherwise the volumes stay as they are.

    Examples
    --------
    >>> absolute_volumes(np.array([[500.0, 800, 700]]), np.array([1500.0])).tolist()
    [[375.0, 600.0, 525.0]]
    """
    if not np.isfinite(etiv_ml).all():
        return volumes_ml
    return volumes_ml * (etiv_ml / volumes_ml.sum(axis=1))[:, None]


def covariates(table: pd.DataFrame) -> np.ndarray:
    """Return head size (litres) and sex (1 for men), 0.5 and the mean where unknown, (N, 2)."""
    sex = table["sex"].map({"F": 0.0, "M": 1.0}).fillna(0.5).to_numpy(float)
    size = table["etiv_ml"].astype(float) / 1000
    size = size.fillna(size.mean() if size.notna().any() else 1.5).to_numpy(float)
    return np.column_stack([size, sex])


def propagate_segmentation(
    age_years: np.ndarray, parts: Parts, estimator, true_ml: np.ndarray, found_ml: dict
) -> pd.DataFrame:
    """Ask what the segmenter's error does to the age: the same regressor, other volumes.

    The regressor learns from the reference volumes (N, 3) of the training part and is then shown
    the reference volumes, or a network's (`found_ml`), of the tested subjects.
    """
    from sklearn.base import clone

    rows = []
    guesses = {name: np.full(len(age_years), np.nan) for name in ("as learnt", *found_ml)}
    for fold in parts.folds:
        model = clone(estimator).fit(relative_volumes(true_ml)[fold.train], age_years[fold.train])
        for name, volumes in {"as learnt": true_ml, **found_ml}.items():
            guesses[name][fold.test] = model.predict(relative_volumes(volumes)[fold.test])
    kept = parts.tested
    for name, guess in guesses.items():
        error = guess[kept] - age_years[kept]
        moved = guess[kept] - guesses["as learnt"][kept]
        row = {"volumes shown": name, "MAE (y)": mae(age_years[kept], guess[kept])}
        row |= {"mean error (y)": error.mean(), "mean shift (y)": moved.mean()}
        rows.append(row | {"SD of shift (y)": moved.std()})
    return pd.DataFrame(rows)
