"""Tables that all chapters show: a run's results, the best model first, and numbers on a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from fetal_book.runs.results import METRICS
from fetal_lib.metrics.intervals import with_interval

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

DIGITS = {"": 3, "mm": 2, "years": 2, "days": 1}  # of a metric's unit
TITLES = {
    "mae_days": "MAE (days)",
    "rmse_days": "RMSE (days)",
    "mae_years": "MAE (y)",
    "rmse_years": "RMSE (y)",
    "r2": "R²",
    "ccc": "CCC",
    "dice": "Dice",
    "iou": "IoU",
    "map": "mAP",
    "hd_mm": "HD (mm)",
    "hd95_mm": "HD95 (mm)",
    "assd_mm": "ASSD (mm)",
    "df_mm": "DF (mm)",
    "adf_mm": "ADF (mm)",
    "rmse_mm": "RMSE (mm)",
}
"""Metrics as a reader knows them, where that is not how results are filed."""


def results_table(
    rows: Sequence[dict],
    metrics: Sequence[str],
    split: str = "test",
    by: Sequence[str] = ("model",),
) -> pd.DataFrame:
    """Return result rows of one split as a wide table of text: values with their intervals.

    Metrics of which there is no row are left out. What tells the rows apart comes first, then
    ``n``, the most cases.
    """
    lines: dict[tuple, dict] = {}
    for row in rows:
        if row["split"] == split and row["metric"] in metrics:
            key = tuple(row[name] for name in by)
            line = lines.setdefault(key, dict(zip(by, key, strict=True)) | {"n": 0})
            line["n"] = max(line["n"], row.get("n") or 0)
            digits = DIGITS[METRICS[row["metric"]].unit]
            line[row["metric"]] = with_interval(row["value"], row["ci95"], digits)
    found = [name for name in metrics if any(name in line for line in lines.values())]
    table = pd.DataFrame(lines.values(), columns=[*by, "n", *found])
    return table.fillna("").astype(str).replace({"n": {"0": ""}})


def ranking(rows: Sequence[dict], metric: str) -> pd.DataFrame:
    """Return ``model, value, low, high`` of one metric on the test part, the best first.

    Only what has an interval can be drawn: one subject alone has none.
    """
    kept = [r for r in rows if r["metric"] == metric and r["split"] == "test" and r["ci95"]]
    table = pd.DataFrame(
        [(r["model"], r["value"], *r["ci95"]) for r in kept],
        columns=["model", "value", "low", "high"],
    )
    ascending = not METRICS[metric].higher_is_better
    return table.sort_values("value", ascending=ascending, ignore_index=True)


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns are named as a reader knows them, not as results are filed."""
    return table.rename(columns=TITLES)


def pretty(table: pd.DataFrame, digits: int = 3) -> Styler:
    """Return a table without its index and with few digits, for display; words if it is empty.

    Ends of an interval (`low` and `high`, `f1_low` and `f1_high`) that are the same are left out.
    """
    if table.empty:
        table = pd.DataFrame({"table": ["empty: nothing in this run has what it needs"]})
    for low in [name for name in map(str, table) if name.split("_")[-1] == "low"]:
        ends = [low, low.removesuffix("low") + "high"]
        table = table.assign(**table[ends].mask((table[ends[1]] - table[ends[0]]).abs() < 1e-9))
    small = {name: "{:.2g}" for name in ("p", "p_holm") if name in table}
    how = {"precision": digits, "thousands": ",", "na_rep": "–", "escape": "html"}
    return table.style.hide(axis="index").format(small, **how)
