"""From the sizes of a subject to ages, weights, centiles, ratios and flags: pictures and callipers.

Both sides go through one examination, `fetal_lib.growth.examination.examine`, with the same sizes:
what is compared is what the error of an outline becomes.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.data import MEASURES
from fetal_lib.growth import intergrowth_age
from fetal_lib.growth.examination import (
    BY_INTERGROWTH,
    HEAVY,
    LGA,
    SGA,
    VERY_SMALL,
    Examination,
    Size,
    examine,
)
from fetal_lib.growth.intergrowth_weight import EFW_GA_WEEKS_RANGE
from fetal_lib.metrics.regression import bland_altman
from fetal_lib.predict.head_measure import or_nan

KINDS = {"true": "by annotation", "pred": "by measurement"}
FROM_HEAD = "the annotated head"
FLAGS = (SGA, LGA, HEAVY, *(VERY_SMALL.format(name) for name in ("AC", "EFW")))
HEAD_SIZES = ("BPD", "OFD", "HC")


def examinations(
    scores: pd.DataFrame, table: pd.DataFrame, convention: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Examine each subject by annotation and by one model's scores.

    Parameters
    ----------
    scores, table : DataFrame
        The same images in the same order; the table has ``ga_days``, the age known from elsewhere.
    convention : str, optional
        Of the BPD, as `examine` takes it.

    Returns
    -------
    tuple of DataFrame
        A row a subject: ``ga_days``, ``age_from`` (the record, or the annotated head where none is
        known, which says nothing of the head itself), sizes as ``hc_true_mm`` and
        ``hc_measured_mm``, weight by INTERGROWTH-21st, its centile and the flags of both sides.
        A row a subject and quantity: ``group, quantity, formula, unit`` and both values.
    """
    known = table.set_axis(scores.index)  # sources may share file names: they join nothing
    subjects, lines = [], []
    for subject, group in scores.groupby("subject", sort=False):
        sizes = _sizes(group)
        ga_days = float(known.loc[group.index, "ga_days"].astype(float).mean())
        age_from = "the record" if math.isfinite(ga_days) else FROM_HEAD
        if age_from == FROM_HEAD and "HC" in sizes["true"]:
            ga_days = or_nan(intergrowth_age.ga_days_from_hc, sizes["true"]["HC"].mm)
        true, found = (examine(sizes[kind], ga_days, convention) for kind in KINDS)
        row = {"subject": subject, "ga_days": ga_days, "age_from": age_from}
        row |= {f"{m.lower()}_true_mm": size.mm for m, size in sizes["true"].items()}
        row |= {f"{m.lower()}_measured_mm": size.mm for m, size in sizes["pred"].items()}
        subjects.append(row | _weight(true, "true") | _weight(found, "measured"))
        lines += [{"subject": subject} | line for line in _pairs(true, found, age_from)]
    return pd.DataFrame(subjects), pd.DataFrame(lines)


def _sizes(group: pd.DataFrame) -> dict[str, dict[str, Size]]:
    """Return the mean sizes of a subject's images, only those that both sides have."""
    means = {f"{m}_{kind}": group.get(f"{m}_{kind}", pd.Series(dtype=float)).mean()
             for m in MEASURES for kind in KINDS}  # fmt: skip
    both = [m for m in MEASURES if all(math.isfinite(means[f"{m}_{kind}"]) for kind in KINDS)]
    return {
        kind: {m.removesuffix("_mm").upper(): Size(float(means[f"{m}_{kind}"])) for m in both}
        for kind in KINDS
    }


def _weight(found: Examination, kind: str) -> dict[str, float | str]:
    return {
        f"efw_{kind}_g": found.find("weight", "AC, HC", BY_INTERGROWTH).value,
        f"centile_{kind}": found.find("centile", "EFW").value,
        f"flags_{kind}": "; ".join(found.flags),
    }


def _pairs(true: Examination, found: Examination, age_from: str) -> list[dict[str, object]]:
    """Return what both examinations could compute; no centile of a head at its own age."""
    others = {(q.group, q.name, q.source): q.value for q in found.quantities}
    rows = []
    for q in true.quantities:
        own_age = q.group == "centile" and age_from == FROM_HEAD and q.name in HEAD_SIZES
        other = others.get((q.group, q.name, q.source), math.nan)
        if q.group != "size" and not own_age and math.isfinite(q.value) and math.isfinite(other):
            row = {"group": q.group, "quantity": q.name, "formula": q.source, "unit": q.unit}
            rows.append(row | dict(zip(KINDS.values(), (q.value, other), strict=True)))
    return rows


def agreement_table(lines: pd.DataFrame) -> pd.DataFrame:
    """Return bias, limits of agreement and MAE of each quantity, measured minus annotated."""
    rows = []
    for names, part in lines.groupby(["group", "quantity", "formula"], sort=False):
        true, found = (part[kind].to_numpy(float) for kind in KINDS.values())
        gap, unit = found - true, part["unit"].iloc[0]
        row = dict(zip(("group", "quantity", "formula"), names, strict=True))
        row |= {"unit": unit, "n": len(gap), "bias": gap.mean()}
        if len(gap) > 2:
            limits = bland_altman(true, found)
            row |= {"lower limit": limits.lower, "upper limit": limits.upper}
        row |= {"MAE": np.abs(gap).mean()}
        rows.append(row | ({"MAE (%)": 100 * np.abs(gap / true).mean()} if unit else {}))
    order = {name: k for k, name in enumerate(("age", "weight", "ratio", "centile"))}
    table = pd.DataFrame(rows)
    return table.sort_values("group", key=lambda g: g.map(order), kind="stable", ignore_index=True)


def flag_agreement(subjects: pd.DataFrame) -> pd.DataFrame:
    """Count each flag by annotation, by measurement, and by both, of subjects with a centile."""
    kept = subjects[subjects["centile_true"].notna() & subjects["centile_measured"].notna()]
    rows = []
    for flag in FLAGS if len(kept) else ():
        true, found = (
            kept[f"flags_{kind}"].str.contains(flag, regex=False) for kind in ("true", "measured")
        )
        counts = {"by annotation": true.sum(), "by measurement": found.sum()}
        row = {"flag": flag.partition(":")[0], "n": len(kept), **counts}
        rows.append(row | {"by both": (true & found).sum()})
    return pd.DataFrame(rows)


def weights_text(subjects: pd.DataFrame) -> str:
    """Say how many subjects have a weight and a centile, and which age it is at."""
    weighed, whole = subjects["efw_true_g"].notna(), subjects.get("fl_true_mm")
    if not weighed.any():
        return "No subject of the test part has head and abdomen measured: no weight, no flag."
    known, (first, last) = subjects["centile_true"].notna(), EFW_GA_WEEKS_RANGE
    ages = subjects.loc[known, "age_from"].value_counts()
    told = " and ".join(f"{n} at the age by {name}" for name, n in ages.items())
    femurs = 0 if whole is None else (weighed & whole.notna()).sum()
    return (
        f"Of {weighed.sum()} subjects with head and abdomen, {femurs} with a femur too, "
        f"**{known.sum()}** have a weight centile by annotation{f': {told}' if told else ''}. The "
        f"standard of weight covers {first} to {last} weeks. At the age by the head a centile "
        "only says how abdomen and head go together: it is here to be compared, not to judge a "
        "fetus by."
    )
