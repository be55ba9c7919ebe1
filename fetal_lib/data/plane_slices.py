"""Cut axial, coronal and sagittal slices around the middle of a brain.

Slices are cut along the axes of the scanner's space, whatever the volume's own grid: an oblique
stack is turned upright. With the pixel size kept, a pixel is the same length in every case, so
that size can inform age; size-normalised, a pixel is a fixed share of the brain, so that only
shape can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fetal_lib.readers.volume_grid import Volume

PLANES = ("axial", "coronal", "sagittal")
FIELD_MM = 140.0  # side of a slice where the size is kept: the largest head of 39 weeks fits
FIELD_SHARE = 1.5  # side of a slice by the diameter of a ball of the brain's volume
SPREAD_SHARE = 0.2  # outermost slices, from the middle, by the same diameter
UNKNOWN_SPREAD_MM = 12.0
MASKED_SHARE = 0.05  # of voxels that are exactly 0, at which a volume counts as masked
# Of each plane: directions of columns (to the right), rows (downwards) and slices, in RAS.
DIRECTIONS = {
    "axial": ((1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "coronal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "sagittal": ((0, -1, 0), (0, 0, -1), (1, 0, 0)),
}


@dataclass(frozen=True)
class PlaneSlices:
    """Hold slices of one brain.

    Attributes
    ----------
    images : float32 (n_slices, 3, size, size), 0 to 1; planes axial, coronal, sagittal. Axial:
        nose up, the right side right. Coronal: vertex up, the right side right. Sagittal:
        vertex up, nose to the left.
    pixel_mm : length of a pixel; NaN for pictures, whose size nobody knows.
    offsets_mm : float64 (n_slices,), distance of each slice from the middle.
    brain_ml : volume of the brain with its fluid; NaN where nothing gives it.
    """

    images: np.ndarray
    pixel_mm: float
    offsets_mm: np.ndarray
    brain_ml: float


@dataclass(frozen=True)
class BrainPlace:
    """Hold where the brain lies: middle in mm (3,), volume in mL or NaN."""

    middle_mm: np.ndarray
    volume_ml: float

    @property
    def diameter_mm(self) -> float:
        """Return the diameter of a ball of the brain's volume; NaN where that is unknown."""
        return float(np.cbrt(6000.0 * self.volume_ml / np.pi))


def plane_slices(
    volume: Volume | Mapping[str, Volume],
    n_slices: int = 1,
    size: int = 128,
    mask: np.ndarray | Mapping[str, np.ndarray] | None = None,
    size_normalised: bool = False,
    field_mm: float = FIELD_MM,
) -> PlaneSlices:
    """Cut slices of the three planes around the middle of the brain.

    Parameters
    ----------
    volume : a volume in RAS+ order; or, for stacks, one a plane by the plane's name.
    n_slices : a plane; evenly spaced, the middle one through the middle of the brain.
    size : height and width in pixels.
    mask : bool (X, Y, Z) on the volume's grid, the brain with its fluid; None takes the voxels
        that are not 0 where the volume is masked. By plane where the volume is.
    size_normalised : whether a pixel is a share of the brain (``FIELD_SHARE``) instead of
        ``field_mm / size``.
    field_mm : side of a slice in mm where the size is kept.

    Returns
    -------
    PlaneSlices

    Raises
    ------
    ValueError
        If a number is out of range, a plane is missing, a mask is empty or of another grid, or
        size is to be normalised and nothing says where the brain ends.

    Examples
    --------
    >>> data = np.zeros((20, 24, 22), np.float32)
    >>> data[5:15, 5:19, 5:17] = 1.0
    >>> box = Volume(data, np.diag([5.0, 5.0, 5.0, 1.0]), (5.0, 5.0, 5.0))
    >>> slices = plane_slices(box, n_slices=3, size=28)
    >>> slices.images.shape, slices.pixel_mm, round(slices.brain_ml)
    ((3, 3, 28, 28), 5.0, 210)
    """
    _check(n_slices, size, field_mm)
    volumes, masks = _by_plane(volume, mask)
    places = {plane: find_brain(volumes[plane], masks[plane]) for plane in PLANES}
    diameters = {plane: places[plane].diameter_mm for plane in PLANES}
    diameter = float(np.mean(list(diameters.values())))
    if size_normalised and np.isnan(diameter):
        raise ValueError(
            "mask is None and the volume is not masked, so nothing says how large the brain is; "
            "size_normalised needs that: give the brain's mask, or size_normalised=False"
        )
    pixel_mm = (FIELD_SHARE * diameter if size_normalised else field_mm) / size
    spread = UNKNOWN_SPREAD_MM if np.isnan(diameter) else SPREAD_SHARE * diameter
    offsets = np.linspace(-spread, spread, n_slices) if n_slices > 1 else np.zeros(1)
    images = np.empty((n_slices, len(PLANES), size, size), np.float32)
    for k, plane in enumerate(PLANES):
        cut = _cut(volumes[plane], places[plane].middle_mm, plane, offsets, size, pixel_mm)
        images[:, k] = _scaled(cut, volumes[plane], masks[plane])
    brain_ml = float(np.mean([place.volume_ml for place in places.values()]))
    return PlaneSlices(images, pixel_mm, offsets, brain_ml)


def picture_slices(
    pictures: Mapping[str, Sequence[np.ndarray]], n_slices: int = 1, size: int = 128
) -> PlaneSlices:
    """Choose slices from pictures of the three planes: the middle ones, evenly spaced.

    Parameters
    ----------
    pictures : uint8 arrays (H, W) of each plane, in order.
    n_slices : a plane, from the middle half of the pictures; few pictures repeat.
    size : pictures are padded to squares and resized.

    Raises
    ------
    ValueError
        If a number is out of range, or a plane has no picture.
    """
    _check(n_slices, size, FIELD_MM)
    missing = [plane for plane in PLANES if not len(pictures.get(plane, ()))]
    if missing:
        raise ValueError(f"pictures has none of {', '.join(missing)}; each plane needs one")
    images = np.empty((n_slices, len(PLANES), size, size), np.float32)
    for k, plane in enumerate(PLANES):
        last = len(pictures[plane]) - 1
        span = (0.25 * last, 0.75 * last) if n_slices > 1 else (0.5 * last, 0.5 * last)
        for i, at in enumerate(np.linspace(*span, n_slices)):
            images[i, k] = _square(pictures[plane][round(at)], size)
    return PlaneSlices(images, float("nan"), np.full(n_slices, np.nan), float("nan"))


def find_brain(volume: Volume, mask: np.ndarray | None = None) -> BrainPlace:
    """Return where the brain lies: by its mask (X, Y, Z), else where a masked volume is not 0.

    Where there is no mask and the volume shows more than the brain, the middle is that of the
    volume, and the brain's volume is unknown. A mask that is empty or of another shape is refused
    by a ValueError.
    """
    if mask is None:
        inside = volume.data != 0
        if inside.mean() > 1 - MASKED_SHARE or not inside.any():
            middle = (np.array(volume.data.shape) - 1) / 2
            return BrainPlace(volume.affine[:3, :3] @ middle + volume.affine[:3, 3], float("nan"))
    else:
        inside = np.asarray(mask) > 0
        if inside.shape != volume.data.shape or not inside.any():
            raise ValueError(
                f"mask is {inside.shape} with {int(inside.sum())} voxels set, the volume is "
                f"{volume.data.shape}; a mask must have its shape and show the brain"
            )
    voxel_ml = abs(np.linalg.det(volume.affine[:3, :3])) / 1000.0
    middle = np.array([_mean_position(inside, axis) for axis in range(3)])
    where = volume.affine[:3, :3] @ middle + volume.affine[:3, 3]
    return BrainPlace(where, float(np.count_nonzero(inside) * voxel_ml))


def plane_of(volume: Volume) -> str:
    """Return the plane that a stack's slices lie nearest to.

    Examples
    --------
    >>> plane_of(Volume(np.zeros((9, 4, 9), "f"), np.diag([1.0, 3.0, 1.0, 1.0]), (1, 3, 1)))
    'coronal'
    """
    normal = np.abs(volume.affine[:3, int(np.argmax(volume.spacing_mm))])
    return {0: "sagittal", 1: "coronal", 2: "axial"}[int(np.argmax(normal))]


def _check(n_slices: int, size: int, field_mm: float) -> None:
    if not 1 <= n_slices <= 200 or not 8 <= size <= 1024 or not 10 <= field_mm <= 500:
        raise ValueError(
            f"n_slices is {n_slices}, size {size} and field_mm {field_mm}; 1-200 slices of "
            "8-1024 pixels and 10-500 mm are cut"
        )


def _by_plane(
    volume: Volume | Mapping[str, Volume], mask: np.ndarray | Mapping[str, np.ndarray] | None
) -> tuple[dict[str, Volume], dict[str, np.ndarray | None]]:
    if isinstance(volume, Volume):
        return dict.fromkeys(PLANES, volume), dict.fromkeys(PLANES, mask)
    missing = [plane for plane in PLANES if plane not in volume]
    if missing:
        raise ValueError(f"volume has {sorted(volume)}; {', '.join(missing)} is missing")
    masks = {} if mask is None else mask
    return dict(volume), {plane: masks.get(plane) for plane in PLANES}


def _mean_position(inside: np.ndarray, axis: int) -> float:
    counts = inside.sum(axis=tuple(k for k in range(3) if k != axis))
    return float(counts @ np.arange(len(counts)) / counts.sum())


def _cut(
    volume: Volume,
    middle_mm: np.ndarray,
    plane: str,
    offsets_mm: np.ndarray,
    size: int,
    pixel_mm: float,
) -> np.ndarray:
    """Return slices (n, size, size) of one plane, 0 outside the volume."""
    from scipy import ndimage

    right, down, along = (np.array(direction, float) for direction in DIRECTIONS[plane])
    steps = (np.arange(size) - (size - 1) / 2) * pixel_mm
    world = (
        middle_mm[:, None, None, None]
        + along[:, None, None, None] * offsets_mm[None, :, None, None]
        + down[:, None, None, None] * steps[None, None, :, None]
        + right[:, None, None, None] * steps[None, None, None, :]
    )
    back = np.linalg.inv(volume.affine)
    at = np.tensordot(back[:3, :3], world, axes=1) + back[:3, 3][:, None, None, None]
    return ndimage.map_coordinates(volume.data, at, order=1, output=np.float32)


def _scaled(cut: np.ndarray, volume: Volume, mask: np.ndarray | None) -> np.ndarray:
    """Return slices from 0 to 1: 0 stays black, the brain's bright end becomes 1."""
    shown = volume.data[mask > 0] if mask is not None else volume.data[volume.data != 0]
    if not shown.size:
        return np.zeros_like(cut)
    low = min(0.0, float(np.percentile(shown, 1)))
    high = float(np.percentile(shown, 99.5))
    return np.clip((cut - low) / max(high - low, 1e-6), 0.0, 1.0)


def _square(picture: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    side = max(picture.shape)
    square = np.zeros((side, side), np.uint8)
    top, left = ((side - n) // 2 for n in picture.shape)
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    resized = Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32) / 255.0
