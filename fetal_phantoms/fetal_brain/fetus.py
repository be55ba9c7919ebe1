"""Draw the fetus of a phantom: age, volumes, shape of the head, stage of folding.

What differs between fetuses does not depend on the age: a deviation is drawn as a number of
SDs, and the same seed at another age is the same fetus grown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.fetal_brain.norms import (
    MAX_GA_DAYS,
    MIN_GA_DAYS,
    check_ga_days,
    expected_volumes,
)

SIZE_SD = 0.065  # relative, of all volumes together; with OWN_SD the charts' SDs are met
OWN_SD = {
    "cortex": 0.055,
    "white": 0.03,
    "deep_gray": 0.05,
    "cerebellum": 0.06,
    "brainstem": 0.05,
    "extra_axial_csf": 0.11,
    "lateral_ventricles": 0.22,
    "cavum": 0.25,
    "other_ventricles": 0.15,
}
MAX_Z = 2.5
ASPECT_SD = (0.025, 0.03, 0.02)  # of width, length and height, at the same volume
TILT_SD_DEG = (5.0, 4.0, 6.0)  # about the x, y and z axis of the scanner
SHIFT_SD_MM = 2.5
FOLD_STAGE_SD_WEEKS = 0.2


@dataclass(frozen=True)
class Fetus:
    """Describe a made-up fetus.

    Attributes
    ----------
    ga_days : gestational age in days.
    volumes_ml : volume of each structure, as the labels will have it.
    left_ventricle_share : of the two lateral ventricles.
    aspect : (3,) stretch of width, length and height; their product is 1.
    rotation : (3, 3) from the head's axes to the scanner's.
    shift_mm : (3,) of the head's centre in the scanner.
    torque : how far the right hemisphere is pushed forward, relative to its distance from the
        midline.
    fold_weeks : stage of the folding, as an age in weeks.
    """

    ga_days: float
    volumes_ml: dict[str, float]
    left_ventricle_share: float
    aspect: np.ndarray
    rotation: np.ndarray
    shift_mm: np.ndarray
    torque: float
    fold_weeks: float

    @property
    def ga_weeks(self) -> float:
        """Return the gestational age in weeks."""
        return self.ga_days / 7.0

    @property
    def intracranial_ml(self) -> float:
        """Return the volume of all that lies within the skull."""
        return sum(self.volumes_ml.values())


def draw_fetus(
    rng: np.random.Generator, ga_days: float | None = None, size_sd: float = SIZE_SD
) -> Fetus:
    """Draw a fetus; nothing but the volumes' means and the folding depends on the age."""
    if not 0.0 <= size_sd <= 0.25:
        raise ValueError(f"size_sd is {size_sd}; it is a share of the volume, 0 to 0.25")
    drawn = float(rng.uniform(MIN_GA_DAYS, MAX_GA_DAYS))
    ga_days = drawn if ga_days is None else check_ga_days(ga_days)
    z = np.clip(rng.standard_normal(len(OWN_SD) + 1), -MAX_Z, MAX_Z)
    aspect = draw_aspect(rng)
    stage = FOLD_STAGE_SD_WEEKS * calm(rng, 1)[0]
    return Fetus(
        ga_days=ga_days,
        volumes_ml=_volumes(expected_volumes(ga_days), z, size_sd),
        left_ventricle_share=float(0.51 + 0.03 * calm(rng, 1)[0]),
        aspect=aspect,
        rotation=draw_rotation(rng),
        shift_mm=SHIFT_SD_MM * calm(rng, 3),
        torque=float(0.03 + 0.025 * calm(rng, 1)[0]),
        fold_weeks=ga_days / 7.0 + float(stage),
    )


def calm(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return normal deviates, cut so that none makes a head that does not fit."""
    return np.clip(rng.standard_normal(n), -MAX_Z, MAX_Z)


def draw_aspect(rng: np.random.Generator) -> np.ndarray:
    """Draw the stretch of width, length and height of a head, (3,); their product is 1."""
    aspect = np.exp(np.array(ASPECT_SD) * calm(rng, 3))
    return aspect / np.cbrt(aspect.prod())


def draw_rotation(rng: np.random.Generator) -> np.ndarray:
    """Draw how a head is turned in the scanner, (3, 3)."""
    return rotation_matrix(np.array(TILT_SD_DEG) * calm(rng, 3))


def _volumes(expected: dict[str, float], z: np.ndarray, size_sd: float) -> dict[str, float]:
    size = size_sd * z[0]
    own = dict(zip(OWN_SD, z[1:], strict=True))
    return {
        name: float(ml * np.exp(size + OWN_SD[name] * own[name])) for name, ml in expected.items()
    }


def rotation_matrix(degrees: np.ndarray) -> np.ndarray:
    """Return the rotation about x, then y, then z by (3,) degrees; float64 (3, 3).

    >>> rotation_matrix(np.array([0.0, 0.0, 90.0])).round(6) @ [1.0, 0.0, 0.0]
    array([0., 1., 0.])
    """
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        turn = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix
