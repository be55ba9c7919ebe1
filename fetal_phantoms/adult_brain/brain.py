"""Adult brains on T1 MRI, made from a seed: real template anatomy, volumes as published.

The ICBM152 template is warped, its sulci, ventricles and white matter are cut to the volumes
that a person of that age and sex has, and the tissues are shown as a T1-weighted scan. The
labels are the tissues that were shown, so they are the truth at the phantom's own grid.
What it is not: every phantom has the template's main sulci; there is no disease, no vessel,
no movement; lesions of old white matter change the T1 and not the labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.adult_brain.head import surroundings
from fetal_phantoms.adult_brain.scanner import draw_scan, scan_t1
from fetal_phantoms.adult_brain.subject import Person, draw_person
from fetal_phantoms.adult_brain.template import load_template
from fetal_phantoms.adult_brain.tissues import CSF, GRAY, WHITE, Tissues, cut_tissues
from fetal_phantoms.mri import check_grid

TISSUES = {"csf": CSF, "gray": GRAY, "white": WHITE}
SPACES = ("native", "mni")
SPACING_MM = 0.8, 6.0


@dataclass(frozen=True)
class AdultBrainPhantom:
    """Hold a made-up T1 volume of an adult brain and its truth.

    Attributes
    ----------
    t1 : float32 (X, Y, Z), RAS; 0 outside the intracranial space unless the skull was asked for.
    labels : uint8 (X, Y, Z), 0 background, 1 CSF, 2 gray matter, 3 white matter.
    affine : float64 (4, 4), voxel to mm, RAS, origin near the anterior commissure.
    age_years : age in years.
    sex : ``"F"`` or ``"M"``.
    tiv_ml : total intracranial volume of the person, mL.
    volumes_ml : of the person, mL: ``csf``, ``gray``, ``white``, and ``ventricles``, which is a
        part of ``csf``. In native space they are the labels' voxels times their volume.
    space : ``"native"`` or ``"mni"``; in the latter every head is as large as the template's.
    """

    t1: np.ndarray
    labels: np.ndarray
    affine: np.ndarray
    age_years: float
    sex: str
    tiv_ml: float
    volumes_ml: dict[str, float]
    space: str

    @property
    def nwbv(self) -> float:
        """Return the normalised whole-brain volume: gray and white as a share of the TIV."""
        return (self.volumes_ml["gray"] + self.volumes_ml["white"]) / self.tiv_ml


def make_adult_brain(
    seed: int,
    age_years: float | None = None,
    sex: str | None = None,
    spacing_mm: float = 2.0,
    space: str = "native",
    with_skull: bool = False,
) -> AdultBrainPhantom:
    """Make the T1 phantom of an adult brain.

    Parameters
    ----------
    seed : non-negative; the person. The same seed at another age is the same person older:
        head, folds and deviations from the norm stay.
    age_years : 18-96; None draws it evenly from 18-90.
    sex : ``"F"``, ``"M"``, or None for either.
    spacing_mm : edge of a voxel, 0.8-6 mm; 2 mm gives the 91 x 109 x 91 grid of MNI space.
    space : ``"native"`` keeps the head's own size, aligned with the axes of MNI space;
        ``"mni"`` scales it to the template's, as registered scans such as OASIS-1's are.
    with_skull : whether a schematic skull, scalp and neck surround the brain.

    Returns
    -------
    AdultBrainPhantom

    Raises
    ------
    ValueError
        If a parameter is outside what is said above.

    References
    ----------
    Marcus DS et al. J Cogn Neurosci 2007;19:1498-1507. doi:10.1162/jocn.2007.19.9.1498.
    Bethlehem RAI et al. Nature 2022;604:525-533. doi:10.1038/s41586-022-04554-y.
    Fonov V et al. NeuroImage 2011;54:313-327. doi:10.1016/j.neuroimage.2010.07.033.

    Examples
    --------
    >>> phantom = make_adult_brain(7, age_years=70, sex="F", spacing_mm=4)
    >>> phantom.t1.shape, phantom.labels.max(), bool(0.6 < phantom.nwbv < 0.9)
    ((46, 55, 46), np.uint8(3), True)
    """
    check_request(seed, spacing_mm, space)
    person = draw_person(np.random.default_rng([seed, 1]), age_years, sex)
    scale = (load_template().tiv_ml / person.tiv_ml) ** (1 / 3) if space == "mni" else 1.0
    tissues = cut_tissues(person, np.random.default_rng([seed, 2]), spacing_mm, scale)
    outside = surroundings(tissues.labels, tissues.affine) if with_skull else None
    rng = np.random.default_rng([seed, 3])
    t1 = scan_t1(tissues, draw_scan(rng, person), rng, outside)
    return _phantom(person, tissues, t1, (spacing_mm / scale) ** 3 / 1000.0, space)


def _phantom(
    person: Person, tissues: Tissues, t1: np.ndarray, voxel_ml: float, space: str
) -> AdultBrainPhantom:
    counts = np.bincount(tissues.labels.ravel(), minlength=4)
    volumes = {name: float(counts[label]) * voxel_ml for name, label in TISSUES.items()}
    tiv_ml = sum(volumes.values())
    volumes["ventricles"] = float(np.count_nonzero(tissues.wall_mm <= 0)) * voxel_ml
    return AdultBrainPhantom(
        t1=t1,
        labels=tissues.labels,
        affine=tissues.affine,
        age_years=person.age_years,
        sex=person.sex,
        tiv_ml=tiv_ml,
        volumes_ml=volumes,
        space=space,
    )


def check_request(seed: int, spacing_mm: float, space: str) -> None:
    """Refuse a seed, spacing or space that no phantom has, with a ValueError."""
    why = "the template has 1 mm, and sulci vanish in larger voxels"
    check_grid(seed, spacing_mm, SPACING_MM, why)
    if space not in SPACES:
        raise ValueError(f"space is {space!r}; it must be one of {', '.join(SPACES)}")
