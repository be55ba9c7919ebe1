"""Baselines, scores and the re-enacted leak of chapter 01."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.baselines.brain_volume import fit_size_regression
from fetal_lib.chapters.gestational_age.data import PlaneSet, age_group, channels, cut_planes
from fetal_lib.chapters.gestational_age.fit import FoldFit, fit_fold, fit_part
from fetal_lib.data.splits import Fold, k_folds
from fetal_lib.evaluation.gestational_age import age_rows, per_fetus
from fetal_lib.metrics.regression import mae, r2
from fetal_lib.models.vgg16_attention import SIDES
from fetal_lib.runs.folder import data_name
from fetal_lib.sets.fetal_mri import read_cases
from fetal_lib.training.keras_regression import predict_values

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.parameters.gestational_age import GestationalAgeParameters
    from fetal_lib.runs.session import Run

PUBLISHED = (
    ("Shen 2022, a sample a fetus", 6.7),
    ("Hasan, images of a patient split", 3.8),
    ("Hong 2021, rows of stacks split", 0.9),
)
DIGITS = {"r2": 3, "ccc": 3, "coverage": 3, "params": 0}
PLAIN_NAMES = {
    "mae_days": "MAE (days)",
    "rmse_days": "RMSE (days)",
    "r2": "R²",
    "ccc": "CCC",
    "coverage": "coverage of the interval",
}


def baseline_answers(planes: PlaneSet, folds: Sequence[Fold]) -> pd.DataFrame:
    """Return a row a fetus with the answers of the baselines, each by the folds' training part.

    ``mean`` is the training mean, ``brain_volume`` a cubic in the brain's volume (with fluid),
    ``brain_area`` one in the share of the pictures that the brain covers. A column is missing
    where nothing says how large the brains are.
    """
    table = planes.fetuses().set_index("subject")
    days = table["ga_days"]
    for fold in folds:
        train = planes.table["subject"].iloc[fold.train].unique()
        test = planes.table["subject"].iloc[fold.test].unique()
        table.loc[test, "fold"] = fold.number
        table.loc[test, "mean"] = days[train].mean()
        for name, size, power in (
            ("brain_volume", table["brain_ml"], 1 / 3),
            ("brain_area", table["area"], 1 / 2),
        ):
            if (size > 0).all():
                model = fit_size_regression(size[train], days[train], power)
                table.loc[test, name] = model.predict(size[test])
    return table.reset_index()


def results_table(rows: Sequence[dict], split: str = "test") -> pd.DataFrame:
    """Return result rows of one split: a row a metric, a column a model, text with intervals."""
    import pandas as pd

    table: dict[str, dict[str, str]] = {}
    for row in (row for row in rows if row["split"] == split and row["metric"] in PLAIN_NAMES):
        digits = DIGITS.get(row["metric"], 2)
        text = f"{row['value']:.{digits}f}"
        if row["ci95"] is not None:
            text += " ({:.{d}f} to {:.{d}f})".format(*row["ci95"], d=digits)
        table.setdefault(row["model"], {})[PLAIN_NAMES[row["metric"]]] = text
    return pd.DataFrame(table).fillna("").rename_axis("metric").reset_index()


def ranking(rows: Sequence[dict], metric: str = "mae_days") -> pd.DataFrame:
    """Return ``model, value, low, high`` of one metric on the test part, the best first."""
    import pandas as pd

    kept = [r for r in rows if r["metric"] == metric and r["split"] == "test"]
    table = pd.DataFrame(
        [(r["model"], r["value"], *r["ci95"]) for r in kept],
        columns=["model", "value", "low", "high"],
    )
    return table.sort_values("value", ignore_index=True)


@dataclass(frozen=True)
class Leak:
    """Hold the source's protocol on the same data.

    Attributes
    ----------
    fits : of its folds over samples; the held-out samples also stopped the training.
    ga_days, pred_days : float (M,), of the held-out samples.
    honest_days : float (M,), answers for the same samples by folds over fetuses.
    shared : share of the held-out samples whose fetus was trained on.
    """

    fits: list[FoldFit]
    ga_days: np.ndarray
    pred_days: np.ndarray
    honest_days: np.ndarray
    shared: float


def reenact_leak(run: Run, planes: PlaneSet, honest: pd.DataFrame) -> Leak:
    """Train by source 000's protocol: folds over samples, stopped by the held-out fold itself.

    Parameters
    ----------
    run : Run
    planes : PlaneSet
    honest : DataFrame
        From :func:`fetal_lib.chapters.gestational_age.fit.answers`.
    """
    p, table = run.parameters, planes.table
    every_row = np.arange(len(table)).astype(str)  # each sample its own group
    label = age_group(table["ga_days"])
    fold = k_folds(every_row, label, p.n_folds, p.seed)
    fits, shared = [], []
    for number in range(min(p.leak_folds, p.n_folds)):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        fits.append(fit_part(run, planes, train, test, test, 100 + number))
        known = set(table["subject"].iloc[train])
        shared += [subject in known for subject in table["subject"].iloc[test]]
    rows = np.concatenate([one.test for one in fits])
    found = np.concatenate([one.pred_days for one in fits])
    days = table["ga_days"].to_numpy(float)[rows]
    return Leak(fits, days, found, honest["pred_days"].loc[rows].to_numpy(), float(np.mean(shared)))


def leak_table(leak: Leak) -> pd.DataFrame:
    """Return MAE and R² of the same samples by both protocols, and the inflation."""
    import pandas as pd

    rows = []
    for name, pred in (
        ("folds over slices, stopped by the test fold", leak.pred_days),
        ("folds over fetuses, stopped within the training part", leak.honest_days),
    ):
        rows.append(
            {
                "protocol": name,
                "samples": len(pred),
                "MAE (d)": mae(leak.ga_days, pred),
                "R²": r2(leak.ga_days, pred),
            }
        )
    frame = pd.DataFrame(rows)
    frame["share of the honest MAE"] = frame["MAE (d)"] / frame["MAE (d)"].iloc[1]
    return frame


def ablation(run: Run, planes: PlaneSet, fold: Fold, whole: FoldFit) -> pd.DataFrame:
    """Train one fold on fewer planes, and with the other backbones that its pictures allow.

    Returns
    -------
    DataFrame
        ``backbone, planes, fetuses, MAE (d)`` of the fold's test fetuses.
    """
    import pandas as pd

    p = run.parameters
    own = (p.backbone, p.planes)
    tried = [(p.backbone, choice) for choice in ("axial", "coronal", "sagittal", "two", "all")]
    tried += [(name, p.planes) for name, side in SIDES.items() if p.image_size >= side]
    rows = []
    for backbone, choice in dict.fromkeys([*tried, own]):
        other = {"backbone": backbone}
        if backbone != "vgg16":
            other |= {"width": 1.0, "batch_norm": False, "n_pools": 5}
        changed = p if backbone == p.backbone else p.model_copy(update=other)
        same = (backbone, choice) == own
        one = whole if same else fit_fold(run, planes, fold, choice, changed)
        part = planes.table.iloc[one.test]
        table = per_fetus(part["subject"].to_numpy(), part["ga_days"].to_numpy(), one.pred_days)
        error = mae(table["ga_days"], table["pred_days"])
        row = {"backbone": backbone, "planes": choice, "fetuses": len(table), "MAE (d)": error}
        rows.append(row)
    return pd.DataFrame(rows)


def score_external(
    run: Run, parameters: GestationalAgeParameters, fits: Sequence[FoldFit]
) -> pd.DataFrame:
    """Score the mean of all folds' networks on a set that had no part in their training.

    Returns
    -------
    DataFrame
        ``subject, ga_days, pred_days, spread_days, n``, a row a fetus or template.
    """
    p = parameters
    planes = cut_planes(read_cases(p.external_data), p)
    images = planes.images[..., channels(p)]
    found = [predict_values(f.network, images, f.settings.centre, f.settings.scale) for f in fits]
    rows = planes.table
    table = per_fetus(rows["subject"].to_numpy(), rows["ga_days"].to_numpy(), np.mean(found, 0))
    pair = table["ga_days"].to_numpy(), table["pred_days"].to_numpy()
    for row in age_rows(*pair, "vgg16_attention", "external", seed=p.seed):
        run.add_result(data=data_name(p.external_data), **row)
    return table
