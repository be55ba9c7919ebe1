"""The inside of the skull, and the hemispheres as they would be without folds.

Points are in heads' units: x to the right, y forward, z up, the hemispheres reach from about
-1 to 1 along y. The same shapes serve every age; what ages is how they fill.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fetal_phantoms.fetal_brain.shapes import common, ellipsoid, joined, mirrored

ANCHOR = np.array([0.0, -0.05, -0.32])  # the brain grows away from the base of the skull
FOSSA = ((0.0, -0.38, -0.38), (0.44, 0.38, 0.30))
TAPER = 0.13  # the forehead is narrower than the back of the head, relative to the middle


def skull(points: np.ndarray) -> np.ndarray:
    """Return the distance to the inner face of the skull; float32 (N,), negative inside."""
    folded = mirrored(points)
    vault = ellipsoid(points, (0.0, 0.0, 0.06), (0.80, 1.02, 0.76))
    base = np.float32(-0.27) - points[2] + np.float32(0.08) * points[1]
    vault = common(vault, base, 0.25)
    temporal = ellipsoid(folded, (0.41, 0.13, -0.26), (0.30, 0.50, 0.30))
    return joined(joined(vault, temporal, 0.2), ellipsoid(points, *FOSSA), 0.25)


def hemispheres(points: np.ndarray) -> np.ndarray:
    """Return the distance to the cerebrum's smooth outer surface, the midline filled."""
    folded = mirrored(points)
    vault = ellipsoid(folded, (0.04, 0.0, 0.06), (0.72, 0.98, 0.70))
    base = np.float32(-0.20) - points[2] + np.float32(0.06) * points[1]
    vault = common(vault, base, 0.22)
    temporal = ellipsoid(folded, (0.42, 0.12, -0.26), (0.26, 0.47, 0.27))
    between = ellipsoid(points, (0.0, -0.05, -0.22), (0.26, 0.34, 0.20))
    return joined(joined(vault, temporal, 0.12), between, 0.12)


def tapered(points: np.ndarray) -> np.ndarray:
    """Return points of a head laid on one that is as wide in front as behind."""
    wide = 1.0 + np.float32(TAPER) * np.clip(points[1], -1.2, 1.2)
    return np.stack([points[0] * wide, points[1], points[2]])


@lru_cache(maxsize=1)
def unit_volumes() -> tuple[float, float]:
    """Return the volumes of skull and hemispheres in cubic units."""
    step = 1 / 40
    axis = np.arange(-1.2, 1.2, step, dtype=np.float32)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, -1)
    counts = [np.count_nonzero(shape(tapered(points)) < 0) for shape in (skull, hemispheres)]
    return counts[0] * step**3, counts[1] * step**3


def skull_unit_mm(volume_ml: float) -> float:
    """Return how many mm a unit must have for the skull to hold a volume."""
    return float(np.cbrt(1000.0 * volume_ml / unit_volumes()[0]))


def brain_unit_mm(volume_ml: float) -> float:
    """Return how many mm a unit must have for the hemispheres to have a volume."""
    return float(np.cbrt(1000.0 * volume_ml / unit_volumes()[1]))
