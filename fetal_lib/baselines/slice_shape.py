"""Measure a few plain things in each slice of a brain: outline, brightness, roughness.

What a network adds shows beside these: they see the same pictures, and need no training but a
ridge regression.
"""

from __future__ import annotations

import numpy as np

DARK = 12  # of 255: what is darker lies outside the brain
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PER_PLANE = 3 + len(QUANTILES) + 1


def slice_measures(images: np.ndarray) -> np.ndarray:
    """Return the measures of slices, plane after plane.

    Of each plane: the area of the brain and its spread across and down the picture, as shares of
    the picture; five quantiles of the brightness inside; the mean steepness of the brightness
    inside, over its median.

    Parameters
    ----------
    images : uint8 (N, S, S, P), 0 outside the brain.

    Returns
    -------
    float (N, P * 9), 0 for planes that are black.

    Examples
    --------
    >>> image = np.zeros((1, 8, 8, 1), np.uint8)
    >>> image[0, 2:6, 2:6] = 200
    >>> slice_measures(image)[0, :2].round(3).tolist()
    [0.25, 0.14]
    """
    found = [[_measure(plane) for plane in np.moveaxis(one, -1, 0)] for one in images]
    return np.array(found, float).reshape(len(images), -1)


def _measure(plane: np.ndarray) -> np.ndarray:
    inside = plane > DARK
    if not inside.any():
        return np.zeros(PER_PLANE)
    rows, columns = np.nonzero(inside)
    size = plane.shape[0]
    shown = plane[inside].astype(np.float32)
    level = np.quantile(shown, QUANTILES)
    down, across = np.gradient(plane.astype(np.float32))
    core = inside & ~_near_the_edge(inside)
    steep = float(np.hypot(down, across)[core].mean()) if core.any() else 0.0
    outline = [inside.mean(), columns.std() / size, rows.std() / size]
    return np.array([*outline, *(level / 255), steep / float(level[2])])


def _near_the_edge(inside: np.ndarray) -> np.ndarray:
    """Return the pixels within two of the outside: there the outline is steep, not the brain."""
    from scipy import ndimage

    return ~ndimage.binary_erosion(inside, iterations=2)
