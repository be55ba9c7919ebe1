"""Where a fetal brain lies in a scan of any contrast, and a grid that is cut around it.

A scan comes with a mask, masked (one value all around), or with what lies around the brain; the
background may have any value. The grid is a share of the brain's size, upright in the scanner's
space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.plane_slices import FIELD_SHARE, BrainPlace
from fetal_lib.readers.volume_grid import Volume

if TYPE_CHECKING:
    from fetal_lib.data.layouts.fetal_scan import FetalScan

SIDE = 64
FINEST_MM = 0.7  # finer voxels are averaged in blocks
EVEN_BORDER = 0.5  # share of the border that has one value where a scan is masked
FAINT = 0.02  # of the bright end: below it, a masked scan is taken to show nothing
UNKNOWN_ML = 520.0  # of a ball whose field is 150 mm: a whole head fits
MOST_SHOWN = 0.7  # of the voxels; a scan that shows more is not masked


@dataclass(frozen=True)
class ShownBrain:
    """Hold a scan whose background is 0, and where its brain may lie.

    Attributes
    ----------
    volume : float32 data of 0 and above.
    place : middle and volume of what is shown; a guess where all is shown.
    known : whether a mask or the background says where the brain ends.
    """

    volume: Volume
    place: BrainPlace
    known: bool


def shown_brain(scan: FetalScan) -> ShownBrain:
    """Return a scan without its background: by its mask, else by the one value around it."""
    volume, mask = scan.volume, scan.mask
    data = volume.data
    if mask is not None and mask.any():
        inside = mask > 0
        data = np.where(inside, _from_zero(data, inside), 0)
    else:
        background = _background(data)
        if background is None:
            return _everything(volume, data - data.min())
        data = _from_zero(data - np.float32(background), data != background)
        bright = float(np.percentile(data[data > 0], 99)) if (data > 0).any() else 0.0
        inside = data > FAINT * bright
        if not inside.any() or inside.mean() > MOST_SHOWN:
            return _everything(volume, data)
    voxel_ml = abs(np.linalg.det(volume.affine[:3, :3])) / 1000.0
    where = np.argwhere(inside)
    middle = volume.affine[:3, :3] @ where.mean(axis=0) + volume.affine[:3, 3]
    whole, affine = _coarser(np.asarray(data, np.float32), volume)
    shown = Volume(whole, affine, volume.spacing_mm)
    return ShownBrain(shown, BrainPlace(middle, len(where) * voxel_ml), True)


def cut_grid(volume: Volume, place: BrainPlace) -> np.ndarray:
    """Return a scan on a grid around a brain: float32 (64, 64, 64), RAS, 0 outside the scan."""
    from scipy import ndimage

    step = FIELD_SHARE * place.diameter_mm / SIDE
    axis = (np.arange(SIDE) - (SIDE - 1) / 2) * step
    back = np.linalg.inv(volume.affine)
    world = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")) + np.reshape(
        place.middle_mm, (3, 1, 1, 1)
    )
    at = np.tensordot(back[:3, :3], world, axes=1) + back[:3, 3][:, None, None, None]
    shape = np.array(volume.data.shape)
    low = np.clip(np.floor(at.min(axis=(1, 2, 3))).astype(int) - 3, 0, shape - 1)
    high = np.clip(np.ceil(at.max(axis=(1, 2, 3))).astype(int) + 4, low + 1, shape)
    part = volume.data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    voxels = np.sqrt((volume.affine[:3, :3] ** 2).sum(axis=0))
    sigma = 0.42 * np.sqrt(np.maximum(0.0, (step / voxels) ** 2 - 1))
    part = ndimage.gaussian_filter(part, sigma, truncate=2.5)
    return ndimage.map_coordinates(part, at - low.reshape(3, 1, 1, 1), order=1, output=np.float32)


def brain_on_grid(share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the brain's largest connected part on a grid, and its middle (3,) in voxels.

    ``share`` (S, S, S) is how much of each place is brain; the part is as it, 0 elsewhere.
    """
    from scipy import ndimage

    parts, n = ndimage.label(share > 0.5)
    if n == 0:
        return np.zeros_like(share), np.full(3, (len(share) - 1) / 2)
    sizes = np.bincount(parts.ravel())[1:]
    own = ndimage.binary_dilation(parts == 1 + int(sizes.argmax()), iterations=2)
    part = np.where(own, share, 0)
    along = np.arange(len(share))
    sums = [part.sum(axis=tuple(j for j in range(3) if j != k)) for k in range(3)]
    return part, np.array([one @ along / one.sum() for one in sums])


def place_of(share: np.ndarray, before: BrainPlace) -> BrainPlace:
    """Return where a brain lies by its share of each place of a grid (S, S, S).

    ``before`` is where the grid was cut.
    """
    part, middle = brain_on_grid(share)
    step = FIELD_SHARE * before.diameter_mm / len(share)
    shift = (middle - (len(share) - 1) / 2) * step
    return BrainPlace(before.middle_mm + shift, float(part.sum(dtype=float)) * step**3 / 1000.0)


def standardised(image: np.ndarray) -> np.ndarray:
    """Return an image with its 99th percentile above 0 at 1, cut at 0 and 1.5; float32."""
    shown = image[image > 0]
    bright = float(np.percentile(shown[:: max(1, shown.size // 20000)], 99)) if shown.size else 1
    return np.clip(image / np.float32(max(bright, 1e-6)), 0, 1.5).astype(np.float32)


def _everything(volume: Volume, data: np.ndarray) -> ShownBrain:
    middle = volume.affine[:3, :3] @ ((np.array(data.shape) - 1) / 2) + volume.affine[:3, 3]
    whole, affine = _coarser(np.asarray(data, np.float32), volume)
    place = BrainPlace(middle, UNKNOWN_ML)
    return ShownBrain(Volume(whole, affine, volume.spacing_mm), place, False)


def _background(data: np.ndarray) -> float | None:
    """Return the value that most of a scan's border has; None where there is none."""
    faces = [np.take(data, end, axis=axis).ravel() for axis in range(3) for end in (0, -1)]
    values, counts = np.unique(np.concatenate(faces), return_counts=True)
    most = int(counts.argmax())
    return float(values[most]) if counts[most] >= EVEN_BORDER * counts.sum() else None


def _from_zero(data: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return data that start at 0; a few values below it are cut, many move the start."""
    shown = data[inside]
    if shown.size and float((shown < 0).mean()) > 0.02:
        data = data - np.float32(np.percentile(shown, 0.5))
        data = np.where(inside, data, 0)
    return np.maximum(data, 0)


def _coarser(data: np.ndarray, volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Average fine voxels in blocks; return data and their affine."""
    edges = np.sqrt((volume.affine[:3, :3] ** 2).sum(axis=0))
    n = np.maximum(1, np.floor(2 * FINEST_MM / edges)).astype(int)
    n = np.minimum(n, data.shape)
    if (n == 1).all():
        return data, volume.affine
    kept = data[tuple(slice(0, s // k * k) for s, k in zip(data.shape, n, strict=True))]
    x, y, z = (s // k for s, k in zip(kept.shape, n, strict=True))
    blocks = kept.reshape(x, n[0], y, n[1], z, n[2]).mean(axis=(1, 3, 5))
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ ((n - 1) / 2)
    affine[:3, :3] *= n
    return blocks.astype(np.float32), affine
