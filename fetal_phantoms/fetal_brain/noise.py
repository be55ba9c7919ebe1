"""Smooth random fields on a cube, drawn on a coarse grid and read at any point."""

from __future__ import annotations

import numpy as np

REACH = 1.3  # the cube reaches from -REACH to REACH


def smooth_field(rng: np.random.Generator, length: float, n_fields: int = 1) -> np.ndarray:
    """Return band-limited noise of SD 1, float32 (n_fields, K, K, K), correlated over a length."""
    from scipy import ndimage

    n = round(2 * REACH / length * 2.2) + 3
    white = rng.standard_normal((n_fields, n, n, n)).astype(np.float32)
    sigma = (0, 1.1, 1.1, 1.1)
    field = ndimage.gaussian_filter(white, sigma, truncate=3.0, mode="wrap")
    broad = ndimage.gaussian_filter(white, tuple(2.2 * s for s in sigma), truncate=2.5, mode="wrap")
    field -= broad
    return field / field.std(axis=(1, 2, 3), keepdims=True)


def read_field(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return a field's values at points (3, N) of the cube, (N,), linear between grid points."""
    from scipy import ndimage

    step = 2 * REACH / (field.shape[0] - 1)
    at = (points + np.float32(REACH)) * np.float32(1.0 / step)
    return ndimage.map_coordinates(field, at, order=1, mode="nearest", output=np.float32)


def slopes(field: np.ndarray) -> np.ndarray:
    """Return the gradient of a field by the cube's unit, (3, K, K, K)."""
    return np.stack(np.gradient(field, 2 * REACH / (field.shape[0] - 1))).astype(np.float32)
