"""Write sets of adult brain phantoms as a BIDS folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fetal_phantoms.adult_brain.brain import (
    AdultBrainPhantom,
    check_request,
    make_adult_brain,
)
from fetal_phantoms.adult_brain.template import load_template
from fetal_phantoms.set_folder import (
    new_folder,
    subject_seed,
    write_each,
    write_json,
    write_lines,
    write_nifti,
)

GENERATOR_VERSION = "1"
TSV_HEADER = "participant_id\tage\tsex\teTIV\tnWBV"


def write_adult_brain_set(
    folder: str | Path,
    n_subjects: int,
    seed: int,
    spacing_mm: float = 2.0,
    space: str = "native",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a set of adult brain phantoms in the layout of BIDS.

    The folder appears complete or not at all: files are written beside it and renamed.

    Parameters
    ----------
    folder : created; it must not exist yet, or be empty.
    n_subjects : at least 1; ages are drawn evenly from 18-90.
    seed : non-negative; subject k is the same whatever n_subjects is.
    spacing_mm, space : see `make_adult_brain`; ``"mni"`` gives scans registered to the template,
        as OASIS-1 is often passed on, with the head's own size in ``eTIV``.
    progress : called with (subjects done, n_subjects) after each.

    Returns
    -------
    The folder: participants.tsv (age in years, sex, eTIV in mL, nWBV), sub-K/anat/
    sub-K_T1w.nii.gz, derivatives/labels/sub-K/anat/sub-K_dseg.nii.gz, phantom.json.

    Raises
    ------
    ValueError
        If n_subjects is below 1, or another parameter is out of range.
    FileExistsError
        If the folder holds files already.
    """
    folder = Path(folder)
    check_request(seed, spacing_mm, space)
    if n_subjects < 1:
        raise ValueError(f"n_subjects is {n_subjects}; at least 1 is needed")
    with new_folder(folder) as part:
        load_template()  # once, before two threads ask for it
        rows = write_each(
            lambda k: _write_subject(part, k, seed, spacing_mm, space), n_subjects, progress
        )
        _write_tables(part, rows, seed, spacing_mm, space)
    return folder


def _write_subject(part: Path, number: int, seed: int, spacing_mm: float, space: str) -> dict:
    """Write the two volumes of one subject; return its row and volumes."""
    own_seed = subject_seed(seed, number)
    phantom = make_adult_brain(own_seed, spacing_mm=spacing_mm, space=space)
    subject = f"sub-{number + 1:04d}"
    _write_nifti(part / subject / "anat" / f"{subject}_T1w.nii.gz", phantom.t1, phantom)
    labels = part / "derivatives" / "labels" / subject / "anat" / f"{subject}_dseg.nii.gz"
    _write_nifti(labels, phantom.labels, phantom)
    return {
        "participant_id": subject,
        "age": round(phantom.age_years, 2),
        "sex": phantom.sex,
        "eTIV": round(phantom.tiv_ml, 1),
        "nWBV": round(phantom.nwbv, 4),
        "volumes_ml": {name: round(ml, 2) for name, ml in phantom.volumes_ml.items()},
    }


def _write_nifti(path: Path, volume: np.ndarray, phantom: AdultBrainPhantom) -> None:
    whole = np.round(volume).astype(np.uint8 if volume.dtype == np.uint8 else np.int16)
    write_nifti(path, whole, phantom.affine, "mni" if phantom.space == "mni" else "aligned")


def _write_tables(part: Path, rows: list[dict], seed: int, spacing_mm: float, space: str) -> None:
    columns = TSV_HEADER.split("\t")
    lines = [TSV_HEADER, *("\t".join(str(row[name]) for name in columns) for row in rows)]
    write_lines(part / "participants.tsv", lines)
    description = {"Name": "Adult brain phantoms", "BIDSVersion": "1.9.0", "DatasetType": "raw"}
    write_json(part / "dataset_description.json", description)
    record = {
        "generator": "fetal_phantoms.adult_brain",
        "version": GENERATOR_VERSION,
        "seed": seed,
        "n_subjects": len(rows),
        "spacing_mm": spacing_mm,
        "space": space,
        "volumes_ml": {row["participant_id"]: row["volumes_ml"] for row in rows},
    }
    write_json(part / "phantom.json", record)
