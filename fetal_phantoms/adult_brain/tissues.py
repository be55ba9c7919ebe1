"""Cut a head into tissues so that every volume is met to the voxel.

The warped template gives each voxel four scores. The voxels of highest score become the
intracranial space, then the ventricles, then the sulci, then white matter, each as many as
the person's volume asks for; what is left is gray matter. So the label volumes are exact, and
an older brain has wider sulci and a thinner cortex at the same places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.adult_brain import warp
from fetal_phantoms.adult_brain.subject import Person
from fetal_phantoms.adult_brain.template import load_template, sample
from fetal_phantoms.mri import along_axis, grid_affine, highest, laid_out, nth_highest

BACKGROUND, CSF, GRAY, WHITE = range(4)
FIRST_MM, LAST_MM = np.array([-90.0, -126.0, -72.0]), np.array([90.0, 90.0, 108.0])
STRETCH_SD = 0.025  # of the head's length, width and height, at the same volume
EDGE_VOXELS = 1.7  # a tissue gives way to the next over this many voxels: partial volume
WIDTH_SD, WIDTH_MM = 0.07, 9.0  # how much wider some sulci are than others, and over what length
CORTEX_MM = 2.2  # white matter keeps this far from sulci: the cortex
FOLD_MM, FOLD_DEPTH_MM = 5.0, 13.0  # own folds of the person, where a random field is zero


@dataclass(frozen=True)
class Tissues:
    """Hold the tissues of a head on a grid.

    Attributes
    ----------
    labels : uint8 (X, Y, Z), 0 background, 1 CSF, 2 gray matter, 3 white matter.
    shares : float32 (X, Y, Z, 3), CSF, gray and white in each voxel; sum 1 in the head.
    texture : float32 (X, Y, Z), T1 of nuclei and tracts relative to white matter.
    wall_mm : float32 (X, Y, Z), distance from the ventricles' walls, positive outside.
    affine : float64 (4, 4), voxel to mm, RAS.
    """

    labels: np.ndarray
    shares: np.ndarray
    texture: np.ndarray
    wall_mm: np.ndarray
    affine: np.ndarray


def grid_axes(spacing_mm: float) -> list[np.ndarray]:
    """Return the voxel centres along x, y and z in mm; at 2 mm, MNI space's 91 x 109 x 91."""
    sizes = np.floor((LAST_MM - FIRST_MM) / spacing_mm + 1e-6).astype(int) + 1
    return [low + spacing_mm * np.arange(n) for low, n in zip(FIRST_MM, sizes, strict=True)]


def cut_tissues(
    person: Person, rng: np.random.Generator, spacing_mm: float, scale: float = 1.0
) -> Tissues:
    """Return the tissues of a person's head, enlarged by a scale; `rng` draws its shape."""
    axes = grid_axes(spacing_mm)
    shape = tuple(len(axis) for axis in axes)
    points = _template_points(person, rng, axes, scale)
    scores = sample(load_template(), points[0], 1)[:, 0]
    n_voxels = _voxel_counts(person, spacing_mm, scale)
    inside = highest(scores, n_voxels["head"])
    space = _Voxels(points[1][inside], shape)
    mask_mm, ventricles_mm, sulci, white, texture = sample(load_template(), points[0][inside]).T
    fold = _noise(rng, axes, space, FOLD_MM)
    belt = np.exp(-((np.maximum(mask_mm, 0.0) / FOLD_DEPTH_MM) ** 2))
    wider = WIDTH_SD * _noise(rng, axes, space, WIDTH_MM)
    white = white - 0.75 * belt * np.exp(-((fold / 0.7) ** 2))
    sulci = sulci + 0.25 * belt * np.exp(-((fold / 0.3) ** 2)) + wider - 0.5 * np.maximum(white, 0)
    texture = texture - 0.12 * np.clip(1.0 - white, 0.0, 1.0)
    labels, shares = _cut(space, ventricles_mm, sulci, white, n_voxels, CORTEX_MM / spacing_mm)
    wall = nth_highest(ventricles_mm, n_voxels["ventricles"]) - ventricles_mm
    return Tissues(
        labels=space.volume(labels),
        shares=np.stack([space.volume(share) for share in shares], axis=-1),
        texture=space.volume(texture),
        wall_mm=space.volume(wall, 99.0),
        affine=grid_affine(axes),
    )


class _Voxels:
    """Move values between a list of voxels and the volume that they come from."""

    def __init__(self, index: np.ndarray, shape: tuple[int, ...]) -> None:
        self.index, self.shape = index, shape

    def volume(self, values: np.ndarray, fill: float = 0.0) -> np.ndarray:
        return laid_out(values, self.index, self.shape, fill)

    def steepness(self, values: np.ndarray) -> np.ndarray:
        """Return the slope of a score per voxel; across the head's edge it is not counted."""
        full = self.volume(values)
        known = self.volume(np.ones(len(values), bool), False)
        total = np.zeros(len(values), np.float32)
        for axis in range(3):
            step = np.diff(full, axis=axis)
            step *= np.diff(known.astype(np.int8), axis=axis) == 0
            both = [(0, 0)] * 3
            both[axis] = (1, 1)
            step = np.pad(step, both)
            total += np.maximum(*(self._steps(step, axis, k) for k in (0, 1))) ** 2
        return np.sqrt(total)

    def _steps(self, step: np.ndarray, axis: int, start: int) -> np.ndarray:
        part = np.take(step, range(start, start + self.shape[axis]), axis=axis)
        return np.abs(part.reshape(-1)[self.index])


def _template_points(
    person: Person, rng: np.random.Generator, axes: list[np.ndarray], scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return template points (N, 3) of the voxels near the head, and their flat indices."""
    template = load_template()
    size = (template.tiv_ml / person.tiv_ml) ** (1 / 3) / scale
    stretch = np.exp(STRETCH_SD * rng.standard_normal(3))
    stretch = size * stretch / np.cbrt(stretch.prod())
    relative_ml = person.ventricles_ml * template.tiv_ml / person.tiv_ml
    amplitude = warp.ventricle_amplitude(relative_ml)
    velocity = warp.random_velocity(rng) + amplitude * warp.ventricle_velocity()
    scaled = [(axis * s).astype(np.float32) for axis, s in zip(axes, stretch, strict=True)]
    moved = warp.on_grid(warp.displacement(velocity), scaled)
    for axis, positions in enumerate(scaled):
        moved[axis] += positions.reshape([-1 if k == axis else 1 for k in range(3)])
    x, y, z = moved
    near = ((x / 85) ** 2 + ((y + 17) / 105) ** 2 + ((z - 0) / 100) ** 2 < 1) & (z > -78)
    index = np.flatnonzero(near)
    return moved.reshape(3, -1)[:, index].T.copy(), index


def _voxel_counts(person: Person, spacing_mm: float, scale: float) -> dict[str, int]:
    def count(volume_ml: float) -> int:
        return round(volume_ml * 1000.0 * scale**3 / spacing_mm**3)

    ventricles = count(person.ventricles_ml)
    return {
        "head": count(person.tiv_ml),
        "ventricles": ventricles,
        "sulci": count(person.csf_ml) - ventricles,
        "white": count(person.white_ml),
    }


def _cut(
    space: _Voxels,
    ventricles: np.ndarray,
    sulci: np.ndarray,
    white: np.ndarray,
    n: dict[str, int],
    cortex_voxels: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (N,) and shares of CSF, gray and white (3, N)."""
    labels = np.full(len(white), GRAY, np.uint8)
    first = highest(ventricles, n["ventricles"])
    labels[first] = CSF
    free = np.where(labels == CSF, -np.inf, sulci)
    outer = highest(free, n["sulci"])
    labels[outer] = CSF
    white = white - _nearness(space, outer, cortex_voxels)
    tissue = np.where(labels == CSF, -np.inf, white)
    labels[highest(tissue, n["white"])] = WHITE
    fluid = np.maximum(
        _share(space, ventricles, nth_highest(ventricles, n["ventricles"])),
        _share(space, sulci, nth_highest(free, n["sulci"])),
    )
    whiteness = _share(space, white, nth_highest(tissue, n["white"]))
    return labels, np.stack([fluid, (1 - fluid) * (1 - whiteness), (1 - fluid) * whiteness])


def _nearness(space: _Voxels, outer: np.ndarray, sigma_voxels: float) -> np.ndarray:
    """Return how near a voxel is to fluid outside the ventricles: cortex lies between."""
    from scipy import ndimage

    fluid = np.zeros(len(space.index), np.float32)
    fluid[outer] = 1.0
    spread = ndimage.gaussian_filter(space.volume(fluid), sigma_voxels, truncate=2.5)
    return 1.5 * spread.reshape(-1)[space.index]


def _share(space: _Voxels, scores: np.ndarray, level: np.float32) -> np.ndarray:
    """Return how much of a voxel lies above a level: its distance to it, per edge width."""
    slope = space.steepness(scores)
    slope = np.maximum(slope, 0.35 * np.median(slope)) * np.float32(EDGE_VOXELS)
    return np.clip(0.5 + (scores - level) / slope, 0.0, 1.0)


def _noise(
    rng: np.random.Generator, axes: list[np.ndarray], space: _Voxels, length_mm: float
) -> np.ndarray:
    """Return smooth noise of SD 1 at the voxels, drawn on a grid that no spacing changes."""
    from scipy import ndimage

    step = length_mm / 1.5
    shape = np.ceil((LAST_MM - FIRST_MM) / step).astype(int) + 2
    coarse = rng.standard_normal(shape).astype(np.float32)
    coarse = ndimage.gaussian_filter(coarse, 1.5) - ndimage.gaussian_filter(coarse, 3.0)
    coarse /= coarse.std()
    for axis, at in enumerate(axes):
        weights = _linear_weights((at - FIRST_MM[axis]) / step, shape[axis])
        coarse = along_axis(coarse, axis, weights)
    return coarse.reshape(-1)[space.index]


def _linear_weights(at: np.ndarray, n: int) -> np.ndarray:
    return np.clip(1.0 - np.abs(at[:, None] - np.arange(n)), 0.0, 1.0).astype(np.float32)
