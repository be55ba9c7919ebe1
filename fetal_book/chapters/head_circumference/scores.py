"""Score measured heads against the annotation, image by image, as HC18 does.

Both ellipses are filled at the scan's own size. DF is the signed, ADF the
absolute difference of circumference, HD the largest distance between the two
outlines; all three in mm by each scan's own pixel size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.case_scores import add_means
from fetal_book.runs.session import Run
from fetal_lib.data.layouts.heads import HeadArrays
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.metrics.segmentation import dice, hausdorff_points, iou, precision, recall
from fetal_lib.predict.head_measure import HeadMeasurement, measure_head
from fetal_lib.predict.head_model import HeadModel

N_OUTLINE = 7200  # points a few hundredths of a pixel apart: the gaps add nothing to a distance
METRICS = ("dice", "iou", "precision", "recall", "hd_mm", "df_mm", "adf_mm")


def measure_heads(
    model: HeadModel, table: pd.DataFrame, arrays: HeadArrays
) -> tuple[np.ndarray, list[HeadMeasurement]]:
    """Return probability maps (N, H, W) and measurements of all images of a table."""
    probs = model.probs(arrays.images)
    rows = zip(probs, arrays.sizes_hw, table["pixel_size_mm"], strict=True)
    half = model.spec.relative_half_width
    return probs, [measure_head(p, tuple(s), size, half) for p, s, size in rows]


def score_ellipses(
    table: pd.DataFrame, arrays: HeadArrays, ellipses: Sequence[Ellipse | None]
) -> pd.DataFrame:
    """Score ellipses (scan pixels) against annotated ones: None has overlap 0, distances NaN."""
    rows = []
    for i, ellipse in enumerate(ellipses):
        row = table.iloc[i]
        known = {name: row[name] for name in ("image", "examination", "hc_mm")}
        truth, shape = arrays.ellipses[i], tuple(arrays.sizes_hw[i])
        rows.append(known | _scores(truth, ellipse, shape, row["pixel_size_mm"], row["hc_mm"]))
    return pd.DataFrame(rows)


def _scores(
    truth: Ellipse, found: Ellipse | None, shape: tuple[int, int], size_mm: float, hc_mm: float
) -> dict[str, float]:
    if found is None:
        overlap = dict.fromkeys(("dice", "iou", "precision", "recall"), 0.0)
        lengths = dict.fromkeys(("hc_pred_mm", "hd_mm", "df_mm", "adf_mm"), math.nan)
        return overlap | lengths
    a, b = truth.mask(shape), found.mask(shape)
    hc_pred = found.perimeter * size_mm
    return {
        "hc_pred_mm": hc_pred,
        "dice": dice(a, b),
        "iou": iou(a, b),
        "precision": precision(a, b),
        "recall": recall(a, b),
        "hd_mm": outline_distance(truth, found) * size_mm,
        "df_mm": hc_pred - hc_mm,
        "adf_mm": abs(hc_pred - hc_mm),
    }


def outline_distance(truth: Ellipse, found: Ellipse) -> float:
    """Return the largest distance between two outlines, in the unit of their axes."""
    return hausdorff_points(truth.boundary(N_OUTLINE), found.boundary(N_OUTLINE))


def size_scores(table: pd.DataFrame, hc_pred_mm: np.ndarray) -> pd.DataFrame:
    """Score predictions of the circumference alone: ``df_mm`` and ``adf_mm``."""
    scores = table[["image", "examination", "hc_mm"]].copy()
    scores["hc_pred_mm"] = hc_pred_mm
    scores["df_mm"] = scores["hc_pred_mm"] - scores["hc_mm"]
    scores["adf_mm"] = scores["df_mm"].abs()
    return scores


def add_scores(
    run: Run, model: str, scores: pd.DataFrame, split: str = "test", data: str | None = None
) -> None:
    """Add the mean of each metric to the results, with its interval over examinations."""
    labels = {"model": model, "data": data or run.data_name, "split": split}
    add_means(run, scores, METRICS, "examination", **labels)
