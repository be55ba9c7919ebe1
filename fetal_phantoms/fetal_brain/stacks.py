"""Stacks of thick slices from a fetal brain: what a scanner acquires before reconstruction.

The fetus moves between slices, each slice averages over its thickness, some lose signal, and
the stacks lie askew to the head. Slices are acquired in two passes, the even ones first, so
that neighbours are seconds apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.fetal_brain.brain import FetalBrainPhantom
from fetal_phantoms.fetal_brain.fetus import calm, rotation_matrix
from fetal_phantoms.mri import bias_field, rician

PLANES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
PROFILE_OFFSETS = np.array([-0.5, -0.25, 0.0, 0.25, 0.5])  # in slice thicknesses
PROFILE_WEIGHTS = np.exp(-4 * np.log(2) * PROFILE_OFFSETS**2)  # full width at half: one slice
DROPPED_SHARE = 0.05  # slices that lose signal
NOISE_SHARE = 0.03  # of the bright end of the volume
DRIFT_MM, DRIFT_DEG, JERK_SHARE = 0.25, 0.3, 0.04


@dataclass(frozen=True)
class SliceStack:
    """Hold one stack of slices.

    Attributes
    ----------
    data : float32 (X, Y, Z); slices follow each other along the last axis.
    labels : uint8 (X, Y, Z), the label in the middle of each slice, moved with the fetus.
    affine : float64 (4, 4), voxel to mm, RAS.
    plane : ``"axial"``, ``"coronal"`` or ``"sagittal"``.
    thickness_mm : of a slice; the distance between slices is in the affine.
    motion : float64 (Z, 6), rotation in degrees and shift in mm of the head at each slice.
    dropped : bool (Z,), slices that lost signal.
    """

    data: np.ndarray
    labels: np.ndarray
    affine: np.ndarray
    plane: str
    thickness_mm: float
    motion: np.ndarray
    dropped: np.ndarray


def make_stacks(
    phantom: FetalBrainPhantom,
    seed: int,
    planes: tuple[str, ...] = tuple(PLANES),
    thickness_mm: float = 3.3,
    in_plane_mm: float = 1.1,
    gap_mm: float = 0.0,
    motion: float = 1.0,
    tilt_deg: float = 8.0,
) -> list[SliceStack]:
    """Acquire a phantom as stacks of slices.

    Parameters
    ----------
    phantom : from `make_fetal_brain`, best with ``surroundings=True`` and 1 mm.
    seed : non-negative; draws motion, tilt, noise and lost signal.
    planes : any of ``axial, coronal, sagittal``.
    thickness_mm : of a slice, 2-6 mm.
    in_plane_mm : edge of a pixel, 0.5-3 mm.
    gap_mm : between slices, 0-3 mm.
    motion : strength of the fetus' movement, 0 for none.
    tilt_deg : SD of the angles between stack and scanner axes.

    Returns
    -------
    list of SliceStack, one a plane

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from fetal_phantoms.fetal_brain.brain import make_fetal_brain
    >>> stack = make_stacks(make_fetal_brain(1, 190, 2.5), seed=0, planes=("coronal",))[0]
    >>> step = np.linalg.norm(stack.affine[:3, 2])
    >>> stack.plane, stack.data.shape == stack.labels.shape, round(float(step), 2)
    ('coronal', True, 3.3)
    """
    _check_request(seed, planes, thickness_mm, in_plane_mm, gap_mm, motion, tilt_deg)
    stacks = []
    for plane in planes:
        rng = np.random.default_rng([seed, 5, list(PLANES).index(plane)])
        tilt = rotation_matrix(tilt_deg * calm(rng, 3))
        spacing = (in_plane_mm, in_plane_mm, thickness_mm + gap_mm)
        affine, shape = _grid(phantom, plane, tilt, spacing)
        stacks.append(_acquire(phantom, plane, affine, shape, thickness_mm, motion, rng))
    return stacks


def _check_request(
    seed: int,
    planes: tuple[str, ...],
    thickness_mm: float,
    in_plane_mm: float,
    gap_mm: float,
    motion: float,
    tilt_deg: float,
) -> None:
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    unknown = [plane for plane in planes if plane not in PLANES]
    if unknown or not planes or isinstance(planes, str):
        raise ValueError(f"planes is {planes!r}; name one or more of {', '.join(PLANES)}")
    limits = {
        "thickness_mm": (thickness_mm, 2.0, 6.0),
        "in_plane_mm": (in_plane_mm, 0.5, 3.0),
        "gap_mm": (gap_mm, 0.0, 3.0),
        "motion": (motion, 0.0, 5.0),
        "tilt_deg": (tilt_deg, 0.0, 30.0),
    }
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}; it must be {low:g} to {high:g}")


def _grid(
    phantom: FetalBrainPhantom, plane: str, tilt: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return affine and shape of a stack that covers the phantom's head."""
    order = PLANES[plane]
    head = np.argwhere(phantom.labels > 0)
    corners = np.stack([head.min(axis=0), head.max(axis=0)]) @ phantom.affine[:3, :3].T
    corners = corners + phantom.affine[:3, 3]
    centre, extent = corners.mean(axis=0), np.ptp(corners, axis=0)
    axes = tilt[:, order]  # columns: directions of the stack's axes in the scanner
    cover = extent[list(order)] + np.array([24.0, 24.0, 10.0])
    shape = tuple(int(n) for n in np.ceil(cover / spacing))
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine, shape


def _acquire(
    phantom: FetalBrainPhantom,
    plane: str,
    affine: np.ndarray,
    shape: tuple[int, ...],
    thickness_mm: float,
    motion: float,
    rng: np.random.Generator,
) -> SliceStack:
    moves = _movement(shape[2], motion, rng)
    dropped = rng.random(shape[2]) < DROPPED_SHARE
    bright = np.float32(np.percentile(phantom.t2[phantom.labels > 0], 99))
    data, labels = np.empty(shape, np.float32), np.empty(shape, np.uint8)
    for k in range(shape[2]):
        plane_data, labels[:, :, k] = _slice(phantom, affine, shape, k, moves[k], thickness_mm)
        if dropped[k]:
            plane_data *= _lost_signal(shape[:2], rng)
        data[:, :, k] = plane_data
    data *= bias_field(shape, 0.06, rng)
    data = rician(data / bright, NOISE_SHARE, rng) * bright
    return SliceStack(data, labels, affine, plane, thickness_mm, moves, dropped)


def _movement(n_slices: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Return rotation (deg) and shift (mm) at each slice: a walk in time with rare jerks."""
    steps = rng.standard_normal((n_slices, 6)) * ([DRIFT_DEG] * 3 + [DRIFT_MM] * 3)
    jerks = rng.random(n_slices) < JERK_SHARE
    steps[jerks] += rng.standard_normal((int(jerks.sum()), 6)) * ([3.0] * 3 + [1.5] * 3)
    walk = np.cumsum(steps, axis=0)
    order = np.concatenate([np.arange(0, n_slices, 2), np.arange(1, n_slices, 2)])
    moves = np.empty_like(walk)
    moves[order] = strength * (walk - walk.mean(axis=0))
    return moves


def _slice(
    phantom: FetalBrainPhantom,
    affine: np.ndarray,
    shape: tuple[int, ...],
    number: int,
    move: np.ndarray,
    thickness_mm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return one slice, averaged over its thickness, and the labels in its middle."""
    from scipy import ndimage

    pixels = np.indices(shape[:2]).reshape(2, -1)
    flat = np.vstack([pixels, np.full(pixels.shape[1], number)])
    world = affine[:3, :3] @ flat + affine[:3, 3:]
    normal = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    turn = rotation_matrix(move[:3]).T  # the head moved: look where it was
    back = np.linalg.inv(phantom.affine[:3, :3])

    def at(offset: float) -> np.ndarray:
        moved = turn @ (world + (offset * thickness_mm * normal)[:, None] - move[3:, None])
        return back @ (moved - phantom.affine[:3, 3:])

    total = np.zeros(pixels.shape[1], np.float32)
    for offset, weight in zip(PROFILE_OFFSETS, PROFILE_WEIGHTS, strict=True):
        total += np.float32(weight) * ndimage.map_coordinates(
            phantom.t2, at(offset), order=1, output=np.float32
        )
    labels = ndimage.map_coordinates(phantom.labels, at(0.0), order=0)
    total /= np.float32(PROFILE_WEIGHTS.sum())
    return total.reshape(shape[:2]), labels.reshape(shape[:2])


def _lost_signal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return what is left of the signal of a slice: less over a part of it, or nearly none."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    middle, width = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.4, 1.5)
    hole = np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / width**2)
    return (1.0 - rng.uniform(0.4, 0.9) * hole).astype(np.float32)
