"""Find, cut and describe the data of chapter 01."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.fingerprint import hash_cases
from fetal_book.parameters.gestational_age import GestationalAgeParameters
from fetal_book.parameters.project import cache_root
from fetal_book.runs.data_sets import cached_phantoms, data_folder
from fetal_lib.data.layouts.fetal_mri import iter_scans, read_cases
from fetal_lib.data.layouts.fetal_scan import FetalScan
from fetal_lib.data.plane_slices import plane_slices
from fetal_lib.files.fingerprint import folder_sha256
from fetal_lib.models.vgg16_attention import PLANES
from fetal_lib.predict.gestational_age_slices import as_pictures, cut_scan
from fetal_lib.readers.volume_grid import Volume
from fetal_phantoms.atlas_cohort import GENERATOR_VERSION as ATLAS_VERSION
from fetal_phantoms.atlas_cohort import Template
from fetal_phantoms.atlas_set import write_atlas_cohort
from fetal_phantoms.fetal_brain.tissues import LABELS
from fetal_phantoms.fetal_brain.write import GENERATOR_VERSION, write_fetal_brain_set

CHOICES = {"all": PLANES, "two": PLANES[:2]} | {plane: (plane,) for plane in PLANES}
REGIONS = {
    "brain": tuple(range(1, 10)),
    "ventricles": (LABELS["lateral_ventricles"], LABELS["other_ventricles"]),
    "cortex": (LABELS["cortex"],),
}


@dataclass(frozen=True)
class PlaneSet:
    """Hold the slices of all fetuses; a sample is one slice of each plane."""

    table: pd.DataFrame  # a row a sample: ``subject, group, ga_days, slice, brain_ml, kind``
    images: np.ndarray  # uint8 (N, S, S, 3), planes axial, coronal, sagittal as channels
    brain_area: np.ndarray  # float (N, 3), share of each picture that is not black

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
    """Return the folder that the ``data`` parameter names.

    Phantoms are made on first use, and so are ``n_phantoms`` individuals of a folder of templates
    by week. The folder of ``external_data`` is looked at here: not after hours of training.
    """
    p = parameters
    if p.external_data:
        check_size(read_cases(p.external_data), p)
    spec = {"kind": "fetal_brain", "version": GENERATOR_VERSION, "n": p.n_phantoms}
    spec |= {"seed": p.seed, "spacing_mm": p.spacing_mm}
    make = partial(
        write_fetal_brain_set, n_subjects=p.n_phantoms, seed=p.seed, spacing_mm=p.spacing_mm
    )
    folder = data_folder(p.data, make, spec)
    return atlas_individuals(folder, p) if is_atlas(folder) else folder


def is_atlas(folder: Path) -> bool:
    """Return whether a folder holds templates by week, and nothing else."""
    return bool((read_cases(folder)["kind"] == "template").all())


def read_templates(folder: Path) -> list[Template]:
    """Read the templates of an atlas with their labels; the mask is enough where there are none."""
    cases, found = read_cases(folder), []
    for scan in iter_scans(cases):
        if scan.mask is None:
            raise ValueError(
                f"data={str(folder)!r}: {scan.subject} has neither labels nor a mask beside it; "
                "an individual cannot be made of it. Add a parcellation.nii.gz or mask.nii.gz."
            )
        labels = scan.mask if scan.labels is None else np.where(scan.mask, scan.labels, 0)
        volume = scan.volume
        found.append(Template(scan.ga_days, volume.data, labels.astype(np.uint8), volume.affine))
    return found


def atlas_individuals(folder: Path, parameters: GestationalAgeParameters) -> Path:
    """Return a folder of individuals made from an atlas; they are made on first use."""
    p = parameters
    files = folder_sha256(folder, cache_root() / "fingerprints" / f"atlas-{folder.name}.json")
    spec = {"kind": "atlas_cohort", "version": ATLAS_VERSION, "n": p.n_phantoms, "files": files}
    spec |= {"seed": p.seed, "spacing_mm": p.spacing_mm}

    def make(place: Path) -> None:
        write_atlas_cohort(place, read_templates(folder), p.n_phantoms, p.seed, p.spacing_mm)

    return cached_phantoms(make, spec, cache_root())


def cut_planes(cases: pd.DataFrame, parameters: GestationalAgeParameters) -> PlaneSet:
    """Read every scan of a case table and cut its slices."""
    p, rows, images = parameters, [], []
    check_size(cases, p)
    who = zip(scan_names(cases), cases["group"], strict=True)
    for (name, group), scan in zip(who, iter_scans(cases), strict=True):
        cut = cut_scan(scan, p.n_slices, p.image_size, p.size_normalised)
        images.append(as_pictures(cut))
        known = {"subject": name, "group": group, "ga_days": scan.ga_days}
        known |= {"brain_ml": cut.brain_ml, "kind": scan.kind}
        rows += [known | {"slice": number} for number in range(p.n_slices)]
    stacked = np.concatenate(images)  # (N, S, S, 3)
    return PlaneSet(pd.DataFrame(rows), stacked, (stacked > 12).mean((1, 2)))


def scan_names(cases: pd.DataFrame) -> pd.Series:
    """Return what each scan's answers are combined under: the fetus, or its session.

    Sessions of a fetus differ in age; stacks of one session do not, and give one answer together.
    """
    several = cases.groupby("subject")["session"].transform("nunique") > 1
    return cases["subject"].where(~several, cases["subject"] + "_" + cases["session"])


def check_size(cases: pd.DataFrame, parameters: GestationalAgeParameters) -> None:
    """Refuse to normalise the size of pictures away: they have no millimetres and no mask."""
    pictures = cases.loc[cases["kind"] == "slices", "subject"]
    if parameters.size_normalised and len(pictures):
        raise ValueError(
            f"size_normalised=true: {pictures.iloc[0]} is pictures, and nothing says how large the "
            "brain is in them; use -p size_normalised=false."
        )


def network_name(parameters: GestationalAgeParameters) -> str:
    """Return the name of the run's network in the results."""
    return f"{parameters.backbone}_attention"


def middle_regions(scan: FetalScan, parameters: GestationalAgeParameters) -> dict[str, np.ndarray]:
    """Return where brain, ventricles and cortex lie in the middle slices: bool (3, S, S) each.

    Labels are read by the numbers of the FeTA challenge, which the phantoms have. Without labels
    there is the brain alone, by its mask; nothing without a mask.
    """
    p = parameters
    if scan.volume is None or scan.mask is None:
        return {}
    shown = {"brain": scan.mask}
    if scan.labels is not None and scan.kind != "template":
        shown = {name: np.isin(scan.labels, numbers) for name, numbers in REGIONS.items()}
    found = {}
    for name, region in shown.items():
        inside = region.astype(np.float32)
        volume = Volume(inside, scan.volume.affine, scan.volume.spacing_mm)
        cut = plane_slices(volume, p.n_slices, p.image_size, scan.mask, p.size_normalised)
        found[name] = cut.images[p.n_slices // 2] > 0.5
    return found


def fingerprint(planes: PlaneSet) -> str:
    """Return a hash of the table and the slices: what a fit depends on."""
    return hash_cases(planes.table, planes.images)


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


def describe(planes: PlaneSet) -> pd.DataFrame:
    """Return the number of fetuses and samples, and the range of ages and volumes, as text."""
    fetuses = planes.fetuses()
    weeks = fetuses["ga_days"] / 7
    facts = {
        "fetuses": f"{fetuses['group'].nunique()}",
        "samples (a slice of each plane)": f"{len(planes.table)}",
        "youngest (weeks)": f"{weeks.min():.1f}",
        "median (weeks)": f"{weeks.median():.1f}",
        "oldest (weeks)": f"{weeks.max():.1f}",
        "smallest brain with fluid (mL)": f"{fetuses['brain_ml'].min():.0f}",
        "largest (mL)": f"{fetuses['brain_ml'].max():.0f}",
    }
    return pd.DataFrame({"what": list(facts), "value": list(facts.values())})
