"""How Dice and circumference bear what happens to scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.evaluation.structures import circumference_mm
from fetal_lib.metrics.segmentation import dice
from fetal_lib.training.augment import similarity_matrix

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.chapters.biometry_segmentation.data import CaseArrays
    from fetal_lib.predict.segmenter import Segmenter

Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
ASPECT = 800 / 540


def _gain(factor: float) -> Change:
    return lambda image, mask, rng: (_clip(image * factor), mask)


def _speckle(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator):
    """Multiply by Rayleigh noise of mean 1."""
    return _clip(image * rng.rayleigh(np.sqrt(2 / np.pi), image.shape)), mask


def _shadow(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator):
    """Darken a wedge from the probe down, a sixth of the width, to a tenth."""
    height, width = image.shape
    centre = rng.uniform(0.3, 0.7) * width
    spread = width * (0.06 + 0.06 * np.arange(height) / height)
    inside = np.abs(np.arange(width) - centre) < spread[:, None]
    return _clip(np.where(inside, 0.1 * image, image)), mask


def _blur(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator):
    import cv2

    return cv2.GaussianBlur(image, (0, 0), len(image) / 60), mask


def _missing_edge(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator):
    """Replace a quarter of the structure's edge by the grey around it."""
    import cv2

    width = max(2, len(image) // 16)
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inside = (mask >= 128).astype(np.uint8)
    edge = cv2.dilate(inside, kernel) > cv2.erode(inside, kernel)
    y, x = np.indices(mask.shape)
    angle = np.arctan2(y - len(mask) / 2, x - len(mask) / 2) - rng.uniform(-np.pi, np.pi)
    gone = edge & (np.cos(angle) > np.cos(np.pi / 4))
    smooth = cv2.GaussianBlur(image, (0, 0), 2 * width)
    return np.where(gone, smooth, image), mask


def _warp(angle_deg: float, scale: float) -> Change:
    def change(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator):
        import cv2

        matrix = similarity_matrix(image.shape, ASPECT, angle_deg, scale, np.zeros(2))
        return tuple(cv2.warpAffine(a, matrix, image.shape[::-1]) for a in (image, mask))

    return change


CHANGES: dict[str, Change] = {
    "none": lambda image, mask, rng: (image, mask),
    "gain x 0.5": _gain(0.5),
    "gain x 1.6": _gain(1.6),
    "speckle": _speckle,
    "shadow": _shadow,
    "blur": _blur,
    "missing edge": _missing_edge,
    "rotated by 30 degrees": _warp(30, 1.0),
    "size x 0.7": _warp(0, 0.7),
}


def _clip(image: np.ndarray) -> np.ndarray:
    return np.clip(image, 0, 255).astype(np.uint8)


def robustness_table(
    segmenters: dict[str, Segmenter], arrays: CaseArrays, table: pd.DataFrame, n: int, seed: int
) -> pd.DataFrame:
    """Score networks on changed test images.

    Parameters
    ----------
    segmenters : dict of str to Segmenter
    arrays, table
        The test part.
    n : int
        Images that are changed, evenly spaced over the part.
    seed : int

    Returns
    -------
    DataFrame
        ``model, change, dice`` (at the network's size, against the mask that was changed with the
        image) and ``circumference (%)``, the median absolute error of the circumference.
    """
    import pandas as pd

    pick = np.unique(np.linspace(0, len(table) - 1, n).astype(int))
    rows = []
    for change_name, change in CHANGES.items():
        rng = np.random.default_rng([seed, 77])
        pairs = [change(arrays.images[i], arrays.masks[i], rng) for i in pick]
        images, masks = (np.stack(part) for part in zip(*pairs, strict=True))
        for name, segmenter in segmenters.items():
            probs = segmenter.probs(images)
            overlap = [dice(m >= 128, q >= 0.5) for m, q in zip(masks, probs, strict=True)]
            errors = _length_errors(masks, probs, arrays.sizes_hw[pick])
            row = {"model": name, "change": change_name, "dice": float(np.mean(overlap))}
            rows.append(row | {"circumference (%)": 100 * float(np.nanmedian(errors))})
    return pd.DataFrame(rows)


def _length_errors(masks: np.ndarray, probs: np.ndarray, sizes_hw: np.ndarray) -> np.ndarray:
    """Return absolute errors of the circumference as shares; 1 where none was found."""
    errors = []
    for mask, found, size in zip(masks, probs, sizes_hw, strict=True):
        true = circumference_mm(mask / 255, tuple(size), 1.0)
        guess = circumference_mm(found, tuple(size), 1.0)
        errors.append(abs(guess / true - 1) if np.isfinite(guess) else 1.0)
    return np.array(errors)
