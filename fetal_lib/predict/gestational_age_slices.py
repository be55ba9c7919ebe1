"""Cut the slices that a gestational age network reads: the same in training and afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.sets.plane_slices import (
    FIELD_SHARE,
    PlaneSlices,
    picture_slices,
    plane_slices,
)

if TYPE_CHECKING:
    from fetal_lib.sets.fetal_mri import FetalScan

COARSEST_SHARE = 0.05  # of the brain's diameter: a voxel of 2 mm at 19 weeks
VOXEL_BLUR = 0.45  # SD of the blur that a voxel stands for, in voxels


def cut_scan(scan: FetalScan, n_slices: int, size: int, size_normalised: bool) -> PlaneSlices:
    """Cut the slices of one scan, from a volume or from pictures.

    With the size normalised away, large brains are blurred to the coarseness of the smallest:
    voxels of one length would otherwise betray by their sharpness how large the brain is.

    Parameters
    ----------
    scan : FetalScan
    n_slices : a plane.
    size : side of a slice in pixels.
    size_normalised : whether a pixel is a share of the brain instead of a length.

    Raises
    ------
    ValueError
        If size is to be normalised and nothing says where the brain ends.
    """
    if scan.volume is None:
        return picture_slices(scan.pictures, n_slices, size)
    cut = plane_slices(scan.volume, n_slices, size, scan.mask, size_normalised)
    if not size_normalised:
        return cut
    return replace(cut, images=equal_blur(cut.images, cut.pixel_mm, scan.volume.spacing_mm))


def equal_blur(images: np.ndarray, pixel_mm: float, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Blur slices until a voxel's share of the brain is that of the coarsest.

    Parameters
    ----------
    images : float (n, 3, S, S), size-normalised.
    pixel_mm : length of their pixel.
    spacing_mm : of the volume they were cut from.

    Returns
    -------
    float32, same shape; unchanged where the volume is as coarse, or coarser.
    """
    from scipy import ndimage

    size = images.shape[-1]
    voxel_px = float(np.mean(spacing_mm)) / pixel_mm
    coarsest_px = COARSEST_SHARE * size / FIELD_SHARE
    sigma = VOXEL_BLUR * np.sqrt(max(0.0, coarsest_px**2 - voxel_px**2))
    return ndimage.gaussian_filter(images, (0, 0, sigma, sigma)).astype(np.float32)


def as_pictures(cut: PlaneSlices) -> np.ndarray:
    """Return slices as a network reads them: uint8 (n, S, S, 3), planes as channels."""
    return np.rint(cut.images.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
