"""Tables of chapter 01: results, fewer planes and other backbones, fetuses of another set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.chapters.gestational_age.baselines import what_is_known
from fetal_lib.chapters.gestational_age.data import PlaneSet, channels, cut_planes
from fetal_lib.chapters.gestational_age.fit import FoldFit, fit_fold
from fetal_lib.data.splits import Fold
from fetal_lib.evaluation.gestational_age import age_rows, per_fetus
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.models.vgg16_attention import SIDES
from fetal_lib.runs.folder import data_name
from fetal_lib.sets.fetal_mri import read_cases
from fetal_lib.training.keras_regression import predict_values

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.parameters.gestational_age import GestationalAgeParameters
    from fetal_lib.runs.session import Run

DIGITS = {"r2": 3, "ccc": 3}
PLAIN_NAMES = {
    "mae_days": "MAE (days)",
    "rmse_days": "RMSE (days)",
    "r2": "R²",
    "ccc": "CCC",
}


def results_table(
    rows: Sequence[dict], parameters: GestationalAgeParameters, split: str = "test"
) -> pd.DataFrame:
    """Return result rows of one split: a row a model, a column a metric, text with intervals."""
    import pandas as pd

    known, table = what_is_known(parameters), {}
    for row in (row for row in rows if row["split"] == split and row["metric"] in PLAIN_NAMES):
        digits = DIGITS.get(row["metric"], 1)
        text = f"{row['value']:.{digits}f}"
        if row["ci95"] is not None:
            text += " ({:.{d}f} to {:.{d}f})".format(*row["ci95"], d=digits)
        first = {"model": row["model"], "knows": known.get(row["model"], "")}
        table.setdefault(row["model"], first)[PLAIN_NAMES[row["metric"]]] = text
    return pd.DataFrame(table.values()).fillna("")


def ranking(rows: Sequence[dict], metric: str = "mae_days") -> pd.DataFrame:
    """Return ``model, value, low, high`` of one metric on the test part, the best first."""
    import pandas as pd

    kept = [r for r in rows if r["metric"] == metric and r["split"] == "test"]
    table = pd.DataFrame(
        [(r["model"], r["value"], *r["ci95"]) for r in kept],
        columns=["model", "value", "low", "high"],
    )
    return table.sort_values("value", ignore_index=True)


def ablation(run: Run, planes: PlaneSet, fold: Fold, whole: FoldFit) -> pd.DataFrame:
    """Train one fold on fewer planes; at the published width with the other backbones, too.

    Returns
    -------
    DataFrame
        ``backbone, planes, fetuses, MAE (d), from, to`` of the fold's test fetuses; the last two
        are a 95 % interval.
    """
    import pandas as pd

    p = run.parameters
    own = (p.backbone, p.planes)
    tried = [(p.backbone, choice) for choice in ("axial", "coronal", "sagittal", "two", "all")]
    others = SIDES if p.width == 1 else {}
    tried += [(name, p.planes) for name, side in others.items() if p.image_size >= side]
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
        error = np.abs(table["pred_days"] - table["ga_days"]).to_numpy()
        low, high = bootstrap_ci(error, seed=p.seed)
        row = {"backbone": backbone, "planes": choice, "fetuses": len(table)}
        rows.append(row | {"MAE (d)": error.mean(), "from": low, "to": high})
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
