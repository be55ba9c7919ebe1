"""What lies around the fetal brain: skull, scalp, face, neck, amniotic fluid and the mother.

Schematic: enough that a slice does not show the brain on black, and that a finder of the brain
has something to be wrong about.
"""

from __future__ import annotations

import numpy as np

from fetal_phantoms.fetal_brain.noise import read_field, smooth_field
from fetal_phantoms.fetal_brain.shapes import capsule, ellipsoid, joined, mirrored

SKULL_MM, SCALP_MM = 1.8, 4.0  # outer faces, from the inside of the skull
SKULL, SCALP, EYE, AMNIOTIC_FLUID = 0.14, 0.48, 0.93, 0.97
FLESH = (0.22, 0.46)  # darkest and brightest
FLUID_MM = (2.0, 12.0)  # width of the fluid around the head
MAX_FAR_MM = 25.0


def draw_surroundings(
    inside: np.ndarray,
    places_mm: np.ndarray,
    unit_mm: float,
    spacing_mm: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the signal outside the skull, float32 (X, Y, Z), at places (3, X·Y·Z)."""
    from scipy import ndimage

    shape, n = inside.shape, inside.size
    away = ndimage.distance_transform_edt(~inside, sampling=spacing_mm).astype(np.float32)
    away = np.minimum(away, MAX_FAR_MM).reshape(n)
    points = places_mm / np.float32(unit_mm)
    flesh = _flesh(points, rng)
    low, high = FLUID_MM
    womb = read_field(smooth_field(rng, 1.2)[0], 0.7 * points)
    wall = SCALP_MM + low + (high - low) * np.clip(0.35 + 0.5 * womb, 0.0, 1.0)
    body = _face_and_neck(points) * np.float32(unit_mm)
    signal = np.where(np.minimum(away, body + SCALP_MM) < wall, np.float32(AMNIOTIC_FLUID), flesh)
    signal = np.where((away < SCALP_MM) | (body < 0), np.float32(SCALP), signal)
    signal = np.where((body < -1.5) & (away > SCALP_MM), flesh, signal)
    signal = np.where(away < SKULL_MM, np.float32(SKULL), signal)
    eyes = ellipsoid(mirrored(points), (0.27, 0.80, -0.42), (0.13, 0.13, 0.13))
    signal = np.where((eyes < 0) & (away > 0), np.float32(EYE), signal)
    return signal.reshape(shape).astype(np.float32)


def _flesh(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    organs = read_field(smooth_field(rng, 0.45)[0], 0.7 * points)
    dark, bright = FLESH
    return dark + (bright - dark) * np.clip(0.5 + 0.5 * organs, 0.0, 1.0)


def _face_and_neck(points: np.ndarray) -> np.ndarray:
    face = ellipsoid(points, (0.0, 0.50, -0.55), (0.46, 0.44, 0.42))
    neck = capsule(points, (0.0, -0.30, -0.60), (0.0, -0.50, -2.0), (0.34, 0.42))
    return joined(face, neck, 0.2)
