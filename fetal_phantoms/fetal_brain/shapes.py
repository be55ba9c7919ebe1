"""Solid shapes as signed distances: negative inside, in the unit of the points.

Points are float32 arrays (3, N). Distances to an ellipsoid are good to first order near its
surface, which is where they are used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Vector = Sequence[float]


def ellipsoid(points: np.ndarray, centre: Vector, radii: Vector) -> np.ndarray:
    """Return the distance to an ellipsoid with axes along x, y and z (any number of axes).

    >>> ellipsoid(np.array([[3.0], [0.0], [0.0]]), (0, 0, 0), (1, 2, 2))
    array([2.])
    """
    scaled, steep = 0.0, 0.0
    for axis, (middle, radius) in enumerate(zip(centre, radii, strict=True)):
        part = (points[axis] - np.float32(middle)) * np.float32(1.0 / radius)
        part *= part
        scaled = scaled + part
        steep = steep + part * np.float32(1.0 / radius**2)
    scaled = np.sqrt(scaled)
    return scaled * (scaled - 1) / np.sqrt(np.maximum(steep, np.float32(1e-9)))


def capsule(points: np.ndarray, start: Vector, end: Vector, radii: Vector) -> np.ndarray:
    """Return the distance to a rod whose radius runs from the first to the second of ``radii``.

    >>> capsule(np.array([[1.0], [3.0], [0.0]]), (0, 0, 0), (2, 0, 0), (1, 1))
    array([2.])
    """
    axis = np.subtract(end, start).astype(np.float32)
    offset = [points[k] - np.float32(start[k]) for k in range(3)]
    along = sum(o * a for o, a in zip(offset, axis, strict=True)) / np.float32(axis @ axis)
    along = np.clip(along, 0.0, 1.0)
    squared = sum((o - along * a) ** 2 for o, a in zip(offset, axis, strict=True))
    return np.sqrt(squared) - (np.float32(radii[0]) + along * np.float32(radii[1] - radii[0]))


def joined(first: np.ndarray, second: np.ndarray, blend: float) -> np.ndarray:
    """Return the distance to both shapes together, the edge between them rounded."""
    near = np.maximum(np.float32(blend) - np.abs(first - second), 0.0)
    return np.minimum(first, second) - near * near * np.float32(0.25 / blend)


def common(first: np.ndarray, second: np.ndarray, blend: float) -> np.ndarray:
    """Return the distance to what lies in both shapes, the edge rounded."""
    return -joined(-first, -second, blend)


def mirrored(points: np.ndarray) -> np.ndarray:
    """Return the points with the left half laid on the right one: x becomes |x|."""
    return np.stack([np.abs(points[0]), points[1], points[2]])


def smoothstep(values: np.ndarray | float, low: float, high: float) -> np.ndarray:
    """Return 0 below ``low``, 1 above ``high``, and a smooth rise between.

    >>> smoothstep(np.array([0.0, 1.5, 9.0]), 1, 2)
    array([0. , 0.5, 1. ])
    """
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
