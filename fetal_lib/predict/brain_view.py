"""Turn a scan into the picture that a brain classifier sees: the head, upright and filling it.

A sonographer zooms, turns the probe and sets the gain as the moment asks. ``head`` undoes
that: the network of chapter 04 finds the skull's ellipse, and the scan is turned so that
its long axis lies level, cut to a box around it, and stretched in grey values. Which end is
the forehead stays open. Where no head is found the whole scan is taken. ``whole`` squashes
the scan as it is, as source 001 does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.fit import ellipse_from_probs
from fetal_lib.sets.masked_images import squash

if TYPE_CHECKING:
    from fetal_lib.predict.head_model import HeadModel

VIEWS = ("head", "whole")
BOX = (1.5, 1.15)
"""Half-width and half-height of the box, in semi-major axes of the skull."""
ASPECT = BOX[0] / BOX[1]
LOW, HIGH = 1.0, 99.0
"""Percentiles of the grey values that become 0 and 255."""
MIN_AREA = 0.02
"""Share of the scan below which a found region is no head."""
BATCH = 32


def single_view_finder() -> HeadModel:
    """Load the head network that is shipped, without averaging over flips: twice as fast."""
    from fetal_lib.predict.head_model import HeadModel, load_head_model

    shipped = load_head_model()
    return HeadModel(shipped.network, replace(shipped.spec, flips=("none",)))


def find_head(probs: np.ndarray, size_hw: tuple[int, int]) -> Ellipse | None:
    """Return the skull's ellipse in pixels of the scan, None where there is no head.

    Parameters
    ----------
    probs : ndarray, shape (h, w)
        Of the head network.
    size_hw : (height, width) of the scan
    """
    if (probs >= 0.5).mean() < MIN_AREA:
        return None
    try:
        return ellipse_from_probs(probs).resized(probs.shape, size_hw)
    except ValueError:
        return None


def head_matrix(ellipse: Ellipse, side: int) -> np.ndarray:
    """Return the 2x3 matrix from pixels of the scan to those of the view.

    Parameters
    ----------
    ellipse : Ellipse
    side : int
        Of the square view in pixels.
    """
    a = ellipse.semi_major
    cos, sin = np.cos(ellipse.angle_rad), np.sin(ellipse.angle_rad)
    sx, sy = side / (2 * BOX[0] * a), side / (2 * BOX[1] * a)
    linear = np.array([[sx * cos, sx * sin], [-sy * sin, sy * cos]])
    centre = np.array([ellipse.center_x, ellipse.center_y])
    middle = np.array([(side - 1) / 2] * 2)
    return np.column_stack([linear, middle - linear @ centre])


def head_view(scan: np.ndarray, ellipse: Ellipse | None, side: int) -> np.ndarray:
    """Return the head as the classifier sees it.

    Parameters
    ----------
    scan : ndarray, shape (H, W), uint8
    ellipse : Ellipse or None
        None takes the whole scan.
    side : int

    Returns
    -------
    ndarray, shape (side, side), uint8
    """
    if ellipse is None:
        return stretch(squash(scan, (side, side)))
    return stretch(_warp(scan, ellipse, side), ~surroundings(side, "head"))


def mask_view(mask: np.ndarray, ellipse: Ellipse | None, side: int) -> np.ndarray:
    """Return a mask of a scan in the view's pixels, bool; a quarter covered is enough."""
    grey = mask.astype(np.uint8) * 255
    small = squash(grey, (side, side)) if ellipse is None else _warp(grey, ellipse, side)
    return small >= 64


def _warp(image: np.ndarray, ellipse: Ellipse, side: int) -> np.ndarray:
    """Turn and cut at twice the size, then halve by area: thin lines survive."""
    import cv2

    large = cv2.warpAffine(image, head_matrix(ellipse, 2 * side), (2 * side, 2 * side))
    return cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA)


def stretch(image: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Stretch grey values so that the 1st and 99th percentile become 0 and 255.

    Parameters
    ----------
    image : ndarray, shape (H, W), uint8
    where : ndarray, shape (H, W), bool, optional
        The pixels whose percentiles are taken.

    Examples
    --------
    >>> stretch(np.full((4, 4), 7, np.uint8)).max()
    np.uint8(0)
    """
    low, high = np.percentile(image if where is None else image[where], [LOW, HIGH])
    scaled = (image.astype(np.float32) - low) * (255 / max(high - low, 1.0))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def surroundings(side: int, view: str) -> np.ndarray:
    """Return which pixels of a view lie outside the skull, or in the border of a whole scan.

    Parameters
    ----------
    side : int
    view : str
        ``head``: outside an ellipse of the usual shape (axis ratio 0.8) with a margin of
        5 %; ``whole``: the outer eighth.

    Returns
    -------
    ndarray, shape (side, side), bool
    """
    y, x = (np.mgrid[:side, :side] - (side - 1) / 2) / (side / 2)
    if view == "whole":
        return np.maximum(np.abs(x), np.abs(y)) > 0.75
    return np.hypot(x * BOX[0] / 1.05, y * BOX[1] / (0.8 * 1.05)) > 1


def views_of(
    scans: Iterable[np.ndarray],
    side: int,
    view: str = "head",
    finder: HeadModel | None = None,
    progress: Callable[[int], None] = lambda n: None,
) -> Iterator[tuple[np.ndarray, Ellipse | None]]:
    """Yield the view of each scan, and the ellipse that it was cut by.

    Parameters
    ----------
    scans : iterable of ndarray (H, W), uint8
        Read a batch at a time.
    side : int
    view : str
        ``head`` or ``whole``.
    finder : HeadModel, optional
        Needed for ``head``.
    progress : callable
        Called with the number of scans just finished.

    Raises
    ------
    ValueError
        If there is no such view, or no finder for ``head``.
    """
    if view not in VIEWS:
        raise ValueError(f"view={view!r}: use one of {', '.join(VIEWS)}.")
    if view == "whole":
        for scan in scans:
            yield squash(scan, (side, side)), None
            progress(1)
        return
    if finder is None:
        raise ValueError("finder: none given; view='head' needs load_head_model().")
    queue = iter(scans)
    while batch := list(islice(queue, BATCH)):
        probs = finder.probs(np.stack([squash(s, finder.shape) for s in batch]), BATCH)
        for scan, one in zip(batch, probs, strict=True):
            ellipse = find_head(one, scan.shape)
            yield head_view(scan, ellipse, side), ellipse
        progress(len(batch))
