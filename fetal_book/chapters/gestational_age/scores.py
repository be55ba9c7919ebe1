"""Score predicted gestational ages: in days, a fetus a case, by trimester, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fetal_lib.growth.gestation import trimester
from fetal_lib.metrics.intervals import bootstrap_ci, conformal_quantile
from fetal_lib.metrics.regression import mae, r2


def per_fetus(subject: np.ndarray, ga_days: np.ndarray, pred_days: np.ndarray) -> pd.DataFrame:
    """Combine the answers for all slices of a fetus into one: their median, beside their SD (days).

    Examples
    --------
    >>> table = per_fetus(np.array(list("aab")), [200, 200, 150], [190.0, 194.0, 151.0])
    >>> table["pred_days"].tolist()
    [192.0, 151.0]
    """
    rows = pd.DataFrame({"subject": subject, "ga_days": ga_days, "pred_days": pred_days})
    return (
        rows.groupby("subject", sort=False)
        .agg(
            ga_days=("ga_days", "first"),
            pred_days_=("pred_days", "median"),
            spread_days=("pred_days", lambda v: float(np.std(v))),
            n=("pred_days", "size"),
        )
        .rename(columns={"pred_days_": "pred_days"})
        .reset_index()
    )


def by_trimester(result: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return n, mean error, its SD and MAE of each trimester, in days; intervals over fetuses."""
    which = np.array([trimester(day) for day in result["ga_days"]])
    rows = []
    for number, part in result.groupby(which):
        error, groups = (part["pred_days"] - part["ga_days"]).to_numpy(), part["group"].to_numpy()
        row = {"trimester": int(number), "n": len(part)}
        row |= _with_ends("mean error", error, groups, seed)
        row["SD (d)"] = error.std(ddof=1) if len(error) > 1 else np.nan
        rows.append(row | _with_ends("MAE", np.abs(error), groups, seed))
    return pd.DataFrame(rows)


def _with_ends(name: str, values: np.ndarray, groups: np.ndarray, seed: int) -> dict[str, float]:
    low, high = bootstrap_ci(values, groups=groups, seed=seed)
    return {f"{name} (d)": values.mean(), f"{name} from": low, f"{name} to": high}


def cross_conformal(error_days: np.ndarray, fold: np.ndarray, coverage: float = 0.9) -> np.ndarray:
    """Return half-widths: of each fold by the errors that the *other* folds were tested with.

    Errors are those of held-out fetuses (N,), one a fetus, with the fold in which each was held
    out. A half-width is infinite where the other folds are too small.

    References
    ----------
    Barber RF et al. Predictive inference with the jackknife+. Ann Stat 2021;49:486-507.
    doi:10.1214/20-AOS1965 (CV+, of which this is the symmetric form)

    Examples
    --------
    >>> cross_conformal(np.array([1.0, 2.0, 30.0, 40.0]), np.array([0, 0, 1, 1]), 0.6).tolist()
    [40.0, 40.0, 2.0, 2.0]
    """
    half = np.empty(len(error_days))
    for number in np.unique(fold):
        half[fold == number] = conformal_quantile(np.abs(error_days[fold != number]), coverage)
    return half


def fold_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return MAE and R² of each fold, and their mean and SD between folds."""
    rows = []
    for number, part in table.groupby("fold"):
        pair = part["ga_days"].to_numpy(), part["pred_days"].to_numpy()
        rows.append(
            {"fold": str(number + 1), "n": len(part), "MAE (d)": mae(*pair), "R²": r2(*pair)}
        )
    frame = pd.DataFrame(rows)
    for name, kind in (("mean", "mean"), ("SD between folds", "std")):
        frame.loc[len(frame)] = {
            "fold": name,
            "n": int(frame["n"].iloc[: table["fold"].nunique()].sum()),
            "MAE (d)": frame["MAE (d)"].iloc[: len(rows)].agg(kind),
            "R²": frame["R²"].iloc[: len(rows)].agg(kind),
        }
    return frame


def calibration_line(ga_days: np.ndarray, pred_days: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept (days, at the mean prediction) of true on predicted age."""
    pred = np.asarray(pred_days, float)
    slope, intercept = np.polyfit(pred - pred.mean(), np.asarray(ga_days, float), 1)
    return float(slope), float(intercept - pred.mean())
