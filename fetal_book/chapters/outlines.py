"""Ellipses of structures on scans: by a network's map, or by what is bright."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fetal_lib.baselines.bright_ellipse import fit_bright_ellipse
from fetal_lib.geometry.biometry import SIZES, sizes_mm
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.fit import ellipse_from_probs


def scan_ellipse(probs: np.ndarray, size_hw: tuple[int, int]) -> Ellipse | None:
    """Return the ellipse in a map (H, W) of a squashed scan, in the scan's pixels, or None."""
    try:
        return ellipse_from_probs(probs).resized(probs.shape, size_hw)
    except ValueError:
        return None


def circumference_mm(probs: np.ndarray, size_hw: tuple[int, int], pixel_size_mm: float) -> float:
    """Return the circumference of what `scan_ellipse` finds; NaN where it finds nothing."""
    ellipse = scan_ellipse(probs, size_hw)
    return math.nan if ellipse is None else ellipse.perimeter * pixel_size_mm


def charted_mm(
    structure: str, probs: np.ndarray, size_hw: tuple[int, int], pixel_size_mm: float
) -> float:
    """Return HC, AC or FL, by structure; NaN where nothing is found."""
    return sizes_mm(structure, probs, size_hw, pixel_size_mm)[SIZES[structure][0]]


def bright_ellipses(images: Iterable[np.ndarray], seed: int) -> list[Ellipse | None]:
    """Fit the bright edge of each image without learning; None where nothing was found."""
    found: list[Ellipse | None] = []
    for i, image in enumerate(images):
        try:
            found.append(fit_bright_ellipse(image, seed=seed + i))
        except ValueError:
            found.append(None)
    return found
