"""Ventricles, deep gray matter, cerebellum and brainstem: where they lie in the brain.

Each function returns signed distances in units of the brain, negative inside. The volumes are
met later, by cutting at another level than 0; the shapes say where.
"""

from __future__ import annotations

import numpy as np

from fetal_phantoms.fetal_brain.shapes import capsule, ellipsoid, joined, mirrored, smoothstep

# Frontal horn, body, atrium and horns of the right lateral ventricle: points and radii.
_HORNS = (
    ((0.13, 0.42, 0.02), (0.12, 0.18, 0.17), 0.050, 0.050),
    ((0.12, 0.18, 0.17), (0.17, -0.18, 0.20), 0.050, 0.060),
    ((0.17, -0.18, 0.20), (0.30, -0.42, 0.08), 0.060, 0.090),
    ((0.30, -0.42, 0.08), (0.27, -0.68, 0.02), 0.090, 0.045),
    ((0.30, -0.42, 0.08), (0.42, -0.22, -0.16), 0.080, 0.035),
    ((0.42, -0.22, -0.16), (0.40, 0.06, -0.26), 0.035, 0.025),
)


def lateral_ventricles(points: np.ndarray, weeks: float, share: float = 0.03) -> np.ndarray:
    """Return the distance to both lateral ventricles, whose volume is a share of the cerebrum's;
    the hind horns are wide before 26 weeks.
    """
    thick = float(np.sqrt(share / 0.030))
    folded = mirrored(points)
    young = float(1 - smoothstep(weeks, 19.0, 30.0))
    total = None
    for number, (start, end, first, last) in enumerate(_HORNS):
        wide = 1.0 + (0.45 * young if number == 3 else 0.0)
        part = capsule(folded, start, end, (first * thick, last * wide * thick))
        total = part if total is None else joined(total, part, 0.06)
    return np.maximum(total, np.float32(0.03) - folded[0])


def cavum(points: np.ndarray) -> np.ndarray:
    """Return the distance to the cavum septi pellucidi, between the frontal horns."""
    return ellipsoid(points, (0.0, 0.20, 0.09), (0.045, 0.19, 0.09))


def other_ventricles(points: np.ndarray) -> np.ndarray:
    """Return the distance to the third and fourth ventricle, the aqueduct between."""
    third = ellipsoid(points, (0.0, -0.02, -0.08), (0.030, 0.17, 0.13))
    fourth = ellipsoid(points, (0.0, -0.36, -0.46), (0.075, 0.055, 0.10))
    aqueduct = capsule(points, (0.0, -0.16, -0.13), (0.0, -0.32, -0.40), (0.010, 0.012))
    return np.minimum(joined(third, fourth, 0.02), aqueduct)


def deep_gray(points: np.ndarray) -> np.ndarray:
    """Return the distance to thalami, lentiform nuclei and heads of the caudate nuclei."""
    folded = mirrored(points)
    thalamus = ellipsoid(folded, (0.135, -0.10, -0.02), (0.115, 0.20, 0.13))
    lentiform = ellipsoid(folded, (0.31, 0.10, -0.02), (0.085, 0.22, 0.13))
    caudate = ellipsoid(folded, (0.195, 0.30, 0.03), (0.055, 0.12, 0.10))
    return np.minimum(np.minimum(thalamus, lentiform), caudate)


def brainstem(points: np.ndarray) -> np.ndarray:
    """Return the distance to midbrain, pons and medulla."""
    midbrain = capsule(points, (0.0, -0.10, -0.14), (0.0, -0.17, -0.34), (0.13, 0.12))
    pons = ellipsoid(points, (0.0, -0.17, -0.43), (0.155, 0.13, 0.13))
    medulla = capsule(points, (0.0, -0.23, -0.50), (0.0, -0.36, -0.86), (0.085, 0.065))
    return joined(joined(midbrain, pons, 0.06), medulla, 0.06)


def cerebellum(points: np.ndarray) -> np.ndarray:
    """Return the distance to the cerebellum: two hemispheres and the vermis."""
    folded = mirrored(points)
    half = capsule(folded, (0.05, -0.45, -0.42), (0.20, -0.43, -0.41), (0.16, 0.18))
    vermis = ellipsoid(points, (0.0, -0.47, -0.39), (0.10, 0.16, 0.19))
    return joined(half, vermis, 0.05)


def callosum(points: np.ndarray) -> np.ndarray:
    """Return the distance to the corpus callosum, an arch above the cavum."""
    arch = np.abs(ellipsoid(points[1:], (-0.04, -0.10), (0.42, 0.34))) - np.float32(0.028)
    above = np.float32(0.02) - points[2] - np.float32(0.1) * points[1]
    return np.maximum(np.maximum(arch, above), np.abs(points[0]) - np.float32(0.13))
