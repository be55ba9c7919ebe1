"""Occlusion: hide a patch, measure again, and see by how much the answer moves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np


def occlusion_map(
    image: np.ndarray,
    measure: Callable[[np.ndarray], np.ndarray],
    patch: int = 16,
    stride: int = 8,
) -> np.ndarray:
    """Return how much hiding each place changes a measurement.

    Parameters
    ----------
    image : ndarray, shape (H, W), uint8
    measure : callable
        (N, H, W) uint8 to (N,) float: the number to be explained. NaN counts as 0.
    patch : int
        Side of the hidden square in pixels; it is filled with the image's mean.
    stride : int
        Step between squares in pixels; the last square of a row or column lies at the border.

    Returns
    -------
    ndarray, shape (H, W), float64
        Mean absolute change over the squares that cover a pixel, in the unit of
        the measurement. A map that is zero everywhere is returned as it is.
    """
    height, width = image.shape
    reference = np.nan_to_num(measure(image[None]))[0]
    corners = list(product(_starts(height, patch, stride), _starts(width, patch, stride)))
    hidden = np.repeat(image[None], len(corners), axis=0)
    for i, (y, x) in enumerate(corners):
        hidden[i, y : y + patch, x : x + patch] = round(float(image.mean()))
    change = np.abs(np.nan_to_num(measure(hidden)) - reference)
    total, count = np.zeros(image.shape), np.zeros(image.shape)
    for (y, x), value in zip(corners, change, strict=True):
        total[y : y + patch, x : x + patch] += value
        count[y : y + patch, x : x + patch] += 1
    return total / np.maximum(count, 1)


def _starts(side: int, patch: int, stride: int) -> list[int]:
    last = max(0, side - patch)
    return [*range(0, last, stride), last]


def share_on(saliency: np.ndarray, region: np.ndarray) -> float:
    """Return the share of a map's mass that lies on a region, NaN for an empty map.

    Examples
    --------
    >>> share_on(np.array([[1.0, 3.0]]), np.array([[False, True]]))
    0.75
    """
    total = saliency.sum()
    return float(saliency[region].sum() / total) if total > 0 else float("nan")


def map_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation of two maps, NaN when one is constant."""
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a.ravel(), b.ravel()).statistic)


def band(mask: np.ndarray, width: int) -> np.ndarray:
    """Return the pixels within ``width`` of a mask's edge, on either side.

    Parameters
    ----------
    mask : ndarray, shape (H, W), bool
    width : int
        In pixels.
    """
    import cv2

    size = 2 * width + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    whole = mask.astype(np.uint8)
    return (cv2.dilate(whole, kernel) - cv2.erode(whole, kernel)).astype(bool)
