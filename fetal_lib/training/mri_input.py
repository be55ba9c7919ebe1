"""Prepare T1 volumes for a network with SimpleITK: even brightness, unit variance, one grid.

The steps of source 004: correct the bias field (N4), normalise inside the brain mask, set what is
outside to zero, and resample about the image's centre to 64³ voxels of 3 mm (or 128³ of 1.5 mm),
with cubic B-splines for the image and the nearest neighbour for labels, which have no in-between.

References
----------
Tustison NJ et al. N4ITK: improved N3 bias correction. IEEE TMI 2010;29:1310-1320.
doi:10.1109/TMI.2010.2046908
Lowekamp BC et al. The design of SimpleITK. Front Neuroinform 2013;7:45.
doi:10.3389/fninf.2013.00045
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import SimpleITK

TO_LPS = np.diag([-1.0, -1.0, 1.0])
"""NIfTI's axes point to the right and the front; those of DICOM and ITK to the left and back."""


def to_sitk(volume: np.ndarray, affine: np.ndarray) -> SimpleITK.Image:
    """Return an array as a SimpleITK image in the same place.

    Parameters
    ----------
    volume : (X, Y, Z)
    affine : (4, 4), voxel to mm, RAS; axes at right angles.

    Examples
    --------
    >>> image = to_sitk(np.zeros((4, 5, 6), "float32"), np.diag([2.0, 2, 3, 1]))
    >>> image.GetSize(), image.GetSpacing()
    ((4, 5, 6), (2.0, 2.0, 3.0))
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(np.asarray(volume).transpose(2, 1, 0)))
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    image.SetSpacing([float(s) for s in spacing])
    image.SetOrigin((TO_LPS @ affine[:3, 3]).tolist())
    image.SetDirection((TO_LPS @ (affine[:3, :3] / spacing)).ravel().tolist())
    return image


def from_sitk(image: SimpleITK.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return array (X, Y, Z) and affine (4, 4), RAS, of a SimpleITK image."""
    import SimpleITK as sitk

    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (3, 3))
    affine[:3, :3] = TO_LPS @ direction * np.asarray(image.GetSpacing())
    affine[:3, 3] = TO_LPS @ np.asarray(image.GetOrigin())
    return sitk.GetArrayFromImage(image).transpose(2, 1, 0), affine


def correct_bias_field(
    t1: np.ndarray, affine: np.ndarray, mask: np.ndarray, shrink: int = 2, iterations: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """Divide a scan by its uneven brightness, found by N4.

    Parameters
    ----------
    t1 : (X, Y, Z)
    affine : (4, 4)
    mask : bool (X, Y, Z), where the brightness is judged.
    shrink : the field is found on a grid coarser by this factor, and is smooth anyway.
    iterations : at each of four levels of detail; three leave half of a strong field behind.

    Returns
    -------
    corrected, field : float32 (X, Y, Z); the field has mean 1 inside the mask.
    """
    import SimpleITK as sitk

    image = to_sitk(np.asarray(t1, np.float32), affine)
    inside = to_sitk(mask.astype(np.uint8), affine)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations([iterations] * 4)
    n4.SetNumberOfThreads(1)  # the sums of several threads differ in the last digits
    n4.Execute(sitk.Shrink(image, [shrink] * 3), sitk.Shrink(inside, [shrink] * 3))
    log_field, _ = from_sitk(n4.GetLogBiasFieldAsImage(image))
    field = np.exp(log_field).astype(np.float32)
    field /= field[mask].mean()
    return np.asarray(t1, np.float32) / field, field


def normalise(t1: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the scan with mean 0 and variance 1 inside the mask and 0 outside.

    Raises
    ------
    ValueError
        If the mask is empty, or the scan is constant inside it.

    Examples
    --------
    >>> normalise(np.array([[[7.0, 1.0, 3.0]]]), np.array([[[False, True, True]]])).tolist()
    [[[0.0, -1.0, 1.0]]]
    """
    inside = np.asarray(t1, np.float32)[mask]
    if not inside.size or inside.std() == 0:
        raise ValueError(
            f"mask: received {inside.size} voxels, all of one intensity; a brain has contrast. "
            "Look at the scan and at its mask."
        )
    out = np.zeros(t1.shape, np.float32)
    out[mask] = (inside - inside.mean()) / inside.std()
    return out


def resample(
    volume: np.ndarray, affine: np.ndarray, spacing_mm: float, side: int, nearest: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Bring a volume to a cube of voxels about its own centre.

    Where the new voxels are one, two, ... of the old ones wide, the centre moves by up to half a
    voxel so that old voxels are hit: half a voxel off, labels and image would part company.

    Parameters
    ----------
    volume : (X, Y, Z)
    affine : (4, 4)
    spacing_mm : edge of a voxel that comes out.
    side : voxels along each axis that come out.
    nearest : nearest neighbour, for labels; otherwise cubic B-splines.

    Returns
    -------
    resampled : (side, side, side), of the volume's type for labels, else float32.
    affine : float64 (4, 4)
    """
    import SimpleITK as sitk

    kind = volume.dtype if nearest else np.float32
    image = to_sitk(np.asarray(volume, kind), affine)
    steps = spacing_mm / np.asarray(image.GetSpacing())
    first = (np.asarray(image.GetSize()) - 1) / 2 - steps * (side - 1) / 2
    whole = np.abs(steps - np.rint(steps)) < 1e-4
    first = np.where(whole, np.floor(first + 0.5), first)
    if np.allclose(steps, 1, atol=1e-4):  # the same voxels: cut and pad, nothing to interpolate
        return _cut_and_pad(np.asarray(volume, kind), affine, first.astype(int), side)
    origin = np.asarray(image.TransformContinuousIndexToPhysicalPoint(first.tolist()))
    how = sitk.sitkNearestNeighbor if nearest else sitk.sitkBSpline
    grid = ([side] * 3, sitk.Transform(), how, origin.tolist(), [spacing_mm] * 3)
    moved = sitk.Resample(image, *grid, image.GetDirection(), 0.0)
    return from_sitk(moved)


def _cut_and_pad(
    volume: np.ndarray, affine: np.ndarray, first: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    out = np.zeros((side,) * 3, volume.dtype)
    spans = [
        (max(0, a), min(n, a + side)) for a, n in zip(first.tolist(), volume.shape, strict=True)
    ]
    source = tuple(slice(low, high) for low, high in spans)
    target = tuple(slice(s.start - a, s.stop - a) for s, a in zip(source, first, strict=True))
    out[target] = volume[source]
    moved = np.array(affine, float)
    moved[:3, 3] += moved[:3, :3] @ first
    return out, moved


def network_input(
    t1: np.ndarray, affine: np.ndarray, mask: np.ndarray, spacing_mm: float, side: int
) -> np.ndarray:
    """Return what a network is fed: normalised once, resampled once, 0 outside the brain.

    Source 004 did both twice for its age network.

    Returns
    -------
    float32 (side, side, side)
    """
    values, _ = resample(normalise(t1, mask), affine, spacing_mm, side)
    inside, _ = resample(mask.astype(np.uint8), affine, spacing_mm, side, nearest=True)
    return np.where(inside > 0, values, 0).astype(np.float32)
