"""Find scans that were badly stripped, cut or registered, with the reasons in words.

For skull-stripped T1 volumes in MNI space. What is compared is where there is signal with
where the ICBM152 template has brain: a missing piece, tissue that is no brain, a head of
another size or place. An old brain's wide fissures are thinner than the pieces that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fetal_lib.readers.volume import Volume

SPACING_MM = 2.0
FIRST_MM, SHAPE = (-90.0, -126.0, -72.0), (91, 109, 91)
MIN_BRAIN_ML, MAX_BRAIN_ML = 1500.0, 2300.0
SKULL_ML = 250.0
EMPTY, SIGNAL, TISSUE = 0.06, 0.10, 0.30  # of white matter
WHITE = 1.33  # white matter over the median deep in the brain
DEEP_MM = 10.0
INNER_MM, OUTER_MM = 4.0, -7.0  # depth in the template's brain where a hole, or tissue, counts


@dataclass(frozen=True)
class Limits:
    """Hold how far a scan may be from the template.

    Attributes
    ----------
    missing_ml, outside_ml : largest piece that may be empty, or lie outside.
    shift_mm : largest distance of the centres.
    overlap : smallest Dice of the two brains.
    """

    missing_ml: float = 4.0
    outside_ml: float = 40.0
    shift_mm: float = 8.0
    overlap: float = 0.86


WELL_MADE = Limits()
"""A scan that is stripped and registered as it should be."""
USABLE = Limits(missing_ml=40.0, outside_ml=150.0, shift_mm=10.0)
"""One whose age can be told: a remnant of the neck is cut off, a nick of the cortex is small."""


@dataclass(frozen=True)
class QualityMeasures:
    """Hold the measures of a scan that `quality_check` judges.

    Attributes
    ----------
    brain_ml : volume with signal.
    overlap : Dice of the signal with the template's brain.
    shift_mm : distance between the two centres.
    missing_ml, missing_at_mm : largest empty piece well inside the brain, and its centre.
    outside_ml, outside_at_mm : largest piece of tissue well outside, and its centre.
    """

    brain_ml: float
    overlap: float
    shift_mm: float
    missing_ml: float
    missing_at_mm: tuple[int, int, int]
    outside_ml: float
    outside_at_mm: tuple[int, int, int]


def quality_check(volume: Volume, limits: Limits = WELL_MADE) -> list[str]:
    """Return the reasons not to use a scan; an empty list is a scan to be used.

    Parameters
    ----------
    volume : Volume
        T1, skull-stripped, registered to MNI space, RAS.
    limits : Limits

    Returns
    -------
    list of str
        In words, with the measure and the limit; worst kind first.
    """
    data = volume.data
    if not np.isfinite(data).all():
        return ["some voxels are not finite"]
    if data.max() <= 0 or data.max() == data.min():
        return ["no signal"]
    found = quality_measures(volume)
    if found.outside_ml > SKULL_ML:
        return [f"{found.outside_ml:.0f} mL of tissue outside the brain: the skull is not stripped"]
    return [*_size_and_place(found, limits), *_pieces(found, limits)]


def _size_and_place(found: QualityMeasures, limits: Limits) -> list[str]:
    reasons = []
    if not MIN_BRAIN_ML <= found.brain_ml <= MAX_BRAIN_ML:
        reasons.append(
            f"the brain takes {found.brain_ml:.0f} mL; registered to MNI space it has "
            f"{MIN_BRAIN_ML:.0f}-{MAX_BRAIN_ML:.0f}"
        )
    if found.shift_mm > limits.shift_mm:
        reasons.append(
            f"its centre is {found.shift_mm:.0f} mm from the template's "
            f"(limit {limits.shift_mm:.0f})"
        )
    if found.overlap < limits.overlap:
        reasons.append(
            f"its overlap with the template's brain is {found.overlap:.2f} "
            f"(at least {limits.overlap})"
        )
    return reasons


def _pieces(found: QualityMeasures, limits: Limits) -> list[str]:
    reasons = []
    if found.missing_ml > limits.missing_ml:
        reasons.append(
            f"{found.missing_ml:.0f} mL in one piece are empty where the template has brain, "
            f"around {_place(found.missing_at_mm)} (limit {limits.missing_ml:.0f})"
        )
    if found.outside_ml > limits.outside_ml:
        reasons.append(
            f"{found.outside_ml:.0f} mL of tissue in one piece lie outside the brain, around "
            f"{_place(found.outside_at_mm)} (limit {limits.outside_ml:.0f})"
        )
    return reasons


def _place(at_mm: tuple[int, int, int]) -> str:
    return "x {} y {} z {} mm".format(*at_mm)


def quality_measures(volume: Volume) -> QualityMeasures:
    """Measure a scan against the template's brain; see `QualityMeasures`."""
    data, depth = _on_template_grid(volume), _brain_depth_mm()
    bright = _white_matter(data, depth)
    signal, brain = data > SIGNAL * bright, depth > 0
    missing_ml, missing_at = _largest_piece((depth > INNER_MM) & (data < EMPTY * bright))
    outside_ml, outside_at = _largest_piece((depth < OUTER_MM) & (data > TISSUE * bright))
    total = int(signal.sum())
    shift = _center_mm(signal) - _center_mm(brain) if total else np.full(3, np.inf)
    return QualityMeasures(
        brain_ml=total * SPACING_MM**3 / 1000.0,
        overlap=2.0 * int((signal & brain).sum()) / (total + int(brain.sum())),
        shift_mm=float(np.linalg.norm(shift)),
        missing_ml=missing_ml,
        missing_at_mm=missing_at,
        outside_ml=outside_ml,
        outside_at_mm=outside_at,
    )


@lru_cache(maxsize=1)
def _brain_depth_mm() -> np.ndarray:
    """Return how deep each point lies in the template's brain, negative outside; SHAPE."""
    from nilearn.datasets import load_mni152_brain_mask
    from scipy import ndimage

    image = load_mni152_brain_mask(resolution=2)
    mask = _resampled(np.asarray(image.dataobj, np.float32), image.affine) > 0.5
    depth = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    return (depth * SPACING_MM).astype(np.float32)


def _on_template_grid(volume: Volume) -> np.ndarray:
    """Return the scan on the 2 mm grid; its background, the median at its faces, becomes 0."""
    data = volume.data
    faces = [np.take(data, at, axis).ravel() for axis in range(3) for at in (0, -1)]
    return _resampled(data - np.median(np.concatenate(faces)), volume.affine)


def _white_matter(data: np.ndarray, depth: np.ndarray) -> float:
    """Return the brightness of white matter; neither a halo nor a bright tail moves it."""
    level = WHITE * float(np.median(data[depth > DEEP_MM]))
    if level > 0:
        return level
    positive = data[data > 0]  # the brain lies elsewhere
    return float(np.percentile(positive, 90)) if positive.size else 1.0


def _resampled(data: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a volume on the 2 mm grid of MNI space, trilinear, 0 outside its own grid."""
    from scipy import ndimage

    target = np.diag([SPACING_MM] * 3 + [1.0])
    target[:3, 3] = FIRST_MM
    if data.shape == SHAPE and np.allclose(affine, target, atol=1e-3):
        return np.asarray(data, np.float32)
    to_voxel = np.linalg.inv(affine) @ target
    return ndimage.affine_transform(
        np.asarray(data, np.float32), to_voxel[:3, :3], to_voxel[:3, 3], SHAPE, order=1
    )


def _largest_piece(region: np.ndarray) -> tuple[float, tuple[int, int, int]]:
    """Return volume in mL and centre in mm of a region's largest piece, thin parts cut off."""
    from scipy import ndimage

    if np.count_nonzero(region) * SPACING_MM**3 < 1000.0:  # too little for a piece of 1 mL
        return 0.0, (0, 0, 0)
    pieces, n = ndimage.label(ndimage.binary_opening(region, iterations=2))
    if n == 0:
        return 0.0, (0, 0, 0)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    center = _center_mm(pieces == largest)
    return float(sizes[largest]) * SPACING_MM**3 / 1000.0, tuple(int(v) for v in center.round())


def _center_mm(region: np.ndarray) -> np.ndarray:
    return np.argwhere(region).mean(axis=0) * SPACING_MM + np.asarray(FIRST_MM)
