"""Tables of chapter 01: its data, results, reference runs, fewer planes, other backbones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters import tables
from fetal_book.chapters.gestational_age.baselines import what_is_known
from fetal_book.chapters.gestational_age.data import PlaneSet
from fetal_book.chapters.gestational_age.fit import FoldFit, fit_fold
from fetal_book.chapters.gestational_age.scores import calibration_line, per_fetus
from fetal_book.chapters.tables import plain
from fetal_book.parameters.gestational_age import GestationalAgeParameters
from fetal_book.runs.data_sets import data_folder
from fetal_book.runs.folder import data_name
from fetal_book.runs.published import PublishedRun, score_text
from fetal_book.runs.session import Run
from fetal_lib.data.kinds import PHANTOM
from fetal_lib.data.layouts.fetal_mri import read_cases
from fetal_lib.data.splits.folds import Fold
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval
from fetal_lib.models.vgg16_attention import SIDES

ALL_LAYERS = 1000  # more than any backbone has: random layers are never frozen
METRICS = ("mae_days", "rmse_days", "r2", "ccc")
KINDS = {"volume": "scan", "slices": "picture"}


def data_sets(parameters: GestationalAgeParameters) -> pd.DataFrame:
    """Return what each data set of a run is, as pages must name it: ``data, part, kind``.

    Part is ``own``, or ``external`` for a set that is scored only. Kind is ``phantom``, ``blend``
    (individuals made of an atlas' templates), ``template``, ``scan`` or ``picture``; several are
    joined by ``and``.
    """
    p = parameters
    own = PHANTOM
    if p.data != PHANTOM:
        own = _kind(data_folder(p.data, lambda _: None, {}))
    rows = [(data_name(p.data), "own", "blend" if own == "template" else own)]
    if p.external_data:
        rows.append((data_name(p.external_data), "external", _kind(p.external_data)))
    return pd.DataFrame(rows, columns=["data", "part", "kind"])


def _kind(folder: str | Path) -> str:
    kinds = read_cases(folder)["kind"].unique()
    return " and ".join(sorted({KINDS.get(kind, kind) for kind in kinds}))


def outside_text(runs: Sequence[PublishedRun]) -> str:
    """Return, in Markdown, how far reference runs carry over to sets that they never learnt from.

    Examples
    --------
    >>> outside_text([])
    'No reference run is kept yet.'
    """
    lines = []
    for run in runs:
        errors = [r for r in run.rows if r["metric"] == "mae_days"]
        outside = [r for r in errors if r["split"] == "external"]
        for mean in (r for r in outside if r["model"] == "mean"):
            same = [r for r in outside if r["data"] == mean["data"] and r is not mean]
            for one in same:
                tested = [r for r in errors if r["split"] == "test" and r["model"] == one["model"]]
                lines += [_outside_line(run, one, mean, own) for own in tested]
    return "\n".join(lines) or "No reference run is kept yet."


def _outside_line(run: PublishedRun, one: dict, mean: dict, own: dict) -> str:
    source = "phantoms" if own["data"] == PHANTOM else f"`{own['data']}`"
    known = bool(one["ci95"] and mean["ci95"])  # templates, which share fetuses, have no interval
    if one["value"] >= mean["value"]:
        verdict = "**the network fails there**: an answer that looks at no picture is nearer"
        if known and one["ci95"][0] <= mean["ci95"][1]:
            verdict += ", though the intervals overlap"
    elif not known:
        verdict = "the network is nearer than an answer that looks at no picture"
    elif one["ci95"][1] >= mean["ci95"][0]:
        verdict = "the intervals do not tell the network from an answer that looks at no picture"
    else:
        verdict = "the network reads the age off the pictures there, too"
    return (
        f"- Run `{run.name}` learnt from {source}. On the {one['n']} cases of `{one['data']}`, "
        f"`{one['model']}` errs by **{score_text(one)} days**, and the mean age of its own "
        f"fetuses, as the answer, by {score_text(mean)}: {verdict}. On held-out {source}, it errs "
        f"by {score_text(own)}."
    )


def results_table(
    rows: Sequence[dict], parameters: GestationalAgeParameters, split: str = "test"
) -> pd.DataFrame:
    """Return the results of one split, beside what each predictor gets to know."""
    table = plain(tables.results_table(rows, METRICS, split)).drop(columns="n")
    known = table["model"].map(what_is_known(parameters)).fillna("")
    table.insert(1, "knows", known)
    return table


def calibration_text(result: pd.DataFrame, seed: int = 0) -> str:
    """Return, in Markdown, the regression of true on predicted age, with 95 % intervals."""
    pair = result[["ga_days", "pred_days"]].to_numpy(float)
    groups = result["group"].to_numpy()
    (slope, slope_ends), (offset, offset_ends) = (
        (
            calibration_line(*pair.T)[k],
            bootstrap_ci(
                pair, lambda v, k=k: calibration_line(*v.T)[k], groups, n_resamples=1000, seed=seed
            ),
        )
        for k in (0, 1)
    )
    low, high = offset_ends
    return (
        f"Regression of true on predicted age: slope **{with_interval(slope, slope_ends)}**, and "
        f"{round(offset, 2) + 0:+.2f} days ({low:+.2f} to {high:+.2f}) at the mean prediction, "
        "with 95 % intervals over fetuses. A calibrated predictor has a slope of 1 and 0 days. "
        "Both are of all ages together: errors of opposite sign at different ages cancel."
    )


def ablation(run: Run, planes: PlaneSet, fold: Fold, whole: FoldFit) -> pd.DataFrame:
    """Train one fold on fewer planes; at the published width with the other backbones, too.

    Returns the MAE of the fold's test fetuses, and by how many days the error of the same fetuses
    is ``worse (d)`` than this run's, with 95 % intervals.
    """
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
    """Return other backbones for full width and large pictures; a weight file knows only one."""
    p = parameters
    if p.width < 1 or p.weights not in ("none", "imagenet"):
        return []
    return [name for name, side in SIDES.items() if p.image_size >= side and name != p.backbone]
