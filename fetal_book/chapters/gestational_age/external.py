"""Score chapter 01's networks on another set, and say what `fetal-lib predict ga` makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.age_scores import age_rows
from fetal_book.chapters.gestational_age.data import (
    PlaneSet,
    channels,
    cut_planes,
    network_name,
    scan_names,
)
from fetal_book.chapters.gestational_age.fit import FoldFit
from fetal_book.chapters.gestational_age.scores import per_fetus
from fetal_book.parameters.gestational_age import GestationalAgeParameters
from fetal_book.runs.folder import data_name
from fetal_book.runs.session import Run
from fetal_lib.data.layouts.fetal_mri import read_cases
from fetal_lib.data.layouts.slices import slice_paths
from fetal_lib.data.plane_slices import PLANES
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.predict.gestational_age import read_age
from fetal_lib.predict.gestational_age_any import AnyContrastModel
from fetal_lib.predict.gestational_age_cases import Case
from fetal_lib.predict.gestational_age_model import GaModel, load_ga_model
from fetal_lib.training.keras_regression import predict_values

SHIPPED = {
    "any_contrast": "pred_days",
    "any_contrast_shape": "shape_days",
    "head_volume": "volume_days",
}
"""Names in the results of what the shipped model tells, and their columns."""
LEARNT_FROM = ("spina_bifida_atlas",)
"""Data sets that the shipped model learnt from: on them it is told, and not scored."""


def score_external(run: Run, brains: PlaneSet, fits: Sequence[FoldFit]) -> pd.DataFrame:
    """Score the mean of all folds' networks on a set that had no part in their training.

    Beside it stands ``mean``, which answers the mean age of the run's own fetuses. Returns
    ``subject, ga_days, pred_days, spread_days, n``, a row a fetus or template.
    """
    p = run.parameters
    planes = cut_planes(read_cases(p.external_data), p)
    images = planes.images[..., channels(p)]
    found = [predict_values(f.network, images, f.settings.centre, f.settings.scale) for f in fits]
    rows = planes.table
    table = per_fetus(rows["subject"].to_numpy(), rows["ga_days"].to_numpy(), np.mean(found, 0))
    fetus = rows.drop_duplicates("subject").set_index("subject")["group"]
    groups = pd.factorize(table["subject"].map(fetus))[0]
    mean = np.full(len(table), brains.fetuses()["ga_days"].mean())
    for name, pred in (("mean", mean), (network_name(p), table["pred_days"].to_numpy())):
        for row in age_rows(table["ga_days"], pred, "days", name, "external", groups, p.seed):
            run.add_result(data=data_name(p.external_data), **row)
    return table


def predict_external(
    parameters: GestationalAgeParameters, model: GaModel | AnyContrastModel
) -> pd.DataFrame:
    """Return what `fetal-lib predict ga` says of each scan of the other set: an age or a reason."""
    cases = read_cases(parameters.external_data)
    rows = []
    for name, one in zip(scan_names(cases), cases.itertuples(), strict=True):
        if one.kind == "slices":
            case = Case(name, pictures={plane: slice_paths(one.path, plane) for plane in PLANES})
        else:
            case = Case(name, one.path, one.mask_path or one.labels_path)
        found = read_age(case, model)
        row = {"subject": name, "group": one.group, "ga_days": one.ga_days}
        row["pred_days"] = found.ga_days
        row |= {"low_days": found.low_days, "high_days": found.high_days}
        row |= {"shape_days": found.shape_days, "volume_days": found.volume_days}
        rows.append(row | {"reason": found.reason})
    return pd.DataFrame(rows)


def score_shipped(run: Run) -> pd.DataFrame:
    """Score the shipped model of any contrast on the other set, and what it combines.

    Adds rows of ``any_contrast``, of its networks alone (``any_contrast_shape``, which do not see
    the size) and of the volume alone (``head_volume``), each on the scans that it tells an age
    of; of a set in `LEARNT_FROM` no row is added. Returns the table of `predict_external`.
    """
    p = run.parameters
    table = predict_external(p, load_ga_model(None))
    if data_name(p.external_data) in LEARNT_FROM:
        return table
    groups = pd.factorize(table["group"])[0]
    for name, column in SHIPPED.items():
        told = table[column].notna()
        if told.sum() > 1:
            days = table.loc[told, "ga_days"], table.loc[told, column].to_numpy()
            for row in age_rows(*days, "days", name, "external", groups[told], p.seed):
                run.add_result(data=data_name(p.external_data), **row)
    told = table[table["reason"] == ""]
    if len(told):
        inside = told["ga_days"].between(told["low_days"], told["high_days"]).to_numpy(float)
        ends = bootstrap_ci(inside, groups=told["group"].to_numpy(), seed=p.seed)
        row = {"model": "any_contrast", "split": "external", "metric": "coverage"}
        row |= {"value": inside.mean(), "n": len(told), "data": data_name(p.external_data)}
        run.add_result(**row, ci95=ends if np.isfinite(ends).all() else None)
    return table


def external_flow(run: Run, fetuses: pd.DataFrame, told: pd.DataFrame | None) -> pd.DataFrame:
    """Return who was in a run, and in the other set: samples and fetuses at each step, as text.

    Parameters
    ----------
    fetuses : the run's own, a row each.
    told : table of `predict_external` by the shipped model; None without another set.
    """
    p = run.parameters
    n = len(fetuses)
    rows = [(f"{run.data_name}: read, all used", n * p.n_slices, n)]
    rows.append((f"{run.data_name}: tested, each in one of {p.n_folds} folds", n * p.n_slices, n))
    if told is not None:
        declined = told[told["reason"] != ""]
        name, groups = data_name(p.external_data), told["group"].nunique()
        whose = groups if groups > 1 else ""  # the templates of an atlas are of no one fetus
        rows.append((f"{name}: read, scored only", len(told), whose))
        for reason, some in declined.groupby("reason"):
            short = reason.split(" (")[0].split(":")[0]
            rows.append((f"{name}: declined by the shipped model, {short}", len(some), ""))
        rows.append((f"{name}: told an age by it", len(told) - len(declined), ""))
    return pd.DataFrame(rows, columns=["step", "images", "fetuses"]).astype(str)


def predicted_text(predicted: pd.DataFrame, seed: int = 0) -> str:
    """Return how many scans were declined, and how far the others are off, in Markdown.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("a", 200, float("nan"), float("nan"), float("nan"), "no brain")]
    >>> names = ["subject", "ga_days", "pred_days", "low_days", "high_days", "reason"]
    >>> predicted_text(pd.DataFrame(rows, columns=names))
    '`fetal-lib predict ga` declines **1 of 1** scans.'

    Scans of one ``group``, such as the templates of an atlas, have no interval.
    """
    kept = predicted[predicted["reason"] == ""]
    n = len(predicted) - len(kept)
    text = f"`fetal-lib predict ga` declines **{n} of {len(predicted)}** scans."
    if not len(kept):
        return text
    error = (kept["pred_days"] - kept["ga_days"]).abs().to_numpy()
    groups = kept["group"].to_numpy() if "group" in kept else None
    low, high = bootstrap_ci(error, groups=groups, seed=seed)
    known = f" (95 % interval {low:.1f} to {high:.1f})" if np.isfinite([low, high]).all() else ""
    inside = int(kept["ga_days"].between(kept["low_days"], kept["high_days"]).sum())
    return (
        f"{text} It errs by {error.mean():.1f} days{known} on the "
        f"other {len(kept)}, of whose intervals {inside} hold the age."
    )
