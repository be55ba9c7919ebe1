"""Find, cut and describe the data of chapter 01."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.models.vgg16_attention import PLANES
from fetal_lib.parameters.project import cache_root
from fetal_lib.phantoms.fetal_brain import LABELS, write_fetal_brain_set
from fetal_lib.phantoms.fetal_brain.write import GENERATOR_VERSION
from fetal_lib.readers.volume_grid import Volume
from fetal_lib.sets.fetal_mri import FetalScan, iter_scans
from fetal_lib.sets.plane_slices import (
    FIELD_SHARE,
    PlaneSlices,
    picture_slices,
    plane_slices,
)
from fetal_lib.sets.resolve import data_folder

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.parameters.gestational_age import GestationalAgeParameters

CHOICES = {"all": PLANES, "two": PLANES[:2]} | {plane: (plane,) for plane in PLANES}
REGIONS = {
    "brain": tuple(range(1, 10)),
    "ventricles": (LABELS["lateral_ventricles"], LABELS["other_ventricles"]),
    "cortex": (LABELS["cortex"],),
}

COARSEST_SHARE = 0.05  # of the brain's diameter: a voxel of 2 mm at 19 weeks
VOXEL_BLUR = 0.45  # SD of the blur that a voxel stands for, in voxels


@dataclass(frozen=True)
class PlaneSet:
    """Hold the slices of all fetuses; a sample is one slice of each plane.

    Attributes
    ----------
    table : DataFrame, a row a sample: ``subject, group, ga_days, slice, brain_ml, kind``.
    images : uint8 (N, S, S, 3), planes axial, coronal, sagittal as channels.
    brain_area : float (N, 3), share of each picture that is not black.
    """

    table: pd.DataFrame
    images: np.ndarray
    brain_area: np.ndarray

    def fetuses(self) -> pd.DataFrame:
        """Return a row a fetus: ``subject, group, ga_days, brain_ml, area``."""
        frame = self.table.assign(area=self.brain_area.mean(1))
        return frame.groupby("subject", sort=False, as_index=False).agg(
            group=("group", "first"),
            ga_days=("ga_days", "first"),
            brain_ml=("brain_ml", "first"),
            area=("area", "mean"),
        )


def find_data(parameters: GestationalAgeParameters) -> Path:
    """Return the folder that the ``data`` parameter names; phantoms are made on first use."""
    p = parameters
    spec = {"kind": "fetal_brain", "version": GENERATOR_VERSION, "n": p.n_phantoms}
    spec |= {"seed": p.seed, "spacing_mm": p.spacing_mm}
    make = partial(
        write_fetal_brain_set, n_subjects=p.n_phantoms, seed=p.seed, spacing_mm=p.spacing_mm
    )
    return data_folder(p.data, make, spec, cache_root())


def cut_planes(cases: pd.DataFrame, parameters: GestationalAgeParameters) -> PlaneSet:
    """Read every scan and cut its slices.

    Parameters
    ----------
    cases : DataFrame
        From :func:`fetal_lib.sets.fetal_mri.read_cases`.
    parameters : GestationalAgeParameters
    """
    import pandas as pd

    p, rows, images = parameters, [], []
    group = dict(zip(cases["subject"], cases["group"], strict=True))
    for scan in iter_scans(cases):
        cut = cut_scan(scan, p.n_slices, p.image_size, p.size_normalised)
        images.append(np.rint(cut.images.transpose(0, 2, 3, 1) * 255).astype(np.uint8))
        known = {"subject": scan.subject, "group": group[scan.subject], "ga_days": scan.ga_days}
        known |= {"brain_ml": cut.brain_ml, "kind": scan.kind}
        rows += [known | {"slice": number} for number in range(p.n_slices)]
    stacked = np.concatenate(images)  # (N, S, S, 3)
    return PlaneSet(pd.DataFrame(rows), stacked, (stacked > 12).mean((1, 2)))


def cut_scan(scan: FetalScan, n_slices: int, size: int, size_normalised: bool) -> PlaneSlices:
    """Cut the slices of one scan, from a volume or from pictures.

    With the size normalised away, large brains are blurred to the coarseness of the smallest:
    voxels of one length would otherwise betray by their sharpness how large the brain is.
    """
    if scan.volume is None:
        return picture_slices(scan.pictures, n_slices, size)
    cut = plane_slices(scan.volume, n_slices, size, scan.mask, size_normalised)
    if not size_normalised:
        return cut
    return replace(cut, images=equal_blur(cut.images, cut.pixel_mm, scan.volume.spacing_mm))


def equal_blur(images: np.ndarray, pixel_mm: float, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Blur slices until a voxel's share of the brain is that of the coarsest.

    Parameters
    ----------
    images : float (n, 3, S, S), size-normalised.
    pixel_mm : length of their pixel.
    spacing_mm : of the volume they were cut from.

    Returns
    -------
    float32, same shape; unchanged where the volume is as coarse, or coarser.
    """
    from scipy import ndimage

    size = images.shape[-1]
    voxel_px = float(np.mean(spacing_mm)) / pixel_mm
    coarsest_px = COARSEST_SHARE * size / FIELD_SHARE
    sigma = VOXEL_BLUR * np.sqrt(max(0.0, coarsest_px**2 - voxel_px**2))
    return ndimage.gaussian_filter(images, (0, 0, sigma, sigma)).astype(np.float32)


def middle_regions(scan: FetalScan, parameters: GestationalAgeParameters) -> dict[str, np.ndarray]:
    """Return where brain, ventricles and cortex lie in the middle slices: bool (3, S, S) each.

    Empty where the scan has no labels.
    """
    p = parameters
    if scan.labels is None or scan.volume is None:
        return {}
    found = {}
    for name, numbers in REGIONS.items():
        inside = np.isin(scan.labels, numbers).astype(np.float32)
        volume = Volume(inside, scan.volume.affine, scan.volume.spacing_mm)
        cut = plane_slices(volume, 1, p.image_size, scan.mask, p.size_normalised)
        found[name] = cut.images[0] > 0.5
    return found


def fingerprint(planes: PlaneSet) -> str:
    """Return a hash of the table and the slices: what a fit depends on."""
    digest = hashlib.sha256(planes.table.to_csv(index=False).encode())
    digest.update(str(planes.images.shape).encode())
    digest.update(np.ascontiguousarray(planes.images).tobytes())
    return digest.hexdigest()


def channels(parameters: GestationalAgeParameters, choice: str = "") -> list[int]:
    """Return which channels of the images a choice of planes takes."""
    return [PLANES.index(plane) for plane in CHOICES[choice or parameters.planes]]


def age_group(ga_days: np.ndarray) -> np.ndarray:
    """Return completed weeks, the age groups that source 000 stratifies its folds by."""
    return (np.asarray(ga_days) // 7).astype(int)


def shared_fetuses(subject: np.ndarray, fold: np.ndarray) -> float:
    """Return the share of held-out samples whose fetus also stands in their training part.

    Examples
    --------
    >>> shared_fetuses(np.array(list("aabb")), np.array([0, 1, 1, 1]))
    0.5
    """
    subject, fold = np.asarray(subject), np.asarray(fold)
    shared = [
        bool(((subject == s) & (fold != f)).any()) for s, f in zip(subject, fold, strict=True)
    ]
    return float(np.mean(shared))


def plane_names(parameters: GestationalAgeParameters) -> tuple[str, ...]:
    """Return the names of the planes that a run uses."""
    return CHOICES[parameters.planes]


def describe(planes: PlaneSet) -> pd.DataFrame:
    """Return the number of fetuses and samples, and the range of ages and volumes."""
    import pandas as pd

    fetuses = planes.fetuses()
    weeks = fetuses["ga_days"] / 7
    facts = {
        "fetuses": len(fetuses),
        "samples (a slice of each plane)": len(planes.table),
        "youngest (weeks)": round(float(weeks.min()), 1),
        "median (weeks)": round(float(weeks.median()), 1),
        "oldest (weeks)": round(float(weeks.max()), 1),
        "smallest brain with fluid (mL)": round(float(fetuses["brain_ml"].min()), 0),
        "largest (mL)": round(float(fetuses["brain_ml"].max()), 0),
    }
    return pd.DataFrame({"what": list(facts), "value": list(facts.values())})
