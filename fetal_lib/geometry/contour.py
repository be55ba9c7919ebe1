"""Boundary points of masks, probability maps and drawn outlines, in pixel-centre coordinates.

The pixel in row i, column j has its centre at (x, y) = (j, i). A pixel belongs to a region when
its centre does, so the edge of a region runs between the last pixel inside and the first outside.
"""

from __future__ import annotations

import numpy as np


def largest_region(mask: np.ndarray) -> np.ndarray:
    """Keep the largest 4-connected region of a mask, bool (H, W), and fill its holes.

    >>> largest_region(np.array([[1, 0, 1], [1, 0, 0]], bool)).astype(int).tolist()
    [[1, 0, 0], [1, 0, 0]]
    """
    import cv2

    found = np.zeros(mask.shape, bool)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return found
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = mask[box].astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=4)
    region = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    found[box] = region | enclosed(region, connectivity=8)
    return found


def enclosed(wall: np.ndarray, connectivity: int = 4) -> np.ndarray:
    """Find the pixels off the wall, bool (H, W), from which no path leads to the image border.

    Paths of connectivity 4 stop at a wall of pixels that touch at corners only, of 8 slip through.
    """
    import cv2

    free = np.pad(~wall, 1, constant_values=True).astype(np.uint8)
    _, labels = cv2.connectedComponents(free, connectivity=connectivity)
    return ((labels != labels[0, 0]) & (free > 0))[1:-1, 1:-1]


def level_crossings(field: np.ndarray, level: float) -> np.ndarray:
    """Find where a field (H, W) crosses a level between pixel centres: (N, 2), x and y.

    These are the vertices that marching squares gives, unordered. The border of the image
    is no crossing: a region cut by it leaves only its true edge.

    >>> level_crossings(np.array([[0.0, 1.0], [0.0, 1.0]]), 0.25).tolist()
    [[0.25, 0.0], [0.25, 1.0]]
    """
    high = field >= level
    y, x = np.nonzero(high[:, 1:] != high[:, :-1])
    along_x = x + (level - field[y, x]) / (field[y, x + 1] - field[y, x])
    v, u = np.nonzero(high[1:] != high[:-1])
    along_y = v + (level - field[v, u]) / (field[v + 1, u] - field[v, u])
    return np.concatenate([np.stack([along_x, y], 1), np.stack([u, along_y], 1)])


def region_edge(probs: np.ndarray, level: float) -> np.ndarray:
    """Find the outer sub-pixel edge of the largest region at or above a level: (N, 2), x and y.

    N is 0 when there is no region or it fills the image.
    """
    high = probs >= level
    region = largest_region(high)
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    if rows.size == 0:
        return np.empty((0, 2))
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    window = (slice(top, rows[-1] + 2), slice(left, columns[-1] + 2))
    part, inside = probs[window], region[window]
    field = np.where(inside == high[window], part, np.where(inside, 2 * level + 1, -1.0))
    return level_crossings(field, level) + (left, top)
