"""Tables of chapter 01: results, fewer planes and other backbones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.chapters.gestational_age.baselines import what_is_known
from fetal_lib.chapters.gestational_age.data import PlaneSet
from fetal_lib.chapters.gestational_age.fit import FoldFit, fit_fold
from fetal_lib.data.splits import Fold
from fetal_lib.evaluation.gestational_age import per_fetus
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.models.vgg16_attention import SIDES

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.parameters.gestational_age import GestationalAgeParameters
    from fetal_lib.runs.session import Run

ALL_LAYERS = 1000  # more than any backbone has: random layers are never frozen
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
        ``backbone, planes, fetuses, MAE (d), from, to`` of the fold's test fetuses, and by how
        many days the error of the same fetuses is ``worse (d)`` than this run's, with 95 %
        intervals.
    """
    import pandas as pd

    p = run.parameters
    own = (p.backbone, p.planes)
    tried = [(p.backbone, choice) for choice in ("axial", "coronal", "sagittal", "two", "all")]
    tried += [(name, p.planes) for name in other_backbones(p)]
    part = planes.table.iloc[fold.test]
    truth = part["subject"].to_numpy(), part["ga_days"].to_numpy()
    rows, own_error = [], np.zeros(0)
    for backbone, choice in dict.fromkeys([own, *tried]):
        other = {"backbone": backbone}
        if backbone != "vgg16":
            other |= {"width": 1.0, "batch_norm": False, "n_pools": 5}
        if p.weights == "none":
            other["fine_tune_last"] = ALL_LAYERS
        changed = p if backbone == p.backbone else p.model_copy(update=other)
        same = (backbone, choice) == own
        one = whole if same else fit_fold(run, planes, fold, choice, changed)
        table = per_fetus(*truth, one.pred_days)
        error = np.abs(table["pred_days"] - table["ga_days"]).to_numpy()
        own_error = error if same else own_error
        row = {"backbone": backbone, "planes": choice, "fetuses": len(table)}
        for name, values, ends in (
            ("MAE (d)", error, ("from", "to")),
            ("worse (d)", error - own_error, ("worse from", "worse to")),
        ):
            interval = bootstrap_ci(values, seed=p.seed)
            row |= {name: values.mean()} | dict(zip(ends, interval, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def other_backbones(parameters: GestationalAgeParameters) -> list[str]:
    """Return the backbones that a run can be compared with: at full width, on large pictures.

    A weight file is of one backbone; with one, there is no other to compare with.
    """
    p = parameters
    if p.width < 1 or p.weights not in ("none", "imagenet"):
        return []
    return [name for name, side in SIDES.items() if p.image_size >= side and name != p.backbone]
