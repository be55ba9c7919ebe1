"""Fetal brains on T2-weighted MRI, 19 to 39 weeks, made from a seed.

Volumes follow published charts, the cortex folds with age, the mantle's layers fade, the
Sylvian fossa closes. The labels are the tissues that were shown, so they are the truth at the
phantom's own grid. What it is not: no disease, no vessel, no twin; sulci other than the primary
ones run at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.fetal_brain import hull
from fetal_phantoms.fetal_brain.fetus import SIZE_SD, Fetus, draw_fetus
from fetal_phantoms.fetal_brain.scanner import degrade, draw_scan, tissue_signal
from fetal_phantoms.fetal_brain.surroundings import draw_surroundings
from fetal_phantoms.fetal_brain.tissues import LABELS, cut_head, head_points
from fetal_phantoms.mri import check_grid, grid_affine

SPACING_MM = 0.6, 3.0
MARGIN_MM = 4.0  # of empty voxels around the skull
WIDE_MARGIN_MM = 16.0  # of mother and amniotic fluid around the skull


@dataclass(frozen=True)
class FetalBrainPhantom:
    """Hold a made-up T2 volume of a fetal brain and its truth.

    Attributes
    ----------
    t2 : float32 (X, Y, Z), RAS; 0 outside the skull unless surroundings were asked for.
    labels : uint8 (X, Y, Z), numbers as in ``LABELS``:
        background 0, extra_axial_csf 1, cortex 2, white 3, lateral_ventricles 4, cerebellum 5,
        deep_gray 6, brainstem 7, cavum 8, other_ventricles 9.
    affine : float64 (4, 4), voxel to mm, RAS, origin in the middle of the volume.
    ga_days : gestational age in days.
    volumes_ml : of each structure in ``LABELS`` but the background, counted in the labels; with
        ``parenchyma`` (cortex, white and deep gray matter, cerebellum, brainstem) and ``total``
        (all within the skull).
    """

    t2: np.ndarray
    labels: np.ndarray
    affine: np.ndarray
    ga_days: float
    volumes_ml: dict[str, float]


def make_fetal_brain(
    seed: int,
    ga_days: float | None = None,
    spacing_mm: float = 1.0,
    surroundings: bool = False,
    size_sd: float = SIZE_SD,
) -> FetalBrainPhantom:
    """Make the T2 phantom of a fetal brain.

    Parameters
    ----------
    seed : non-negative; the fetus. The same seed at another age is the same fetus grown.
    ga_days : gestational age in days, 133-273 (19-39 weeks); None draws it evenly.
    spacing_mm : edge of a voxel, 0.6-3 mm.
    surroundings : whether skull, scalp, amniotic fluid and the mother surround the brain; else
        they are 0, as in a masked reconstruction.
    size_sd : relative SD of the size of the whole head among fetuses of one age, 0-0.25; the
        default is that of the charts.

    Returns
    -------
    FetalBrainPhantom

    Raises
    ------
    ValueError
        If a parameter is outside what is said above.

    References
    ----------
    Uus AU et al. BOUNTI: brain volumetry and automated parcellation for 3D fetal MRI. bioRxiv
    2023. doi:10.1101/2023.04.18.537347. Lajous H et al. Sci Rep 2022;12:8682.
    doi:10.1038/s41598-022-10335-4. Garel C et al. Fetal cerebral cortex: normal gestational
    landmarks identified using prenatal MR imaging. AJNR 2001;22:184-189.

    Examples
    --------
    >>> phantom = make_fetal_brain(7, ga_days=210, spacing_mm=2.5)
    >>> phantom.t2.ndim, phantom.labels.max(), bool(100 < phantom.volumes_ml["parenchyma"] < 210)
    (3, np.uint8(9), True)
    """
    check_request(seed, spacing_mm)
    fetus = draw_fetus(np.random.default_rng([seed, 1]), ga_days, size_sd)
    axes = grid_axes(fetus, spacing_mm, WIDE_MARGIN_MM if surroundings else MARGIN_MM)
    head = cut_head(fetus, np.random.default_rng([seed, 2]), axes, spacing_mm)
    rng = np.random.default_rng([seed, 3])
    scan = draw_scan(rng)
    inside = tissue_signal(head, fetus, scan, spacing_mm, rng)
    labels = head.volume(head.labels)
    signal = head.volume(inside)
    if surroundings:
        drawn = draw_surroundings(
            labels > 0,
            head_points(fetus, axes),
            hull.skull_unit_mm(fetus.intracranial_ml),
            spacing_mm,
            np.random.default_rng([seed, 4]),
        )
        signal = np.where(labels > 0, signal, drawn)
    t2 = degrade(signal, scan, rng)
    if not surroundings:
        t2[labels == 0] = 0.0
    return FetalBrainPhantom(
        t2=t2,
        labels=labels,
        affine=grid_affine(axes),
        ga_days=fetus.ga_days,
        volumes_ml=label_volumes(labels, spacing_mm),
    )


def label_volumes(labels: np.ndarray, spacing_mm: float) -> dict[str, float]:
    """Return the volume of each structure in mL, counted in its labels."""
    counts = np.bincount(labels.ravel(), minlength=len(LABELS)) * spacing_mm**3 / 1000.0
    volumes = {name: float(counts[number]) for name, number in LABELS.items() if number}
    tissue = ("cortex", "white", "deep_gray", "cerebellum", "brainstem")
    total = sum(volumes.values())
    return volumes | {"parenchyma": sum(volumes[name] for name in tissue), "total": total}


def grid_axes(fetus: Fetus, spacing_mm: float, margin_mm: float) -> list[np.ndarray]:
    """Return the voxel centres along x, y and z in mm: as many as the head needs."""
    unit_mm = hull.skull_unit_mm(fetus.intracranial_ml)
    turned = np.abs(fetus.rotation) * fetus.aspect
    reach = np.sqrt((turned**2) @ np.array([0.84, 1.05, 0.90]) ** 2) * unit_mm + margin_mm
    reach = reach + np.abs(fetus.shift_mm)
    sizes = 2 * np.ceil(reach / spacing_mm).astype(int) + 1
    return [spacing_mm * (np.arange(n) - n // 2) for n in sizes]


def check_request(seed: int, spacing_mm: float) -> None:
    """Refuse a seed or a spacing that no phantom has, with a ValueError."""
    check_grid(seed, spacing_mm, SPACING_MM, "sulci vanish in larger voxels, smaller add nothing")
