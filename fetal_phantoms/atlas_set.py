"""Write a cohort of individuals that were made from an atlas, as a BIDS folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fetal_phantoms.atlas_cohort import (
    GENERATOR_VERSION,
    Individual,
    Template,
    make_individual,
)
from fetal_phantoms.fetal_brain.write import as_int16
from fetal_phantoms.set_folder import write_bids_tables, write_set


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
    folder : created; it must not exist yet, or be empty.
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
        If n_subjects is below 1 or the seed negative, or as `make_individual` does.
    FileExistsError
        If the folder holds files already.
    """

    def write(part: Path, number: int, own_seed: int) -> dict[str, str]:
        one = make_individual(templates, own_seed, spacing_mm=spacing_mm)
        subject = f"sub-{number + 1:04d}"
        _write_individual(part, subject, one)
        return {"participant_id": subject, "ga_days": f"{one.ga_days:.1f}"}

    def finish(part: Path, rows: list[dict[str, str]]) -> None:
        made_by = [{"Name": __name__, "Version": GENERATOR_VERSION}]
        columns = "participant_id", "ga_days"
        about = {"DatasetType": "derivative", "GeneratedBy": made_by}
        write_bids_tables(part, "Atlas cohort", columns, rows, **about)

    return write_set(folder, write, finish, ("n_subjects", n_subjects), seed)


def _write_individual(folder: Path, subject: str, one: Individual) -> None:
    """Write image, mask and labels of one individual."""
    import nibabel

    whole = as_int16(one.t2, one.labels)
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
