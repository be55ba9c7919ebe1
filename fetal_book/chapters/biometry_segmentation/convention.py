"""What the convention of the BPD does to annotated heads: no network, no picture."""

from __future__ import annotations

import pandas as pd

from fetal_book.chapters.case_scores import interval_of
from fetal_lib.geometry.ellipse import ramanujan_perimeter
from fetal_lib.growth import hadlock
from fetal_lib.growth.bpd_convention import OUTER_OUTER_MM_RANGE, outer_inner_mm
from fetal_lib.metrics.intervals import with_interval


def convention_table(scores: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return, by source, how BPD, HC and age change when the far calliper goes to the inner edge.

    Of heads annotated outer to outer (``bpd_mm_true``, ``ofd_mm_true`` of the scores): their
    BPD / OFD with its interval over subjects, and mean changes: of the BPD (Wong 2018), of the HC
    with the same OFD, and of the age that Hadlock's formula gives for the BPD.
    """
    if "bpd_mm_true" not in scores:
        return pd.DataFrame(columns=["source"])
    low, high = OUTER_OUTER_MM_RANGE
    kept = scores[scores["bpd_mm_true"].between(low, high) & scores["ofd_mm_true"].notna()]
    rows = []
    for source, heads in kept.groupby("source", sort=False):
        bpd, ofd = heads["bpd_mm_true"].to_numpy(float), heads["ofd_mm_true"].to_numpy(float)
        inner, shape = outer_inner_mm(bpd), bpd / ofd
        hc_mm = ramanujan_perimeter(ofd / 2, inner / 2) - ramanujan_perimeter(ofd / 2, bpd / 2)
        row = {"source": source, "n": len(heads)}
        ci95 = interval_of(shape, heads["subject"].to_numpy(), seed)
        row |= {"BPD / OFD": with_interval(shape.mean(), ci95, 3)}
        row |= {"BPD (mm)": (inner - bpd).mean(), "HC (mm)": hc_mm.mean()}
        rows.append(row | {"age by BPD (days)": _days(bpd, inner)})
    return pd.DataFrame(rows)


def _days(outer, inner) -> float:
    low, high = hadlock.SIZE_MM_RANGE["BPD"]
    fits = (inner >= low) & (outer <= high)
    if not fits.any():
        return float("nan")
    weeks = hadlock.ga_weeks("BPD", inner[fits]) - hadlock.ga_weeks("BPD", outer[fits])
    return float(7 * weeks.mean())
