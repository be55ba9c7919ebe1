"""Turn a scan into the picture that a brain classifier sees: the head, upright and filling it.

A sonographer zooms, turns the probe and sets the gain as the moment asks. ``head`` undoes
that: a shipped network finds the skull's ellipse, and the scan is turned so that its long axis
lies level, cut to a box around it, and stretched in the grey values of the brain. Which end is
the forehead stays open. Where no head is found, or the region that was found is no ellipse, the
middle of the scan is taken, where heads usually are.

A head that fills the view whatever its size has lost its millimetres, and some classes are
defined by them: where the pixel size is known, a bar of 50 mm is drawn at the lower edge, as
scanners draw a scale. ``whole`` squashes the scan as it is, as source 001 does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.images import squash
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.fit import ellipse_from_probs

if TYPE_CHECKING:
    from fetal_lib.predict.head_model import HeadModel

VIEWS = ("head", "whole")
BOX = (1.65, 1.25)
"""Half-width and half-height of the box, in semi-major axes of the skull; a sac has room."""
ASPECT = BOX[0] / BOX[1]
LOW, HIGH = 1.0, 99.5
"""Percentiles of the grey values that become 0 and 255."""
RULER_MM = 50.0
"""Length of the scale bar."""
AXIS_RATIO = 0.8
"""Short over long axis of the usual skull."""
MIN_AREA = 0.02
"""Share of the scan below which a found region is no head."""
MIN_OVERLAP = 0.88
"""Intersection over union of the found region and its ellipse below which it is no head."""
USUAL = (0.5, 0.52, 0.3)
"""Centre and semi-major axis of a head on a scan, as shares of its width, height and width."""
BATCH = 32
FINDER = Path(__file__).parent.parent / "pretrained" / "head_finder"


def load_head_finder() -> HeadModel:
    """Load the shipped network that finds heads in frames made for looking at the brain."""
    from fetal_lib.predict.head_model import load_head_model

    return load_head_model(FINDER)


def find_head(probs: np.ndarray, size_hw: tuple[int, int]) -> Ellipse | None:
    """Return the skull's ellipse in pixels of the scan, None where there is no head.

    Parameters
    ----------
    probs : ndarray, shape (h, w)
        Of the head network.
    size_hw : (height, width) of the scan
    """
    region = probs >= 0.5
    if region.mean() < MIN_AREA:
        return None
    try:
        ellipse = ellipse_from_probs(probs)
    except ValueError:
        return None
    fitted = ellipse.mask(probs.shape)
    if (region & fitted).sum() < MIN_OVERLAP * (region | fitted).sum():
        return None
    return ellipse.resized(probs.shape, size_hw)


def usual_head(size_hw: tuple[int, int]) -> Ellipse:
    """Return the ellipse of a level head in the middle of a scan."""
    height, width = size_hw
    x, y, a = USUAL
    return Ellipse(x * width, y * height, a * width, AXIS_RATIO * a * width, 0.0)


def head_matrix(ellipse: Ellipse, side: int) -> np.ndarray:
    """Return the 2x3 matrix from pixels of the scan to those of the square view."""
    a = ellipse.semi_major
    cos, sin = np.cos(ellipse.angle_rad), np.sin(ellipse.angle_rad)
    sx, sy = side / (2 * BOX[0] * a), side / (2 * BOX[1] * a)
    linear = np.array([[sx * cos, sx * sin], [-sy * sin, sy * cos]])
    centre = np.array([ellipse.center_x, ellipse.center_y])
    middle = np.array([(side - 1) / 2] * 2)
    return np.column_stack([linear, middle - linear @ centre])


def head_view(
    scan: np.ndarray, ellipse: Ellipse | None, side: int, pixel_mm: float = math.nan
) -> np.ndarray:
    """Return the head of a scan, uint8 (H, W), as the classifier sees it: uint8 (side, side).

    Without an ellipse the middle of the scan is taken; without a pixel size in mm (NaN) there is
    no scale bar.
    """
    ellipse = ellipse or usual_head(scan.shape)
    view = stretch(_warp(scan, ellipse, side), _ellipse(side, 0.88))
    rows, width = ruler_rows(side), 2 * BOX[0] * ellipse.semi_major
    view[side - rows :] = 0
    if not math.isnan(pixel_mm):
        view[side - rows + 1 :, : round(RULER_MM / pixel_mm * side / width)] = 255
    return view


def ruler_rows(side: int) -> int:
    """Return how many rows at the lower edge of a head's view hold the scale bar."""
    return max(2, side // 16)


def mirrored(views: np.ndarray, strip: int) -> Iterator[np.ndarray]:
    """Yield views (N, S, S) as they are, mirrored left-right, up-down, and both.

    The last ``strip`` rows, such as the scale bar's, keep their place.
    """
    rows = views.shape[1] - strip
    above, below = views[:, :rows], views[:, rows:]
    for axes in ((), (2,), (1,), (1, 2)):
        yield np.concatenate([np.flip(above, axes), below], axis=1)


def _ellipse(side: int, share: float) -> np.ndarray:
    """Return an ellipse of the usual shape, its size a share of the skull's; bool."""
    y, x = (np.mgrid[:side, :side] - (side - 1) / 2) / (side / 2)
    return np.hypot(x * BOX[0] / share, y * BOX[1] / (AXIS_RATIO * share)) <= 1


def mask_view(
    mask: np.ndarray, ellipse: Ellipse | None, side: int, view: str = "head"
) -> np.ndarray:
    """Return a mask of a scan in the view's pixels, bool; a quarter covered is enough."""
    grey = mask.astype(np.uint8) * 255
    if view == "whole":
        return squash(grey, (side, side)) >= 64
    return _warp(grey, ellipse or usual_head(mask.shape), side) >= 64


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
        5 %, but for the rows of the scale bar; ``whole``: the outer eighth.

    Returns
    -------
    ndarray, shape (side, side), bool
    """
    if view == "whole":
        y, x = (np.mgrid[:side, :side] - (side - 1) / 2) / (side / 2)
        return np.maximum(np.abs(x), np.abs(y)) > 0.75
    outside = ~_ellipse(side, 1.05)
    outside[side - ruler_rows(side) :] = False
    return outside


def views_of(
    scans: Iterable[np.ndarray],
    side: int,
    view: str = "head",
    finder: HeadModel | None = None,
    pixel_sizes: Iterable[float] | None = None,
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
    pixel_sizes : iterable of float, optional
        Of each scan in mm, NaN where it is not known; for the scale bar of ``head``.

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
        return
    if finder is None:
        raise ValueError("finder: none given; view='head' needs load_head_finder().")
    queue = iter(scans)
    sizes = repeat(math.nan) if pixel_sizes is None else iter(pixel_sizes)
    while batch := list(islice(queue, BATCH)):
        probs = finder.probs(np.stack([squash(s, finder.shape) for s in batch]), BATCH)
        for scan, one in zip(batch, probs, strict=True):
            ellipse = find_head(one, scan.shape) if np.ptp(scan) else None  # a blank has no head
            yield head_view(scan, ellipse, side, next(sizes)), ellipse
