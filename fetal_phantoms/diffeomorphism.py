"""Random smooth warps that never fold: the exponential of a stationary velocity field.

A displacement drawn at random may fold space over itself. Here a velocity is drawn instead, and
points are carried along it for a unit of time: many small steps, each of which is invertible,
composed by squaring. The Jacobian of what comes out is positive everywhere.

References
----------
Arsigny V et al. A log-Euclidean framework for statistics on diffeomorphisms. MICCAI 2006.
doi:10.1007/11866565_113
"""

from __future__ import annotations

import numpy as np

FIRST_STEP_VOXELS = 0.1  # largest displacement of the first, smallest step


def random_velocity(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing_mm: float,
    length_mm: float,
    sd_mm: float,
) -> np.ndarray:
    """Draw a smooth velocity, float32 (3, X, Y, Z), mm: noise blurred by a length, of an SD."""
    from scipy import ndimage

    noise = rng.standard_normal((3, *shape), np.float32)
    sigma = length_mm / spacing_mm
    smooth = np.stack([ndimage.gaussian_filter(part, sigma, mode="wrap") for part in noise])
    return smooth * np.float32(sd_mm / max(float(smooth.std()), 1e-12))


def exponential(
    velocity_mm: np.ndarray, spacing_mm: float, n_squarings: int | None = None
) -> np.ndarray:
    """Carry points along a velocity (3, X, Y, Z) in mm for a unit of time, by scaling and squaring;
    return the displacement in mm, float32. As many squarings as make the first step small, or as
    are given.

    >>> still = np.zeros((3, 4, 4, 4)); still[0] = 2.0
    >>> float(exponential(still, 1.0)[0].mean())
    2.0
    """
    from scipy import ndimage

    moved = np.asarray(velocity_mm, np.float32) / np.float32(spacing_mm)  # in voxels
    largest = float(np.sqrt((moved**2).sum(axis=0)).max())
    steps = max(0, int(np.ceil(np.log2(max(largest, 1e-12) / FIRST_STEP_VOXELS))))
    steps = steps if n_squarings is None else n_squarings
    moved = moved / np.float32(2**steps)
    grid = np.indices(moved.shape[1:], np.float32)
    for _ in range(steps):
        at = grid + moved
        moved = moved + np.stack(
            [ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in moved]
        )
    return moved * np.float32(spacing_mm)


def jacobian_determinant(displacement_mm: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Return by how much each place is stretched in volume, (X, Y, Z); positive: nothing folds.

    >>> x = np.indices((5, 5, 5), float)
    >>> jacobian_determinant(0.5 * x, 1.0).round(3).max()
    np.float64(3.375)
    """
    slopes = np.stack([np.stack(np.gradient(part, spacing_mm)) for part in displacement_mm])
    matrix = np.moveaxis(slopes, (0, 1), (-2, -1)).astype(float) + np.eye(3)
    return np.linalg.det(matrix)
