"""Compute the scores of reference runs anew from their published predictions, case by case.

A run keeps a table of its cases without images; its results are means of them. Whoever reviews
the book can check the one by the other, without data, networks or chapters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.runs.published import published_folder
from fetal_book.runs.results import read_results

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 2e-5
"""Largest relative difference that six significant digits leave."""
SIX_DIGITS = 5e-6
"""Largest relative error of a case; a signed mean may be far smaller than its cases."""
Scores = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Recomputed:
    """Hold a score of a reference run and what its cases give.

    Attributes
    ----------
    printed, again : the number in ``results.json`` and the one of the table of cases.
    size : mean absolute value of the cases, each of which is written with six digits.
    """

    chapter: str
    run: str
    model: str
    metric: str
    printed: float
    again: float
    size: float = 0.0

    @property
    def same(self) -> bool:
        """Say whether both are equal but for rounding."""
        rounding = ROUNDING * max(1.0, abs(self.printed)) + SIX_DIGITS * self.size
        return abs(self.printed - self.again) <= rounding


def ages(cases: pd.DataFrame) -> Scores:
    """Score the predicted ages of chapter 01's network, in days."""
    from fetal_lib.metrics.intervals import empirical_coverage
    from fetal_lib.metrics.regression import ccc, mae, r2, rmse

    pair = cases["ga_days"].to_numpy(float), cases["pred_days"].to_numpy(float)
    found = {"mae_days": mae, "rmse_days": rmse, "r2": r2, "ccc": ccc}
    scores = {("vgg16_attention", metric): score(*pair) for metric, score in found.items()}
    inside = empirical_coverage(pair[0], cases["low_days"], cases["high_days"])
    return scores | {("vgg16_attention", "coverage"): inside}


def means(*columns: str) -> Callable[[pd.DataFrame], Scores]:
    """Return what takes the mean of columns, case by case, for each model; gaps are left out."""

    def score(cases: pd.DataFrame) -> Scores:
        known = [name for name in columns if name in cases]
        found = cases.groupby("model")[known].mean().stack()
        return {(str(model), str(metric)): float(v) for (model, metric), v in found.items()}

    return score


TABLES: dict[str, tuple[str, Callable[[Any], Scores]]] = {
    "01_gestational_age": ("predictions", ages),
    "03_biometry_segmentation": ("dice_box", means("dice")),
    "04_head_circumference": (
        "predictions",
        means("dice", "iou", "precision", "recall", "hd_mm", "df_mm", "adf_mm"),
    ),
}
"""By chapter, the table of cases and what makes scores of it."""


def recompute(chapter: str, folder: Path) -> list[Recomputed]:
    """Return the scores of a run on its test part that its table of cases gives; may be empty.

    Of a run on several structures or sources, the rows of all of them, which have most cases.
    """
    import pandas as pd

    name, score = TABLES.get(chapter, ("", None))
    path = folder / "tables" / f"{name}.csv"
    if score is None or not path.is_file():
        return []
    rows = [row for row in read_results(folder) if row["split"] == "test"]
    rows = sorted(reversed(rows), key=lambda row: row["n"] or 0)
    printed = {(row["model"], row["metric"]): row["value"] for row in rows}
    cases = pd.read_csv(path)
    again = score(cases)
    return [
        Recomputed(chapter, folder.name, *key, printed[key], value, _size(cases, *key))
        for key, value in again.items()
        if key in printed and value == value
    ]


def _size(cases: pd.DataFrame, model: str, metric: str) -> float:
    """Return the mean absolute value of a model's cases; 0 where the table has no such column."""
    known = metric in cases and "model" in cases
    return float(cases.loc[cases["model"] == model, metric].abs().mean()) if known else 0.0


def recompute_all(chapters: list[str]) -> dict[str, list[Recomputed]]:
    """Return the scores of every reference run by chapter and run; an empty list has no cases."""
    found = {}
    for chapter in chapters:
        for path in sorted(published_folder(chapter).glob("*/results.json")):
            found[f"{chapter}/{path.parent.name}"] = recompute(chapter, path.parent)
    return found
