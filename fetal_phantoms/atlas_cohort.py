"""Individuals from an atlas: templates by week become fetuses of any age between them.

The two templates around an age are brought to one size and blended, then turned, stretched and
warped by a diffeomorphism of its own, and scanned anew: contrast, blur, uneven brightness, noise.
What it is not: folds of two templates that do not meet are blended, not matched, and all
individuals of an atlas share its few templates. A model is trained on one atlas and tested on
another; folds within one atlas flatter it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fetal_phantoms.diffeomorphism import exponential, jacobian_determinant, random_velocity
from fetal_phantoms.fetal_brain.fetus import SIZE_SD, calm, draw_aspect, draw_rotation
from fetal_phantoms.mri import bias_field, grid_affine, rician

GENERATOR_VERSION = "1"
FIELD_SPACING_MM = 3.0  # of the grid that warps are drawn on
WARP_LENGTH_MM, WARP_SD_MM = 9.0, 1.5  # at a brain of 80 mm; they grow with it
USUAL_DIAMETER_MM = 80.0
MARGIN_MM = 6.0
SPACING_MM = (0.6, 3.0)


@dataclass(frozen=True)
class Template:
    """Hold one template of an atlas.

    Attributes
    ----------
    ga_days : age it stands for.
    image : float32 (X, Y, Z), RAS.
    labels : uint8 (X, Y, Z), the atlas' own numbers, 0 outside the brain.
    affine : float64 (4, 4), voxel to mm.
    """

    ga_days: float
    image: np.ndarray
    labels: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class Individual:
    """Hold a fetus made from templates.

    Attributes
    ----------
    t2 : float32 (X, Y, Z), 0 outside the brain.
    labels : uint8 (X, Y, Z), the atlas' own numbers.
    affine : float64 (4, 4), voxel to mm, RAS, origin in the middle.
    ga_days : gestational age in days.
    jacobian : float64 (x, y, z), stretch in volume by the warp, on a grid of 3 mm.
    """

    t2: np.ndarray
    labels: np.ndarray
    affine: np.ndarray
    ga_days: float
    jacobian: np.ndarray


def make_individual(
    templates: Sequence[Template],
    seed: int,
    ga_days: float | None = None,
    spacing_mm: float = 1.0,
    warp: float = 1.0,
) -> Individual:
    """Make one individual.

    Parameters
    ----------
    templates : of one atlas; several of one age are taken in turn, at random.
    seed : non-negative; the individual.
    ga_days : within the ages of the templates; None draws it evenly.
    spacing_mm : edge of a voxel, 0.6-3 mm.
    warp : strength of the warp, 0 for none to 3.

    Returns
    -------
    Individual

    Raises
    ------
    ValueError
        If a parameter is out of range, or a template shows no brain.
    """
    ages = _checked(templates, seed, ga_days, spacing_mm, warp)
    rng = np.random.default_rng([seed, 11])
    drawn = float(rng.uniform(ages[0], ages[-1]))
    ga_days = drawn if ga_days is None else float(ga_days)
    pair, share = _around(templates, ages, ga_days, rng)
    brains = [_Brain(template) for template in pair]
    size = np.exp(SIZE_SD / 3 * calm(rng, 1)[0])
    diameter = size * np.exp((1 - share) * brains[0].log_mm + share * brains[1].log_mm)
    aspect, turn = draw_aspect(rng), draw_rotation(rng)
    reach = max(brain.reach for brain in brains) * aspect.max()
    half = int(np.ceil((reach * diameter + MARGIN_MM) / spacing_mm))
    axis = spacing_mm * np.arange(-half, half + 1)
    moved, jacobian = _warp(rng, axis, diameter, warp)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")) + moved
    points = np.tensordot(turn.T / aspect[:, None], points, axes=1) / diameter
    shown = [brain.sampled(points, diameter / spacing_mm) for brain in brains]
    labels = _blended_labels(brains, points, share)
    signal = (1 - share) * shown[0] + share * shown[1]
    t2 = _scanned(signal, labels > 0, rng)
    return Individual(t2, labels, grid_affine([axis] * 3), ga_days, jacobian)


class _Brain:
    """A template in units of its own brain: middle 0, diameter of a ball of its volume 1."""

    def __init__(self, template: Template) -> None:
        self.labels = template.labels
        where = np.argwhere(template.labels > 0)
        linear, origin = template.affine[:3, :3], template.affine[:3, 3]
        middle = linear @ where.mean(axis=0) + origin
        ml = len(where) * abs(np.linalg.det(linear)) / 1000.0
        self.diameter_mm = float(np.cbrt(6000.0 * ml / np.pi))
        self.log_mm = float(np.log(self.diameter_mm))
        mm = where @ linear.T + origin - middle
        self.reach = float(np.sqrt((mm**2).sum(axis=1).max())) / self.diameter_mm
        bright = float(np.percentile(template.image[template.labels > 0], 99)) or 1.0
        self.image = np.maximum(template.image, 0) / np.float32(bright)
        back = np.linalg.inv(linear)
        self.matrix, self.offset = back * self.diameter_mm, back @ (middle - origin)
        self.voxels = self.diameter_mm / float(np.abs(np.linalg.det(linear)) ** (1 / 3))

    def places(self, points: np.ndarray) -> np.ndarray:
        """Return voxel indices (3, ...) of points in units of the brain."""
        return np.tensordot(self.matrix, points, axes=1) + self.offset.reshape(3, 1, 1, 1)

    def sampled(self, points: np.ndarray, wanted_voxels: float) -> np.ndarray:
        """Return the image at points; blurred first where the new grid is coarser."""
        from scipy import ndimage

        coarser = self.voxels / wanted_voxels
        sigma = 0.42 * np.sqrt(max(0.0, coarser**2 - 1))
        image = ndimage.gaussian_filter(self.image, sigma) if sigma > 0.1 else self.image
        return ndimage.map_coordinates(image, self.places(points), order=1, output=np.float32)

    def share_of(self, number: int, points: np.ndarray) -> np.ndarray:
        """Return how much of each point one label covers, float32."""
        from scipy import ndimage

        one = (self.labels == number).astype(np.float32)
        return ndimage.map_coordinates(one, self.places(points), order=1, output=np.float32)


def _blended_labels(brains: Sequence[_Brain], points: np.ndarray, share: float) -> np.ndarray:
    """Return the label that covers most of each point in the blend of both templates."""
    numbers = np.union1d(np.unique(brains[0].labels), np.unique(brains[1].labels))
    best = np.full(points.shape[1:], 1e-6, np.float32)
    labels = np.zeros(points.shape[1:], np.uint8)
    inside = np.zeros(points.shape[1:], np.float32)
    for number in numbers[numbers > 0]:
        cover = sum(
            weight * brain.share_of(int(number), points)
            for weight, brain in zip((1 - share, share), brains, strict=True)
            if weight > 0
        )
        inside += cover
        labels[cover > best] = number
        best = np.maximum(best, cover)
    labels[inside < 0.5] = 0
    return labels


def _warp(
    rng: np.random.Generator, axis: np.ndarray, diameter_mm: float, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return a displacement in mm (3, X, Y, Z) on the grid of an axis, and its Jacobian."""
    from scipy import ndimage

    n = int(np.ceil(np.ptp(axis) / FIELD_SPACING_MM)) + 3
    scale = diameter_mm / USUAL_DIAMETER_MM
    lengths = (WARP_LENGTH_MM * scale, strength * WARP_SD_MM * scale)
    velocity = random_velocity(rng, (n, n, n), FIELD_SPACING_MM, *lengths)
    coarse = exponential(velocity, FIELD_SPACING_MM)
    at = axis / FIELD_SPACING_MM + (n - 1) / 2
    grid = np.stack(np.meshgrid(at, at, at, indexing="ij"))
    fine = np.stack([ndimage.map_coordinates(part, grid, order=1) for part in coarse])
    return fine, jacobian_determinant(coarse, FIELD_SPACING_MM)


def _scanned(signal: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the signal with contrast, blur, brightness, noise and gain of another scan."""
    from scipy import ndimage

    shown = np.clip(signal, 0, 2) ** np.float32(rng.uniform(0.85, 1.15))
    shown = ndimage.gaussian_filter(shown, rng.uniform(0.2, 0.6), truncate=3.0)
    shown = shown * bias_field(shown.shape, float(rng.uniform(0.02, 0.08)), rng)
    shown = rician(shown, float(rng.uniform(0.01, 0.035)), rng)
    shown = shown * np.float32(rng.uniform(500.0, 1500.0))
    return np.where(inside, shown, 0).astype(np.float32)


def _around(
    templates: Sequence[Template], ages: np.ndarray, ga_days: float, rng: np.random.Generator
) -> tuple[list[Template], float]:
    """Return the templates before and after an age, and how far it lies towards the second."""
    after = int(np.clip(np.searchsorted(ages, ga_days), 1, max(1, len(ages) - 1)))
    low, high = ages[after - 1], ages[min(after, len(ages) - 1)]
    pair = []
    for age in (low, high):
        same = [template for template in templates if template.ga_days == age]
        pair.append(same[int(rng.integers(len(same)))])
    return pair, float((ga_days - low) / (high - low)) if high > low else 0.0


def _checked(
    templates: Sequence[Template],
    seed: int,
    ga_days: float | None,
    spacing_mm: float,
    warp: float,
) -> np.ndarray:
    """Return the sorted ages of the templates, or refuse what cannot be made."""
    ages = np.unique([template.ga_days for template in templates])
    if not len(ages):
        raise ValueError("templates: none given; name a folder with templates by week.")
    empty = [f"{t.ga_days / 7:.0f} weeks" for t in templates if not (t.labels > 0).any()]
    if empty:
        raise ValueError(f"templates: no brain in the labels of {', '.join(empty)}; add them.")
    low, high = SPACING_MM
    if seed < 0 or not low <= spacing_mm <= high or not 0 <= warp <= 3:
        raise ValueError(
            f"seed is {seed}, spacing_mm {spacing_mm} and warp {warp}; a seed of 0 or more, "
            f"{low:g}-{high:g} mm and a warp of 0 to 3 are needed"
        )
    if ga_days is not None and not ages[0] <= ga_days <= ages[-1]:
        raise ValueError(
            f"ga_days is {ga_days}; the templates reach from {ages[0]:g} to {ages[-1]:g} days, "
            "and nothing is made outside"
        )
    return ages
