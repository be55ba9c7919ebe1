"""How Dice and circumference bear what happens to scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.data import CaseArrays
from fetal_book.chapters.biometry_segmentation.ensembles import single_member
from fetal_book.chapters.outlines import charted_mm
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.metrics.segmentation import dice
from fetal_lib.predict.segmenter import Segmenter
from fetal_lib.training.augment import similarity_matrix

Changed = tuple[np.ndarray, np.ndarray]
Change = Callable[..., Changed]
"""From image, mask, generator and level; to both, changed."""
ASPECT = 800 / 540
"""Width over height of a scan of HC18."""
SHADOW_WIDTH = 0.12
"""Half the width of a shadow at the bottom of the image, as a share of the image."""


def change_gain(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, factor: float
) -> Changed:
    """Multiply grey values."""
    return _clip(image * factor), mask


def change_speckle(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, share: float
) -> Changed:
    """Multiply by a mixture of 1 and Rayleigh noise of mean 1."""
    noise = rng.rayleigh(np.sqrt(2 / np.pi), image.shape)
    return _clip(image * (1 - share + share * noise)), mask


def cast_shadow(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, depth: float
) -> Changed:
    """Darken a wedge from the probe down; at depth 1 it is black."""
    height, width = image.shape
    centre = rng.uniform(0.3, 0.7) * width
    spread = width * SHADOW_WIDTH * (0.5 + 0.5 * np.arange(height) / height)
    inside = np.abs(np.arange(width) - centre) < spread[:, None]
    return _clip(np.where(inside, (1 - depth) * image, image)), mask


def blur(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, sd: float) -> Changed:
    """Blur; the SD is given in per cent of the image's side."""
    import cv2

    return (cv2.GaussianBlur(image, (0, 0), sd / 100 * len(image)) if sd else image), mask


def lose_edge(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, share: float
) -> Changed:
    """Replace a share of the structure's edge, in one piece, by the grey around it."""
    import cv2

    width = max(2, len(image) // 16)
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inside = (mask >= 128).astype(np.uint8)
    edge = cv2.dilate(inside, kernel) > cv2.erode(inside, kernel)
    y, x = np.indices(mask.shape)
    rows, columns = np.nonzero(inside) if inside.any() else (y, x)
    angle = np.arctan2(y - rows.mean(), x - columns.mean()) - rng.uniform(-np.pi, np.pi)
    gone = edge & (np.abs((angle + np.pi) % (2 * np.pi) - np.pi) < share * np.pi)
    return np.where(gone, cv2.GaussianBlur(image, (0, 0), 2 * width), image), mask


def rotate(
    image: np.ndarray,
    mask: np.ndarray,
    rng: np.random.Generator,
    angle_deg: float,
    aspect: float = ASPECT,
) -> Changed:
    """Turn image and mask about the centre, in the scan's own aspect, width over height."""
    return _warped(image, mask, angle_deg, 1.0, aspect)


def resize(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, scale: float) -> Changed:
    """Magnify image and mask about the centre."""
    return _warped(image, mask, 0.0, scale, ASPECT)  # which plays no part without a turn


def _warped(
    image: np.ndarray, mask: np.ndarray, angle_deg: float, scale: float, aspect: float
) -> Changed:
    import cv2

    matrix = similarity_matrix(image.shape, aspect, angle_deg, scale, np.zeros(2))
    return tuple(cv2.warpAffine(a, matrix, image.shape[::-1]) for a in (image, mask))


def _clip(image: np.ndarray) -> np.ndarray:
    return np.clip(image, 0, 255).astype(np.uint8)


CHANGES: dict[str, tuple[Change, tuple[float, ...]]] = {
    "gain (factor)": (change_gain, (0.4, 0.7, 1.0, 1.4, 1.8)),
    "speckle (share)": (change_speckle, (0.0, 0.33, 0.67, 1.0)),
    "shadow (depth)": (cast_shadow, (0.0, 0.33, 0.67, 1.0)),
    "blur (SD, % of side)": (blur, (0.0, 1.0, 2.0, 4.0)),
    "missing edge (share)": (lose_edge, (0.0, 0.15, 0.3, 0.45)),
    "rotation (degrees)": (rotate, (0.0, 30.0, 60.0, 90.0)),
    "size (factor)": (resize, (0.5, 0.7, 0.85, 1.0)),
}
"""What is done to images, and by how much; one level of each leaves them as they are."""


def robustness_table(
    segmenters: dict[str, Segmenter], arrays: CaseArrays, table: pd.DataFrame, n: int, seed: int
) -> pd.DataFrame:
    """Score networks on changed test images, ``n`` of them, evenly spaced over the part.

    Diffusion networks draw a single member here. The Dice is at the network's size, against the
    mask that was changed with the image; ``circumference (%)`` the median absolute error; of a
    femur it is that of its length.
    """
    pick = evenly_spaced(n, len(table))
    chosen = arrays.select(pick)
    structures = table["structure"].iloc[pick]
    single = {name: single_member(segmenter) for name, segmenter in segmenters.items()}
    rows = []
    for change_name, (change, levels) in CHANGES.items():
        for level in levels:
            images, masks = _changed(chosen, change, level, seed)
            for name, segmenter in single.items():
                scores = _scored(segmenter, images, masks, chosen.sizes_hw, structures)
                rows.append({"model": name, "change": change_name, "level": level, **scores})
    return pd.DataFrame(rows)


def _changed(arrays: CaseArrays, change: Change, level: float, seed: int) -> Changed:
    rng = np.random.default_rng([seed, 77])  # the same places at every level
    pairs = []
    for image, mask, (height, width) in zip(
        arrays.images, arrays.masks, arrays.sizes_hw, strict=True
    ):
        own = {"aspect": width / height} if change is rotate else {}
        pairs.append(change(image, mask, rng, level, **own))
    images, masks = (np.stack(part) for part in zip(*pairs, strict=True))
    return images, masks


def _scored(
    segmenter: Segmenter,
    images: np.ndarray,
    masks: np.ndarray,
    sizes_hw: np.ndarray,
    structures: Iterable[str],
) -> dict[str, float]:
    probs = segmenter.probs(images)
    overlap = [dice(m >= 128, q >= 0.5) for m, q in zip(masks, probs, strict=True)]
    errors = _length_errors(masks, probs, sizes_hw, structures)
    return {"dice": float(np.mean(overlap)), "circumference (%)": 100 * float(np.median(errors))}


def _length_errors(
    masks: np.ndarray, probs: np.ndarray, sizes_hw: np.ndarray, structures: Iterable[str]
) -> np.ndarray:
    """Return absolute errors of HC, AC or FL as shares; 1 where none was found."""
    errors = []
    for mask, found, size, shown in zip(masks, probs, sizes_hw, structures, strict=True):
        true = charted_mm(shown, mask / 255, tuple(size), 1.0)
        guess = charted_mm(shown, found, tuple(size), 1.0)
        errors.append(abs(guess / true - 1) if np.isfinite(guess) else 1.0)
    return np.array(errors)


def largest_losses(changes: pd.DataFrame) -> pd.DataFrame:
    """Return, for each change, its hardest level and every network's Dice there."""
    mean = changes.groupby(["change", "level"], sort=False)["dice"].mean()
    worst = mean.groupby(level="change", sort=False).idxmin()
    grid = changes.pivot(index=["change", "level"], columns="model", values="dice")
    return grid.loc[list(worst), list(changes["model"].unique())].reset_index()
