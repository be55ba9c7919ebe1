"""Score shipped models on real sets that they did not learn from, by the commands' own functions.

What is found stands beside the model, in ``external.csv``, a row a set: the page on external
validation is made of it. ``fetal-lib book external`` writes it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_lib.data.layouts import fetal_biometry
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_text
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.predict.model_folder import PRETRAINED

NAME = "external.csv"
COLUMNS = (
    "data",
    "what",
    "n",
    "groups",
    "declined",
    "metric",
    "value",
    "low",
    "high",
    "coverage",
    "coverage_low",
    "coverage_high",
    "promised",
)
Cases = pd.DataFrame
"""Columns ``group, true, pred, low, high``, or ``group, score``; NaN where the model declined."""


def heads_with_callipers(folder: Path) -> Cases:
    """Measure the heads of the calliper set by the shipped model of head circumference.

    Without the recogniser of planes, which has learnt from this set.
    """
    from fetal_lib.predict.head_circumference import write_predictions
    from fetal_lib.predict.head_model import load_head_model
    from fetal_lib.predict.pixel_sizes import PixelSizes

    table = fetal_biometry.read_cases(folder)
    heads = table[table["structure"] == "head"].drop_duplicates("image").set_index("image")
    sizes = PixelSizes(by_name=heads["pixel_size_mm"].to_dict())
    model = load_head_model(PRETRAINED / "head_circumference")
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.csv"
        write_predictions([Path(one) for one in heads["image_path"]], model, sizes, out)
        found = pd.read_csv(out).set_index("image").loc[heads.index]
    names = {"pred": "hc_mm", "low": "hc_low_mm", "high": "hc_high_mm"}
    measured = found["status"] == "measured"
    columns = {new: found[old].where(measured) for new, old in names.items()}
    return pd.DataFrame({"group": heads["subject"], "true": heads["hc_mm"]} | columns)


def overlaps_with_callipers(folder: Path) -> Cases:
    """Score what the head finder finds of the calliper set's heads: Dice with their ellipses."""
    from fetal_book.chapters.head_circumference.external import read_heads
    from fetal_lib.metrics.segmentation import dice
    from fetal_lib.predict.brain_view import find_head, load_head_finder

    finder = load_head_finder()
    table, arrays = read_heads(folder, finder.shape)
    probs = finder.probs(arrays.images)
    found = [find_head(one, tuple(size)) for one, size in zip(probs, arrays.sizes_hw, strict=True)]
    scores = [dice(mask >= 128, one >= 0.5) for mask, one in zip(arrays.masks, probs, strict=True)]
    kept = pd.Series(scores).where([one is not None for one in found])
    return pd.DataFrame({"group": table["examination"].to_numpy(), "score": kept})


def ages_of_the_impaired(folder: Path) -> Cases:
    """Tell the ages of people with a dementia rating by the shipped model of brain age."""
    from fetal_lib.predict.age_model import load_age_model
    from fetal_lib.predict.brain_age import list_scans, write_ages

    people = pd.read_csv(folder / "participants.tsv", sep="\t").set_index("participant_id")
    scans = list_scans([folder])
    owner = [next(part for part in path.parts if part in people.index) for path in scans]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.csv"
        write_ages(scans, load_age_model(PRETRAINED / "brain_age"), out)
        found = pd.read_csv(out)
    names = {"pred": "brain_age_years", "low": "low_years", "high": "high_years"}
    told = found["status"] == "predicted"
    columns = {new: found[old].where(told) for new, old in names.items()}
    true = people.loc[owner, "age"].to_numpy(float)
    return pd.DataFrame({"group": owner, "true": true} | columns)


def templates_of_an_atlas(folder: Path) -> Cases:
    """Tell the ages of an atlas' templates by the shipped model; they share fetuses: one group."""
    from fetal_lib.data.layouts.fetal_atlas import week_of
    from fetal_lib.predict.gestational_age import write_ages
    from fetal_lib.predict.gestational_age_cases import list_cases
    from fetal_lib.predict.gestational_age_model import load_ga_model

    weeks = {path: week_of(path, folder) for path in sorted(folder.glob("*.nii*"))}
    scans = [path for path in weeks if "_mask" not in path.name]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.csv"
        write_ages(list_cases(scans), load_ga_model(PRETRAINED / "gestational_age"), out)
        found = pd.read_csv(out)
    true = [7.0 * weeks[path] for path in scans]
    told = found["status"] == "predicted"
    names = {"pred": "ga_days", "low": "low_days", "high": "high_days"}
    columns = {new: found[old].where(told) for new, old in names.items()}
    return pd.DataFrame({"group": folder.name, "true": true} | columns)


SCORERS: dict[tuple[str, str], tuple[Callable[[Path], Cases], str, str, float | None]] = {
    ("head_finder", "fetal_biometry_fp"): (
        overlaps_with_callipers,
        "heads of two hospitals of one city: overlap with the ellipse of two callipers",
        "dice",
        None,
    ),
    ("head_circumference", "fetal_biometry_fp"): (
        heads_with_callipers,
        "heads of two hospitals of one city, by callipers",
        "adf_mm",
        0.9,
    ),
    ("gestational_age", "crl_atlas"): (
        templates_of_an_atlas,
        "templates of normal fetal brains, averages that share fetuses",
        "mae_days",
        0.9,
    ),
    ("brain_age", "oasis1_impaired"): (
        ages_of_the_impaired,
        "people of the same study with a dementia rating of 0.5 to 2: their age, not their health",
        "mae_years",
        0.9,
    ),
}
"""By model and data set: what measures, of whom, the metric of the error or score, the promise.

Without an interval there is no promise."""


def row_of(
    cases: Cases, data: str, what: str, metric: str, promised: float | None
) -> dict[str, object]:
    """Return one row of ``external.csv``: errors and coverage are of the cases not declined."""
    kept = cases.dropna(subset=["score" if "score" in cases else "pred"])
    if len(kept) < 2:
        raise UserError(f"{data}: {len(kept)} of {len(cases)} cases were answered; two are needed")
    groups = kept["group"].to_numpy()
    if "score" in kept:
        measured = {"value": kept["score"].to_numpy()}
    else:
        inside = kept["true"].between(kept["low"], kept["high"]).to_numpy()
        error = (kept["pred"] - kept["true"]).abs().to_numpy()
        measured = {"value": error, "coverage": inside}
    row = {"data": data, "what": what, "n": len(cases), "groups": cases["group"].nunique()}
    row |= {"declined": len(cases) - len(kept), "metric": metric, "promised": promised}
    for name, values in measured.items():
        low, high = bootstrap_ci(values, groups=groups)
        before = "" if name == "value" else "coverage_"
        row |= {name: float(np.mean(values)), f"{before}low": low, f"{before}high": high}
    return row


def score_shipped(model: str, data_root: Path, pretrained: Path = PRETRAINED) -> Path | None:
    """Score a shipped model on each set that is at hand, and write ``external.csv`` beside it."""
    rows = []
    for (name, data), (measure, what, metric, promised) in SCORERS.items():
        folder = data_root / data
        if name == model and folder.is_dir():
            rows.append(row_of(measure(folder), data, what, metric, promised))
    if not rows:
        return None
    text = pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False, float_format="%.6g")
    path = pretrained / model / NAME
    write_text(path, text)
    return path
