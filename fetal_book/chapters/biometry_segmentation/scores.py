"""Score masks of heads, abdomens and femurs: overlap, distances, sizes in mm; and compare models.

Masks are compared at the scan's own size. Sizes are those of the ellipse fitted to the
half-probability contour and carried back to the scan as a whole; a femur's, of its band.

mAP is defined here for one object an image: the share of images whose IoU reaches a threshold,
averaged over the thresholds 0.50, 0.55 ... 0.95. There is one detection an image, so average
precision at a threshold is that share.

References
----------
Lin T-Y et al. Microsoft COCO: common objects in context. ECCV 2014.
doi:10.1007/978-3-319-10602-1_48 (the thresholds)
Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from fetal_lib.geometry.biometry import SIZES, sizes_mm
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.metrics.segmentation import assd_mm, dice, hausdorff_mm, iou, precision, recall

THRESHOLDS = np.arange(0.5, 1.0, 0.05)
METRICS = ("dice", "iou", "recall", "precision", "map", "hd95_mm", "assd_mm", "df_mm", "adf_mm")
KNOWN = ("image", "subject", "structure", "source", "pixel_size_mm", "true_mm")


def score_structures(
    table: pd.DataFrame, references: Iterable[np.ndarray], probs: np.ndarray
) -> pd.DataFrame:
    """Score probability maps (N, h, w) against filled masks, uint8, of the scans' own sizes.

    Returns a row an image: ``KNOWN`` of the table, ``pred_mm`` (HC, AC or FL), every size of the
    structure as ``hc_mm_true`` and ``hc_mm_pred`` (BPD and OFD are the axes, outer to outer; a
    head whose table has none is measured on its reference mask), and the metrics. Lengths are NaN
    where nothing was found, or where the pixel size is unknown.
    """
    rows = []
    for row, reference, found in zip(table.to_dict("records"), references, probs, strict=True):
        known = {name: row[name] for name in KNOWN}
        sizes = _sizes(row, reference, found)
        pred_mm = sizes[f"{SIZES[row['structure']][0]}_pred"]
        gap_mm = pred_mm - row["true_mm"]
        lengths = {"pred_mm": pred_mm, **sizes, "df_mm": gap_mm, "adf_mm": abs(gap_mm)}
        rows.append(known | lengths | _overlap(reference, found, row["pixel_size_mm"]))
    return pd.DataFrame(rows)


def _sizes(row: dict, reference: np.ndarray, probs: np.ndarray) -> dict[str, float]:
    """Return the sizes of a case, measured and annotated; of an annotated TAD the direction."""
    structure, size_mm = row["structure"], row["pixel_size_mm"]
    tad = row["lines"][0] if structure == "abdomen" and row.get("lines") is not None else None
    found = sizes_mm(structure, probs, reference.shape, size_mm, tad)
    true = {name: row.get(name, math.nan) for name in found}
    true[SIZES[structure][0]] = row["true_mm"]
    if structure == "head" and any(map(math.isnan, true.values())):
        drawn = sizes_mm(structure, reference / 255, reference.shape, size_mm)
        true = {name: drawn[name] if math.isnan(value) else value for name, value in true.items()}
    named = {f"{name}_true": value for name, value in true.items()}
    return named | {f"{name}_pred": value for name, value in found.items()}


def _overlap(reference: np.ndarray, probs: np.ndarray, size_mm: float) -> dict[str, float]:
    import cv2

    true = reference >= 128
    found = cv2.resize(np.float32(probs), true.shape[::-1], interpolation=cv2.INTER_LINEAR) >= 0.5
    overlap = iou(true, found)
    return {
        "dice": dice(true, found),
        "iou": overlap,
        "recall": recall(true, found),
        "precision": precision(true, found),
        "map": float((overlap >= THRESHOLDS).mean()),
        **_distances(true, found, size_mm),
    }


def _distances(true: np.ndarray, found: np.ndarray, spacing_mm: float) -> dict[str, float]:
    if not np.isfinite(spacing_mm):
        return {"hd95_mm": math.nan, "assd_mm": math.nan}
    return {
        "hd95_mm": hausdorff_mm(true, found, spacing_mm, 95),
        "assd_mm": assd_mm(true, found, spacing_mm),
    }


def paired_tests(
    scores: Mapping[str, pd.DataFrame], metric: str = "dice", seed: int = 0
) -> pd.DataFrame:
    """Compare every two models over the same images in the same order.

    Returns ``first, second, difference`` (first minus second, mean over images), its 95 %
    bootstrap interval over subjects, and the p value of Wilcoxon's signed-rank test on subjects'
    means, by Holm's procedure for all pairs. NaN where no image has a value of both.
    """
    rows = []
    for first, second in combinations(scores, 2):
        a, b = scores[first], scores[second]
        if list(a["image"]) != list(b["image"]):
            raise ValueError(f"{first}, {second}: scored on different images; score both on one.")
        gap = a[metric].to_numpy(float) - b[metric].to_numpy(float)
        kept = np.isfinite(gap)
        row = {"first": first, "second": second}
        if not kept.any():
            missing = dict.fromkeys(("difference", "low", "high", "p"), math.nan)
            rows.append(row | missing)
            continue
        subjects = a["subject"].to_numpy()[kept]
        low, high = bootstrap_ci(gap[kept], groups=subjects, seed=seed)
        means = pd.Series(gap[kept]).groupby(subjects).mean().to_numpy()
        row |= {"difference": gap[kept].mean(), "low": low, "high": high}
        rows.append(row | {"p": _wilcoxon(means)})
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p"].to_numpy())) if len(table) else table


def _wilcoxon(differences: np.ndarray) -> float:
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def holm(p: np.ndarray) -> np.ndarray:
    """Return p values adjusted for all tests by Holm's procedure.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p[order]))
    return adjusted
