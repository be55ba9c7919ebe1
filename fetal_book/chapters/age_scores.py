"""Score told ages, of fetuses in days and of adults in years, with intervals over persons."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.metrics.regression import ccc, mae, r2, rmse

METRICS = {"mae": mae, "rmse": rmse, "r2": r2, "ccc": ccc}
N_RESAMPLES = 1000


def age_interval(
    true: np.ndarray,
    pred: np.ndarray,
    metric: Callable[..., float],
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of a metric over groups; None where there is one group."""
    found = bootstrap_ci(
        np.column_stack([true, pred]).astype(float),
        lambda pair: metric(pair[:, 0], pair[:, 1]),
        groups,
        n_resamples=N_RESAMPLES,
        seed=seed,
    )
    return found if np.isfinite(found).all() else None


def age_rows(
    true: np.ndarray,
    pred: np.ndarray,
    unit: str,
    model: str,
    split: str = "test",
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> list[dict]:
    """Return result rows of MAE, RMSE, R² and CCC; the R² of one age is no number, and left out.

    Ages (N,) are in ``days`` or ``years``, a row a scan; `groups` says whose scan each is, and
    without it each is of another person.

    Examples
    --------
    >>> rows = age_rows(np.array([20.0, 40, 60]), np.array([22.0, 40, 58]), "years", "some")
    >>> rows[0]["metric"], round(rows[0]["value"], 3), rows[0]["n"]
    ('mae_years', 1.333, 3)
    """
    true, pred = np.asarray(true, float), np.asarray(pred, float)
    rows = []
    for name, metric in METRICS.items():
        value = metric(true, pred)
        if np.isfinite(value):
            row = {"model": model, "split": split, "value": value, "n": len(true)}
            row["metric"] = f"{name}_{unit}" if name in ("mae", "rmse") else name
            rows.append(row | {"ci95": age_interval(true, pred, metric, groups, seed)})
    return rows
