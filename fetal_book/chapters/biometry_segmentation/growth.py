"""From head and abdomen of one fetus to age, weight, centile, and what may be said of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fetal_lib.growth import hadlock, intergrowth_age, intergrowth_size, intergrowth_weight
from fetal_lib.growth.examination import HEAVY, LGA, SGA, size_flags
from fetal_lib.growth.intergrowth_weight import EFW_GA_WEEKS_RANGE
from fetal_lib.predict.head_measure import or_nan


def biometry_table(scores: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each subject with a measured head and abdomen, by one model's scores.

    It has HC, AC, BPD and OFD as annotated and as measured (mm; the last two are the axes of the
    head's ellipse, outer to outer), and from HC and AC the age (days), weight by INTERGROWTH-21st
    and, with the femur length (measured where the subject has a scan of it, else the table's), by
    Hadlock 1985 (g), the centiles of HC, AC and the first
    weight at the known age, and the flags. NaN outside a formula's range.
    """
    known = table.set_axis(scores.index)  # sources may share file names: they join nothing
    rows = []
    for subject, group in scores.groupby("subject", sort=False):
        by = group.set_index("structure")
        if not {"head", "abdomen"} <= set(by.index) or by["pred_mm"].isna().any():
            continue
        names = ["ga_days", "fl_mm", "bpd_mm", "ofd_mm"]
        ga_days, fl_mm, bpd, ofd = known.loc[group.index, names].astype(float).mean()
        row = {"subject": subject, "ga_days": ga_days, "bpd_true_mm": bpd, "ofd_true_mm": ofd}
        head = by.loc[["head"]]
        row |= {"bpd_measured_mm": head["bpd_mm_pred"].mean()}
        row |= {"ofd_measured_mm": head["ofd_mm_pred"].mean()}
        for kind, column in (("true", "true_mm"), ("measured", "pred_mm")):
            sizes = by[column].groupby(level=0).mean()
            femur = sizes.get("femur", fl_mm)
            row |= _derived(sizes["head"], sizes["abdomen"], femur, ga_days, kind)
        rows.append(row)
    return pd.DataFrame(rows)


def _derived(
    hc_mm: float, ac_mm: float, fl_mm: float, ga_days: float, kind: str
) -> dict[str, float | str]:
    weeks = ga_days / 7
    weight = or_nan(lambda: intergrowth_weight.efw_g(ac_mm=ac_mm, hc_mm=hc_mm))
    centile = or_nan(intergrowth_weight.efw_centile, weight, weeks)
    return {
        f"hc_{kind}_mm": hc_mm,
        f"ac_{kind}_mm": ac_mm,
        f"hc_centile_{kind}": or_nan(intergrowth_size.centile, "HC", hc_mm, weeks),
        f"ac_centile_{kind}": or_nan(intergrowth_size.centile, "AC", ac_mm, weeks),
        f"ga_{kind}_days": or_nan(intergrowth_age.ga_days_from_hc, hc_mm),
        f"efw_{kind}_g": weight,
        f"efw_hadlock_{kind}_g": or_nan(lambda: hadlock.efw_g(ac_mm, fl_mm, hc_mm=hc_mm)),
        f"centile_{kind}": centile,
        f"flags_{kind}": size_flags(weight, centile),
    }


def growth_summary(biometry: pd.DataFrame) -> pd.DataFrame:
    """Return how far measured values are from annotated ones: n, mean, SD, mean absolute."""
    named = {
        "HC (mm)": "hc_{}_mm",
        "AC (mm)": "ac_{}_mm",
        "BPD (mm)": "bpd_{}_mm",
        "OFD (mm)": "ofd_{}_mm",
        "age from HC (days)": "ga_{}_days",
        "EFW, INTERGROWTH-21st (g)": "efw_{}_g",
        "EFW, Hadlock 1985 (g)": "efw_hadlock_{}_g",
        "HC centile": "hc_centile_{}",
        "AC centile": "ac_centile_{}",
        "weight centile": "centile_{}",
    }
    rows = []
    for name, column in named.items():
        if biometry.empty:
            break
        gap = biometry[column.format("measured")] - biometry[column.format("true")]
        gap = gap.dropna().to_numpy(float)
        row = {"quantity": name, "n": len(gap)}
        if len(gap):
            row |= {"mean difference": gap.mean(), "SD": gap.std(), "MAE": np.abs(gap).mean()}
        rows.append(row)
    return pd.DataFrame(rows)


def flag_agreement(biometry: pd.DataFrame) -> pd.DataFrame:
    """Count each flag by annotation, by measurement, and by both."""
    rows = []
    for flag in (SGA, LGA, HEAVY):
        if biometry.empty:
            break
        true, found = (
            biometry[f"flags_{kind}"].str.contains(flag, regex=False)
            for kind in ("true", "measured")
        )
        counts = {"by annotation": true.sum(), "by measurement": found.sum()}
        rows.append({"flag": flag, **counts, "by both": (true & found).sum()})
    return pd.DataFrame(rows)


def weights_text(biometry: pd.DataFrame) -> str:
    """Say of how many subjects the weight is known at an age that has centiles."""
    if biometry.empty:
        return "No subject of the test part has head and abdomen measured: no weight, no flag."
    known, (first, last) = biometry["centile_true"].notna(), EFW_GA_WEEKS_RANGE
    return (
        f"Of {len(biometry)} subjects with head and abdomen, **{known.sum()}** have a weight "
        "centile by annotation; the age of the others is unknown, or outside the "
        f"{first} to {last} weeks that the weight standard covers."
    )
