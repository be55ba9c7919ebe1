"""Score predicted ages: errors with intervals, by decade, and the brain-age gap with its bias.

References
----------
Smith SM et al. Estimation of brain age delta from brain imaging. NeuroImage 2019;200:528-539.
doi:10.1016/j.neuroimage.2019.06.017
de Lange A-MG et al. Mind the gap: performance metric evaluation in brain-age prediction. Hum
Brain Mapp 2022;43:3113-3129. doi:10.1002/hbm.25837
Butler ER et al. Pitfalls in brain age analyses. Hum Brain Mapp 2021;42:4092-4101.
doi:10.1002/hbm.25533
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.metrics.regression import mae, r2


def by_decade(
    age_years: np.ndarray, pred_years: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return n, MAE with interval and mean gap of each decade of age.

    A gap that falls from the young to the old is regression to the mean, not biology.
    """
    rows = []
    decade = (np.asarray(age_years) // 10 * 10).astype(int)
    for start in np.unique(decade):
        some = decade == start
        error = (pred_years - age_years)[some]
        persons = None if groups is None else groups[some]
        low, high = bootstrap_ci(np.abs(error), groups=persons, seed=seed)
        row = {"decade": f"{start}-{start + 9}", "n": len(error), "MAE (y)": np.abs(error).mean()}
        rows.append(row | {"95 % low": low, "95 % high": high, "mean gap (y)": error.mean()})
    return pd.DataFrame(rows)


def fit_age_bias(age_years: np.ndarray, pred_years: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept of predictions on ages, ``pred = slope * age + intercept``.

    To be fitted on out-of-fold predictions of the *training* part.

    Examples
    --------
    >>> age = np.array([20.0, 40, 60])
    >>> [round(v, 6) for v in fit_age_bias(age, 0.5 * age + 20)]
    [0.5, 20.0]
    """
    slope, intercept = np.polyfit(age_years, pred_years, 1)
    return float(slope), float(intercept)


def correct_without_age(pred_years: np.ndarray, bias: tuple[float, float]) -> np.ndarray:
    """Stretch predictions by the bias of the training part; the subject's own age is not used.

    The gap no longer falls with age, and the error grows: noise is stretched too.
    """
    slope, intercept = bias
    return (np.asarray(pred_years) - intercept) / slope


def correct_with_age(
    pred_years: np.ndarray, age_years: np.ndarray, bias: tuple[float, float]
) -> np.ndarray:
    """Add back the bias expected at the subject's **true** age; no prediction, and no accuracy.

    It may be used to compare gaps of groups. An error computed from it is too small by
    construction: the worse the model, the more of the "prediction" is the true age itself.
    """
    slope, intercept = bias
    return np.asarray(pred_years) + age_years - (slope * np.asarray(age_years) + intercept)


def gap_rows(age_years: np.ndarray, variants: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return mean, SD and correlation with age of the gap of each variant of a prediction."""
    rows = []
    for name, pred in variants.items():
        gap = pred - age_years
        row = {"prediction": name, "MAE (y)": mae(age_years, pred), "R2": r2(age_years, pred)}
        row |= {"mean gap (y)": gap.mean(), "SD of gap (y)": gap.std(ddof=1)}
        row["correlation of gap and age"] = _correlation(gap, age_years)
        rows.append(row)
    return pd.DataFrame(rows)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if np.std(a) == 0 or np.std(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
