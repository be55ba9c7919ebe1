"""Every number that the book prints: tidy rows with metric names that mean the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.errors import UserError, did_you_mean
from fetal_lib.files.atomic import read_json, six_digits

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
SPLITS = ("train", "val", "test", "external", "all", "protocol")
ROW_KEYS = ("model", "data", "split", "metric", "value", "unit", "n", "ci95", "higher_is_better")


class ResultError(UserError, ValueError):
    """A result row cannot be used; the text says which part of it and why."""


@dataclass(frozen=True)
class Metric:
    """Describe a metric: its unit, its direction (None: neither), and what it measures."""

    unit: str
    higher_is_better: bool | None
    description: str
    timing: bool = False


METRICS: dict[str, Metric] = {
    "dice": Metric("", True, "overlap of two masks, Dice coefficient"),
    "iou": Metric("", True, "overlap of two masks, intersection over union"),
    "recall": Metric("", True, "fraction of the true pixels or cases that were found"),
    "precision": Metric("", True, "fraction of the found pixels or cases that are true"),
    "map": Metric("", True, "mean average precision"),
    "hd_mm": Metric("mm", False, "Hausdorff distance of the boundaries"),
    "hd95_mm": Metric("mm", False, "95th percentile of the boundary distances"),
    "assd_mm": Metric("mm", False, "average symmetric surface distance"),
    "df_mm": Metric("mm", None, "signed difference of the sizes, bias"),
    "adf_mm": Metric("mm", False, "absolute difference of the sizes"),
    "rmse_mm": Metric("mm", False, "root mean squared error"),
    "mae_days": Metric("days", False, "mean absolute error"),
    "mae_years": Metric("years", False, "mean absolute error"),
    "rmse_days": Metric("days", False, "root mean squared error"),
    "rmse_years": Metric("years", False, "root mean squared error"),
    "r2": Metric("", True, "coefficient of determination"),
    "ccc": Metric("", True, "Lin's concordance correlation coefficient"),
    "coverage": Metric("", None, "fraction of cases inside their prediction interval"),
    "accuracy": Metric("", True, "fraction of cases or pixels classified right"),
    "macro_f1": Metric("", True, "mean of the classes' F1"),
    "auc_macro": Metric("", True, "mean of the classes' area under the ROC curve"),
    "auc_micro": Metric("", True, "area under the ROC curve of all decisions"),
    "ece": Metric("", False, "expected calibration error"),
    "params": Metric("", None, "number of weights"),
    "gmac": Metric("10⁹", False, "multiply-accumulates of one image"),
    "train_s": Metric("s", False, "time to train", timing=True),
    "images_per_s": Metric("1/s", True, "images processed in a second", timing=True),
}


def result_row(
    *,
    model: str,
    data: str,
    split: str,
    metric: str,
    value: float,
    unit: str | None = None,
    n: int | None = None,
    ci95: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Return one valid result row, numbers rounded to six significant digits.

    >>> row = result_row(model="unet", data="phantom", split="test", metric="dice", value=0.97, n=9)
    >>> row["unit"], row["higher_is_better"], row["ci95"]
    ('', True, None)
    """
    if metric not in METRICS:
        guess = did_you_mean(metric, METRICS)
        raise ResultError(f"metric: received {metric!r}{guess} known: {', '.join(METRICS)}")
    if unit is not None and unit != METRICS[metric].unit:
        raise ResultError(
            f"unit: received {unit!r}; {metric} is in {METRICS[metric].unit!r}; "
            "convert the value, or choose the metric of that unit"
        )
    if split not in SPLITS:
        raise ResultError(f"split: received {split!r}; it must be one of {', '.join(SPLITS)}")
    if not model or not data:
        raise ResultError(f"model, data: received {model!r}, {data!r}; neither may be empty")
    return {
        "model": str(model),
        "data": str(data),
        "split": split,
        "metric": metric,
        "value": _finite(f"value of {model} {metric}", value),
        "unit": METRICS[metric].unit,
        "n": _count(n),
        "ci95": _interval(f"ci95 of {model} {metric}", ci95),
        "higher_is_better": METRICS[metric].higher_is_better,
    }


def _finite(name: str, value: Any) -> float | int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ResultError(f"{name}: received {value!r}; it must be a number") from None
    if not math.isfinite(number):
        raise ResultError(
            f"{name}: received {number}; it must be finite; leave a row out that has no value"
        )
    return six_digits(number)


def _count(n: Any) -> int | None:
    if n is None:
        return None
    if isinstance(n, bool) or int(n) != n or n < 0:
        raise ResultError(f"n: received {n!r}; it must be a count of cases, 0 or more")
    return int(n)


def _interval(name: str, ci95: Sequence[float] | None) -> list[float | int] | None:
    if ci95 is None:
        return None
    if len(ci95) != 2:
        raise ResultError(f"{name}: received {ci95!r}; it must be (low, high)")
    low, high = _finite(name, ci95[0]), _finite(name, ci95[1])
    if low > high:
        raise ResultError(f"{name}: received ({low}, {high}); low must not be above high")
    return [low, high]


def row_key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return what makes a row the only one of its kind: model, data, split, metric."""
    return row["model"], row["data"], row["split"], row["metric"]


def results_document(chapter: str, rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the content of results.json, rows sorted.

    Times differ from run to run, so they stand in a list of their own, `timings`: with the same
    seed on the same CPU, `rows` is the same to the last byte.
    """
    ordered = sorted(rows, key=row_key)
    return {
        "schema": SCHEMA,
        "chapter": chapter,
        "rows": [row for row in ordered if not METRICS[row["metric"]].timing],
        "timings": [row for row in ordered if METRICS[row["metric"]].timing],
    }


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return all rows of a run folder, timings last."""
    document = read_json(Path(folder) / "results.json")
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ResultError(
            f"{Path(folder).name}/results.json: missing or not of schema {SCHEMA}; run the chapter"
        )
    rows = []
    for row in [*document.get("rows", []), *document.get("timings", [])]:
        known = {key: row.get(key) for key in ROW_KEYS if key != "higher_is_better"}
        rows.append(result_row(**known))
    return rows


def results_table(folders: Iterable[Path]) -> pd.DataFrame:
    """Merge the results of several runs into one tidy table; `ci95` becomes two columns."""
    import pandas as pd

    rows = []
    for folder in map(Path, folders):
        chapter = (read_json(folder / "results.json") or {}).get("chapter", "")
        for row in read_results(folder):
            low, high = row.pop("ci95") or (math.nan, math.nan)
            rows.append(
                {"chapter": chapter, "run": folder.name, **row, "ci95_low": low, "ci95_high": high}
            )
    names = ["chapter", "run", *(key for key in ROW_KEYS if key != "ci95"), "ci95_low", "ci95_high"]
    return pd.DataFrame(rows, columns=names)
