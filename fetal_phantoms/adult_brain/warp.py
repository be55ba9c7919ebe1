"""Smooth, invertible warps: exponentials of stationary velocity fields on a coarse grid.

A point of the phantom is taken to the point of the template whose tissue it shows. Velocities
are in mm.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fetal_phantoms.adult_brain.template import BrainTemplate, load_template, sample
from fetal_phantoms.diffeomorphism import exponential
from fetal_phantoms.mri import along_axis

STEP_MM = 6.0
LOW_MM = np.array([-96.0, -132.0, -84.0])  # the coarse grid covers any head
SHAPE = (33, 39, 33)
N_SQUARINGS = 5
BROAD = (30.0, 2.2)  # correlation length and SD of the velocity, mm: lobes, asymmetry
FINE = (9.0, 1.0)  # the course of single gyri


def random_velocity(rng: np.random.Generator) -> np.ndarray:
    """Return a smooth random velocity in mm, float32 (3, *SHAPE)."""
    from scipy import ndimage

    total = np.zeros((3, *SHAPE), np.float32)
    for length_mm, sd_mm in (BROAD, FINE):
        for axis in range(3):
            noise = rng.standard_normal(SHAPE).astype(np.float32)
            smooth = ndimage.gaussian_filter(noise, length_mm / STEP_MM, mode="wrap")
            total[axis] += smooth * np.float32(sd_mm / smooth.std())
    return total


@lru_cache(maxsize=1)
def ventricle_velocity() -> np.ndarray:
    """Return the velocity, at 1 mm of amplitude, that makes the ventricles wider."""
    from scipy import ndimage

    distance = sample(load_template(), coarse_points(), 2)[:, 1].reshape(SHAPE)
    slope = np.stack(np.gradient(ndimage.gaussian_filter(distance, 0.5), STEP_MM))
    fall_off = np.exp(-0.5 * (np.minimum(distance, 0.0) / 11.0) ** 2)
    return (slope * fall_off).astype(np.float32)


def coarse_points() -> np.ndarray:
    """Return the coarse grid's points in mm, float32 (n, 3)."""
    axes = (low + STEP_MM * np.arange(n) for low, n in zip(LOW_MM, SHAPE, strict=True))
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float32)


def displacement(velocity: np.ndarray) -> np.ndarray:
    """Return the displacement of exp(velocity) in mm, float32 (3, *SHAPE)."""
    return exponential(velocity, STEP_MM, N_SQUARINGS)


def on_grid(moved_mm: np.ndarray, axes_mm: list[np.ndarray]) -> np.ndarray:
    """Return the displacement on a grid of any spacing, by cubic splines; (3, X, Y, Z)."""
    from scipy.interpolate import CubicSpline

    field = moved_mm
    for axis, (low, n, at) in enumerate(zip(LOW_MM, SHAPE, axes_mm, strict=True)):
        knots = low + STEP_MM * np.arange(n)
        weights = CubicSpline(knots, np.eye(n))(at).astype(np.float32)  # (len(at), n)
        field = along_axis(field, axis + 1, weights)
    return field


@lru_cache(maxsize=1)
def _growth_table() -> tuple[np.ndarray, np.ndarray]:
    """Return amplitudes in mm and the ventricles' volumes in mL that they make."""
    template = load_template()
    axes = [np.arange(low, high, 2.0) for low, high in ((-50, 51), (-80, 51), (-50, 51))]
    points = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    amplitudes = np.array([-3.0, -1.5, 0.0, 2.0, 4.0, 7.0, 10.0, 14.0])
    volumes = [_grown_volume(template, amplitude, points, axes) for amplitude in amplitudes]
    return amplitudes, np.maximum.accumulate(volumes)


def _grown_volume(
    template: BrainTemplate, amplitude: float, points: np.ndarray, axes: list[np.ndarray]
) -> float:
    moved = points + on_grid(displacement(amplitude * ventricle_velocity()), axes)
    distance = sample(template, moved.reshape(3, -1).T, 2)[:, 1]
    return float((distance > 0).sum()) * 8.0 / 1000.0


def ventricle_amplitude(volume_ml: float) -> float:
    """Return the amplitude in mm at which the template's ventricles have a volume."""
    amplitudes, volumes = _growth_table()
    return float(np.interp(volume_ml, volumes, amplitudes))
