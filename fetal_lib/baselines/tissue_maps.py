"""Age from maps of tissue: block means of a scan's tissues, and kernels between such maps.

Voxel-based morphometry in short: in template space, how much of each place is CSF, gray or white
matter. Maps are averaged over 2 x 2 x 2 voxels and blurred, then a linear or Gaussian kernel
compares two brains, and kernel ridge does the rest.

References
----------
Ashburner J, Friston KJ. Voxel-based morphometry: the methods. NeuroImage 2000;11:805-821.
doi:10.1006/nimg.2000.0582
Franke K et al. Estimating the age of healthy subjects from T1-weighted MRI scans using kernel
methods. NeuroImage 2010;50:883-892. doi:10.1016/j.neuroimage.2010.01.005
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from fetal_lib.baselines.mni_space import GRID_MM, grid_affine, template_on

WIDTHS = (0.5, 1.0, 2.0, 4.0)
"""Widths of the Gaussian kernels, as multiples of the median squared distance."""


def block_means(maps: np.ndarray, factor: int = 2) -> np.ndarray:
    """Average maps over cubes of voxels; what is left over at the far faces is cut off.

    Parameters
    ----------
    maps : float (C, X, Y, Z)
    factor : side of a cube.

    Returns
    -------
    float32 (C, X // factor, Y // factor, Z // factor)

    Examples
    --------
    >>> block_means(np.arange(16.0).reshape(1, 2, 2, 4)).tolist()
    [[[[6.5, 8.5]]]]
    """
    c, *space = maps.shape
    whole = [n // factor for n in space]
    cut = maps[:, : whole[0] * factor, : whole[1] * factor, : whole[2] * factor]
    cubes = cut.reshape(c, whole[0], factor, whole[1], factor, whole[2], factor)
    return cubes.mean(axis=(2, 4, 6), dtype=np.float32)


def smooth_maps(maps: np.ndarray, sigma: float) -> np.ndarray:
    """Return maps (N, C, X, Y, Z) blurred with a Gaussian of an SD in voxels, as (N, F) float32.

    Voxels where no map ever differs from 0 are left out.
    """
    from scipy import ndimage

    out = np.empty((len(maps), *maps.shape[1:]), np.float32)
    for k, case in enumerate(maps):
        for c, part in enumerate(case):
            ndimage.gaussian_filter(part.astype(np.float32), sigma, output=out[k, c])
    flat = out.reshape(len(maps), -1)
    return flat[:, flat.max(axis=0) > 0.02]


BLUR = 2.0
"""SD of the blur of `age_features` in voxels of 4 mm: what is finer is folding and noise."""


def age_features(maps: np.ndarray) -> np.ndarray:
    """Return the tissue maps of one brain as a few thousand numbers: even, blurred, every 8 mm.

    The two halves of the brain are averaged, since both age; what lies far from the template's
    brain is left out.

    Parameters
    ----------
    maps : float (3, 45, 54, 45), `block_means` of the shares of CSF, gray and white matter on the
        2 mm grid.

    Returns
    -------
    float32 (F,)
    """
    from scipy import ndimage

    even = (maps + maps[:, ::-1]).astype(np.float32) / 2
    half = even.shape[1] // 2 + 1
    blurred = np.stack([ndimage.gaussian_filter(part, BLUR) for part in even])
    return blurred[:, :half:2, ::2, ::2][:, _near_brain(even.shape[1:])].ravel()


@lru_cache(maxsize=2)
def _near_brain(shape: tuple[int, int, int]) -> np.ndarray:
    """Return which voxels of the left half, every second along each axis, are near the brain."""
    affine = grid_affine()
    affine[:3, 3] += GRID_MM / 2
    affine[:3, :3] *= 2
    return template_on(shape, affine).near[: shape[0] // 2 + 1 : 2, ::2, ::2]


def linear_kernel(features: np.ndarray) -> np.ndarray:
    """Return the products of centred features (N, F), with a mean diagonal of 1; float64 (N, N)."""
    centred = features - features.mean(axis=0)
    gram = (centred @ centred.T).astype(float)
    level = gram.diagonal().mean()
    return gram / level if level > 0 else gram  # a tissue that is nowhere says nothing


def gaussian_kernels(gram: np.ndarray, widths: Sequence[float] = WIDTHS) -> list[np.ndarray]:
    """Return Gaussian kernels of the distances that a linear kernel implies."""
    squared = gram.diagonal()[:, None] + gram.diagonal()[None] - 2 * gram
    scale = np.median(squared[np.triu_indices(len(gram), 1)])
    return [np.exp(-squared / (width * scale)) for width in widths]


def map_kernels(
    maps: np.ndarray, sigmas: Sequence[float] = (1.0, 1.5)
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return linear and Gaussian kernels between all cases, by name.

    Parameters
    ----------
    maps : float (N, C, X, Y, Z), C tissues.
    sigmas : SDs of the blur in voxels.

    Returns
    -------
    linear, gaussian : dict of float64 (N, N)
    """
    linear, gaussian = {}, {}
    for sigma in sigmas:
        gram = sum(
            linear_kernel(smooth_maps(maps[:, c : c + 1], sigma)) for c in range(maps.shape[1])
        )
        linear[f"linear, blur {sigma:g}"] = gram / maps.shape[1]
        for width, kernel in zip(WIDTHS, gaussian_kernels(gram), strict=True):
            gaussian[f"width {width:g}, blur {sigma:g}"] = kernel
    return linear, gaussian
