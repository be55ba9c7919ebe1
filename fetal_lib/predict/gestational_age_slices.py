"""Cut the slices that a gestational age network reads: the same in training and afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.plane_slices import (
    FIELD_SHARE,
    PlaneSlices,
    picture_slices,
    plane_slices,
)
from fetal_lib.readers.volume_grid import Volume

if TYPE_CHECKING:
    from fetal_lib.data.layouts.fetal_scan import FetalScan

COARSEST_SHARE = 0.0375  # of the brain's diameter: a voxel of 1.5 mm at 19 weeks
VOXEL_BLUR = 0.45  # SD of the blur that a voxel stands for, in voxels
OUTLINE_BLUR = 0.75  # SD of the blur that rounds the steps of an outline, in coarsest voxels


def cut_scan(scan: FetalScan, n_slices: int, size: int, size_normalised: bool) -> PlaneSlices:
    """Cut the slices of one scan, from a volume or from pictures.

    With the size normalised away, large brains are blurred to the coarseness of the smallest, and
    all outlines are rounded alike: voxels of one length would otherwise betray by their sharpness
    and their steps how large the brain is.

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
    volume, mask = scan.volume, scan.mask
    cut = plane_slices(volume, n_slices, size, mask, size_normalised)
    if not size_normalised:
        return cut
    brain = (volume.data != 0 if mask is None else mask > 0).astype(np.float32)
    whole = Volume(brain, volume.affine, volume.spacing_mm)
    inside = plane_slices(whole, n_slices, size, brain > 0, True).images
    images = equal_blur(cut.images, inside, cut.pixel_mm, volume.spacing_mm)
    return replace(cut, images=images)


def equal_blur(
    images: np.ndarray, inside: np.ndarray, pixel_mm: float, spacing_mm: tuple[float, ...]
) -> np.ndarray:
    """Blur slices (n, 3, S, S) until a voxel's share of the brain is that of the coarsest.

    They are size-normalised. ``inside`` is the share of each pixel that is brain; ``spacing_mm``
    is of the volume that the slices were cut from. The result is float32 and 0 outside an outline
    that was rounded by the same blur in all brains; what is not brain has no part in the blur.
    """
    size = images.shape[-1]
    voxel_px = float(np.mean(spacing_mm)) / pixel_mm
    coarsest_px = COARSEST_SHARE * size / FIELD_SHARE
    sigma = VOXEL_BLUR * np.sqrt(max(0.0, coarsest_px**2 - voxel_px**2))
    outline = _blurred(inside, float(np.hypot(sigma, OUTLINE_BLUR * coarsest_px))) > 0.5
    shown = _blurred(images, sigma) / np.maximum(_blurred(inside, sigma), 1e-3)
    return np.where(outline, np.clip(shown, 0, 1), 0).astype(np.float32)


def _blurred(slices: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    return ndimage.gaussian_filter(slices, (0, 0, sigma, sigma), truncate=3.0)


def as_pictures(cut: PlaneSlices) -> np.ndarray:
    """Return slices as a network reads them: uint8 (n, S, S, 3), planes as channels."""
    return np.rint(cut.images.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
