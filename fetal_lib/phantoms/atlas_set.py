"""Write a cohort of individuals that were made from an atlas, as a BIDS folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fetal_lib.phantoms.atlas_cohort import (
    GENERATOR_VERSION,
    Individual,
    Template,
    make_individual,
)

GAIN = 1000.0  # int16 on disk: the bright end of a volume


def write_atlas_cohort(
    folder: str | Path,
    templates: Sequence[Template],
    n_subjects: int,
    seed: int,
    spacing_mm: float = 1.0,
) -> Path:
    """Write individuals between the templates of an atlas, ages drawn evenly.

    Parameters
    ----------
    folder : created where missing; it must be empty.
    templates : of one atlas.
    n_subjects : at least 1.
    seed : non-negative; subject k is the same whatever n_subjects is.
    spacing_mm : edge of a voxel, 0.6-3 mm.

    Returns
    -------
    The folder: participants.tsv (participant_id, ga_days), sub-K/anat/sub-K_T2w.nii.gz, the
    brain under derivatives/masks, and the atlas' own labels as ``desc-atlas_dseg`` under
    derivatives/labels.

    Raises
    ------
    ValueError
        If n_subjects is below 1, or as `make_individual` does.
    FileExistsError
        If the folder holds files already.
    """
    folder = Path(folder)
    if n_subjects < 1:
        raise ValueError(f"n_subjects is {n_subjects}; at least 1 is needed")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds files already; name a new folder or empty this one")
    folder.mkdir(parents=True, exist_ok=True)

    def write(number: int) -> str:
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        one = make_individual(templates, own, spacing_mm=spacing_mm)
        subject = f"sub-{number + 1:04d}"
        _write_individual(folder, subject, one)
        return f"{subject}\t{one.ga_days:.1f}"

    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(write, range(n_subjects)))
    table = "\n".join(["participant_id\tga_days", *rows]) + "\n"
    (folder / "participants.tsv").write_text(table, encoding="ascii")
    about = {"Name": "Atlas cohort", "BIDSVersion": "1.9.0", "DatasetType": "derivative"}
    about |= {"GeneratedBy": [{"Name": __name__, "Version": GENERATOR_VERSION}]}
    (folder / "dataset_description.json").write_text(json.dumps(about, indent=1) + "\n")
    return folder


def _write_individual(folder: Path, subject: str, one: Individual) -> None:
    """Write image, mask and labels of one individual."""
    import nibabel

    bright = float(np.percentile(one.t2[one.labels > 0], 99))
    whole = np.clip(np.round(one.t2 * (GAIN / bright)), 0, 32767).astype(np.int16)
    derived = folder / "derivatives"
    places = {
        folder / subject / "anat" / f"{subject}_T2w.nii.gz": whole,
        derived / "masks" / subject / "anat" / f"{subject}_mask.nii.gz": one.labels > 0,
        derived / "labels" / subject / "anat" / f"{subject}_desc-atlas_dseg.nii.gz": one.labels,
    }
    for path, values in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = np.int16 if values is whole else np.uint8
        nibabel.save(nibabel.Nifti1Image(values.astype(kind), one.affine), path)
