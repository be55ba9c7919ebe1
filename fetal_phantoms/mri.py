"""What phantoms of brains on MRI share: their grid, uneven brightness, Rician noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def grid_affine(axes_mm: Sequence[np.ndarray]) -> np.ndarray:
    """Return the affine of even voxel centres along x, y and z, RAS; float64 (4, 4)."""
    affine = np.diag([*(axis[1] - axis[0] for axis in axes_mm), 1.0])
    affine[:3, 3] = [axis[0] for axis in axes_mm]
    return affine


def check_grid(seed: int, spacing_mm: float, limits_mm: tuple[float, float], why: str) -> None:
    """Refuse a seed, or a spacing outside limits, that no phantom has, with a ValueError."""
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    low, high = limits_mm
    if not low <= spacing_mm <= high:
        raise ValueError(f"spacing_mm is {spacing_mm}; it must be {low:g}-{high:g} mm: {why}")


def knot_noise(shape: tuple[int, ...], n_knots: int, rng: np.random.Generator) -> np.ndarray:
    """Return noise with n_knots values along each axis, smooth between them; float32."""
    from scipy.interpolate import make_interp_spline

    field = rng.standard_normal((n_knots,) * len(shape))
    for axis, n in enumerate(shape):
        knots = np.linspace(0, max(n - 1, 1), n_knots)
        weights = make_interp_spline(knots, np.eye(n_knots), k=3)(np.arange(n))
        field = along_axis(field, axis, weights)
    return field.astype(np.float32)


def along_axis(field: np.ndarray, axis: int, weights: np.ndarray) -> np.ndarray:
    """Return a field (..., K, ...) weighed along one axis by weights (N, K): (..., N, ...)."""
    return np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)


def bias_field(shape: tuple[int, ...], sd: float, rng: np.random.Generator) -> np.ndarray:
    """Return smooth uneven brightness around 1, `sd` that of its logarithm; float32."""
    return np.exp(np.float32(sd) * knot_noise(shape, 4, rng))


def rician(signal: np.ndarray, noise_sd: float, rng: np.random.Generator) -> np.ndarray:
    """Return the magnitude of a signal with noise in two channels; float32, same shape."""
    real = rng.standard_normal(signal.shape, np.float32) * np.float32(noise_sd)
    other = rng.standard_normal(signal.shape, np.float32) * np.float32(noise_sd)
    real += signal
    return np.hypot(real, other, out=real)


def laid_out(
    values: np.ndarray, index: np.ndarray, shape: tuple[int, ...], fill: float = 0.0
) -> np.ndarray:
    """Return values (N,) at flat places (N,) of a grid (X, Y, Z), `fill` elsewhere."""
    full = np.full(shape, fill, values.dtype)
    full.reshape(-1)[index] = values
    return full


def highest(scores: np.ndarray, n: int) -> np.ndarray:
    """Return the sorted positions of the n highest scores."""
    return np.sort(np.argpartition(scores, -n)[-n:])


def nth_highest(scores: np.ndarray, n: int) -> np.ndarray:
    """Return the lowest of the n highest scores."""
    return np.partition(scores, -n)[-n]
