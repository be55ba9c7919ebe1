"""Score measured heads against the annotation, image by image, as HC18 does.

Both ellipses are filled at the scan's own size. DF is the signed, ADF the
absolute difference of circumference, HD the largest distance between the two
outlines; all three in mm by each scan's own pixel size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.metrics.segmentation import dice, hausdorff_points, iou, precision, recall
from fetal_lib.predict.head_measure import HeadMeasurement, measure_head

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.predict.head_model import HeadModel
    from fetal_lib.sets.head_images import HeadArrays

N_OUTLINE = 7200  # points a few hundredths of a pixel apart: the gaps add nothing to a distance
UNITS = {"hd_mm": "mm", "df_mm": "mm", "adf_mm": "mm"}


def measure_heads(
    model: HeadModel, table: pd.DataFrame, arrays: HeadArrays
) -> tuple[np.ndarray, list[HeadMeasurement]]:
    """Return probability maps and measurements of all images of a table.

    Parameters
    ----------
    model : HeadModel
    table : DataFrame
        With ``pixel_size_mm``.
    arrays : HeadArrays
        Of the same images, in the same order.

    Returns
    -------
    probs : ndarray, shape (N, H, W), float32
    measurements : list of HeadMeasurement, length N
    """
    probs = model.probs(arrays.images)
    rows = zip(probs, arrays.sizes_hw, table["pixel_size_mm"], strict=True)
    half = model.spec.relative_half_width
    return probs, [measure_head(p, tuple(s), size, half) for p, s, size in rows]


def score_ellipses(
    table: pd.DataFrame, arrays: HeadArrays, ellipses: Sequence[Ellipse | None]
) -> pd.DataFrame:
    """Score ellipses against the annotated ones.

    Parameters
    ----------
    table : DataFrame
        ``image, examination, pixel_size_mm, hc_mm``.
    arrays : HeadArrays
    ellipses : sequence of Ellipse or None
        In pixels of the scan; None where a method found nothing, which scores
        overlap 0 and leaves distances NaN.

    Returns
    -------
    DataFrame
        One row an image: ``image, examination, hc_mm, hc_pred_mm, dice, iou,
        precision, recall, hd_mm, df_mm, adf_mm``.
    """
    import pandas as pd

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


def summarise(
    scores: pd.DataFrame, model: str, data: str, split: str, seed: int = 0
) -> list[dict[str, object]]:
    """Return result rows: mean of each column with a bootstrap interval over examinations.

    Parameters
    ----------
    scores : DataFrame
        From :func:`score_ellipses`; columns that are absent or all NaN are left out.
    model, data, split : str
        Labels of the rows.
    seed : int

    Returns
    -------
    list of dict
        ``model, data, split, metric, value, unit, n, ci95``; the interval is None for one
        examination.
    """
    rows = []
    for metric in ("dice", "iou", "precision", "recall", "hd_mm", "df_mm", "adf_mm"):
        if metric not in scores:
            continue
        kept = scores[["examination", metric]].dropna()
        if kept.empty:
            continue
        values, groups = kept[metric].to_numpy(), kept["examination"].to_numpy()
        interval = bootstrap_ci(values, groups=groups, seed=seed)
        ci95 = interval if np.isfinite(interval).all() else None
        unit = UNITS.get(metric, "")
        label = {"model": model, "data": data, "split": split, "metric": metric}
        value = float(values.mean())
        rows.append(label | {"value": value, "unit": unit, "n": len(values), "ci95": ci95})
    return rows


def size_scores(table: pd.DataFrame, hc_pred_mm: np.ndarray) -> pd.DataFrame:
    """Score predictions of the circumference alone: ``df_mm`` and ``adf_mm``.

    Parameters
    ----------
    table : DataFrame
        ``image, examination, hc_mm``.
    hc_pred_mm : ndarray, shape (N,)

    Returns
    -------
    DataFrame
    """
    scores = table[["image", "examination", "hc_mm"]].copy()
    scores["hc_pred_mm"] = hc_pred_mm
    scores["df_mm"] = scores["hc_pred_mm"] - scores["hc_mm"]
    scores["adf_mm"] = scores["df_mm"].abs()
    return scores
