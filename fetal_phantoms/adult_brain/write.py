"""Write sets of adult brain phantoms as a BIDS folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_phantoms.adult_brain.brain import (
    AdultBrainPhantom,
    check_request,
    make_adult_brain,
)
from fetal_phantoms.adult_brain.template import load_template
from fetal_phantoms.set_folder import (
    Progress,
    write_bids_tables,
    write_json,
    write_nifti,
    write_set,
)

GENERATOR_VERSION = "1"
COLUMNS = ("participant_id", "age", "sex", "eTIV", "nWBV")


def write_adult_brain_set(
    folder: str | Path,
    n_subjects: int,
    seed: int,
    spacing_mm: float = 2.0,
    space: str = "native",
    progress: Progress | None = None,
) -> Path:
    """Write a set of adult brain phantoms in the layout of BIDS.

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
    check_request(seed, spacing_mm, space)
    load_template()  # once, before two threads ask for it

    def write(part: Path, number: int, own_seed: int) -> dict:
        phantom = make_adult_brain(own_seed, spacing_mm=spacing_mm, space=space)
        return _write_subject(part, f"sub-{number + 1:04d}", phantom)

    def finish(part: Path, rows: list[dict]) -> None:
        write_bids_tables(part, "Adult brain phantoms", COLUMNS, rows)
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

    return write_set(folder, write, finish, ("n_subjects", n_subjects), seed, progress)


def _write_subject(part: Path, subject: str, phantom: AdultBrainPhantom) -> dict:
    """Write the two volumes of one subject; return its row and volumes."""
    code = "mni" if phantom.space == "mni" else "aligned"
    t1 = np.round(phantom.t1).astype(np.int16)
    write_nifti(part / subject / "anat" / f"{subject}_T1w.nii.gz", t1, phantom.affine, code)
    labels = part / "derivatives" / "labels" / subject / "anat" / f"{subject}_dseg.nii.gz"
    write_nifti(labels, phantom.labels, phantom.affine, code)
    return {
        "participant_id": subject,
        "age": round(phantom.age_years, 2),
        "sex": phantom.sex,
        "eTIV": round(phantom.tiv_ml, 1),
        "nWBV": round(phantom.nwbv, 4),
        "volumes_ml": {name: round(ml, 2) for name, ml in phantom.volumes_ml.items()},
    }
