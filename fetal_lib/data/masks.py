"""Images with masks, read one case at a time: what every image-and-mask layout shares.

A mask may be filled or drawn as a thin outline, 0/1 or 0/255, and have soft edges. What is no
drawing of one structure (the image itself, several labels, nothing) is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.data.bad_files import FileFault, stream
from fetal_lib.data.images import check_shape, read_pair, squash
from fetal_lib.geometry.outline import fill_outline

if TYPE_CHECKING:
    import pandas as pd

Case = tuple[np.ndarray, np.ndarray, tuple[int, int]]
MAX_SOFT = 0.001  # share of pixels inside areas of a middle gray that a mask may have
OUTLINE_SOLIDITY, OUTLINE_THICKNESS = 0.4, 0.1


def read_masked(row: Any) -> tuple[np.ndarray, np.ndarray]:
    """Read a row's image, uint8 (H, W), and its mask, bool (H, W), outlines filled.

    The row has ``image_path`` and ``mask_path``; a ValueError names a file that cannot be used.
    """
    image, drawing = read_pair(row.image_path, row.mask_path)
    return image, mask_from_drawing(drawing, row.mask_path)


def iter_cases(
    table: pd.DataFrame,
    shape: tuple[int, int],
    read: Callable[[Any], tuple[np.ndarray, np.ndarray]] = read_masked,
) -> Iterator[Case]:
    """Read images and masks one after the other and resize them, outlines filled first.

    Memory holds one case at a time. Nothing is yielded after the first bad file, so what was
    yielded goes with the first rows of the table; the rest is read to name the other bad files.

    Parameters
    ----------
    table : DataFrame
        Columns ``image_path`` and ``mask_path``.
    shape : (height, width)
        Size in pixels that every image is squashed to.
    read : callable
        Returns image and mask of a row, as `read_masked`.

    Yields
    ------
    image : uint8 array (H, W)
    mask : uint8 array (H, W)
        Share of each pixel that the structure covers, 0 to 255.
    size_hw : (int, int)
        Height and width of the scan as it was.

    Raises
    ------
    ValueError
        If ``shape`` is none.
    BadFilesError
        At the end, a ValueError that names all files that cannot be used.
    """
    check_shape(shape)
    return stream(table.itertuples(index=False), lambda row: _resized(*read(row), shape))


def _resized(image: np.ndarray, mask: np.ndarray, shape: tuple[int, int]) -> Case:
    coverage = squash(mask.astype(np.uint8) * 255, shape)
    return squash(image, shape), coverage, image.shape


def mask_from_drawing(drawing: np.ndarray, path: str | Path = "mask") -> np.ndarray:
    """Turn what was drawn into a mask: soft edges cut at half, an outline filled.

    Parameters
    ----------
    drawing : uint8 array (H, W), 0 outside; 1, 255 or another one value inside.
    path : path
        Named in messages.

    Returns
    -------
    bool array (H, W)

    Raises
    ------
    FileFault
        A ValueError: if it is empty, covers everything, has several values over areas, or is an
        outline of no ellipse.

    Examples
    --------
    >>> mask_from_drawing(np.eye(3, dtype=np.uint8)).sum()
    np.int64(3)
    """
    mask = cut_at_half(drawing, path)
    if not is_outline(mask):
        return mask
    try:
        return fill_outline(mask)
    except ValueError as error:
        raise FileFault(path, "outline", f"an outline that cannot be filled. {error}") from error


def cut_at_half(drawing: np.ndarray, path: str | Path = "mask") -> np.ndarray:
    """Return what was drawn, filled or as an outline, without soft edges: bool (H, W).

    Raises
    ------
    FileFault
        As `mask_from_drawing`.
    """
    largest = int(drawing.max())
    if largest == 0:
        raise FileFault(path, "empty mask", "nothing is drawn; a mask marks one structure")
    if _soft_share(drawing, largest) > MAX_SOFT:
        message = (
            "areas of several gray values; a mask is 0 outside and one value inside. Check that "
            "it is the mask, not the image or a map of labels"
        )
        raise FileFault(path, "not a mask", message)
    mask = drawing >= max(1, largest / 2)
    if mask.all():
        raise FileFault(path, "full mask", "it covers the whole image; a mask marks one structure")
    return mask


def is_outline(mask: np.ndarray) -> bool:
    """Say whether a mask, bool (H, W) and not empty, is a thin line around something.

    It may have gaps. It is one when it fills less than 0.4 of its convex hull and is nowhere
    thicker than a fifth of the hull's side (the root of its area).

    >>> square = np.zeros((20, 20), bool)
    >>> square[3:17, 3:17] = True
    >>> ring = square.copy()
    >>> ring[4:16, 4:16] = False
    >>> is_outline(square), is_outline(ring)
    (False, True)
    """
    import cv2

    area = mask.sum()
    hull = cv2.convexHull(np.argwhere(mask)[:, ::-1].astype(np.int32))
    hull_area = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
    if area >= OUTLINE_SOLIDITY * hull_area:
        return False
    padded = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3).max()
    return bool(depth <= max(2.0, OUTLINE_THICKNESS * hull_area**0.5))


def _soft_share(drawing: np.ndarray, largest: int) -> float:
    """Return the share of pixels in the middle of an area of 25-75 % of the largest value."""
    import cv2

    soft = ((drawing > 0.25 * largest) & (drawing < 0.75 * largest)).astype(np.uint8)
    return float(cv2.erode(soft, np.ones((3, 3), np.uint8)).mean())
