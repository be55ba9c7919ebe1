"""A volume and the grid that it lies on: orientation and spacing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPACING_MM = (0.1, 20.0)
SINGULAR = 1e-6  # smallest ratio of a voxel's volume to the product of its edges


@dataclass(frozen=True)
class Volume:
    """Hold a volume on its grid.

    Attributes
    ----------
    data : float32 (X, Y, Z); axes run to the right, forward and up as nearly as the grid allows.
    affine : float64 (4, 4), voxel to mm, RAS+.
    spacing_mm : edges of a voxel along x, y and z.
    orientation_known : False where the file does not say how the head lies: the axes are then a
        convention, and left and right may be swapped.
    """

    data: np.ndarray
    affine: np.ndarray
    spacing_mm: tuple[float, float, float]
    orientation_known: bool = True


def grid_fault(affine: np.ndarray) -> tuple[str, str] | None:
    """Return what is wrong with an affine (4, 4), voxel to mm, and the rule; or None.

    >>> grid_fault(np.diag([0.001, 0.001, 0.001, 1]))[0]
    'voxels are 0.001 x 0.001 x 0.001 mm'
    """
    matrix = np.asarray(affine, float)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return "the affine is not a finite 4 x 4 matrix", "it must place each voxel in mm"
    with np.errstate(over="ignore"):
        edges = np.sqrt((matrix[:3, :3] ** 2).sum(axis=0))
    low, high = SPACING_MM
    if not ((edges >= low) & (edges <= high)).all():
        rule = f"edges of {low:g} to {high:g} mm are read; metres or micrometres are suspected"
        return f"voxels are {' x '.join(f'{edge:.4g}' for edge in edges)} mm", rule
    if abs(np.linalg.det(matrix[:3, :3])) < SINGULAR * edges.prod():
        return "the affine is singular", "three axes must point in three directions"
    return None


def canonical(data: np.ndarray, affine: np.ndarray, orientation_known: bool = True) -> Volume:
    """Turn and flip the axes of a volume to RAS+; no voxel is changed.

    Parameters
    ----------
    data : (X, Y, Z), axes in any order.
    affine : (4, 4), voxel to mm, RAS+.
    orientation_known : as in `Volume`.

    Examples
    --------
    >>> volume = canonical(np.arange(8.0).reshape(2, 2, 2), np.diag([-1, 1, 2, 1]))
    >>> volume.data[0, 0, 0], volume.spacing_mm, volume.affine[0, 3]
    (np.float32(4.0), (1.0, 1.0, 2.0), np.float64(-1.0))
    """
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    turn = io_orientation(affine)
    turned = affine @ inv_ornt_aff(turn, data.shape)
    data = np.ascontiguousarray(apply_orientation(data, turn), np.float32)
    spacing = np.sqrt((turned[:3, :3] ** 2).sum(axis=0))
    return Volume(data, turned, tuple(float(edge) for edge in spacing), orientation_known)
