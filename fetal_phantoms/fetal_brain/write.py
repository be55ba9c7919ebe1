"""Write sets of fetal brain phantoms as a BIDS folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fetal_phantoms.fetal_brain.brain import (
    FetalBrainPhantom,
    check_request,
    make_fetal_brain,
)
from fetal_phantoms.fetal_brain.fetus import SIZE_SD
from fetal_phantoms.fetal_brain.stacks import make_stacks
from fetal_phantoms.set_folder import (
    Progress,
    write_bids_tables,
    write_json,
    write_nifti,
    write_set,
)

GENERATOR_VERSION = "1"
KINDS = ("volume", "stacks")
GAIN = 1000.0  # int16 on disk: the bright end of a volume


def write_fetal_brain_set(
    folder: str | Path,
    n_subjects: int,
    seed: int,
    spacing_mm: float = 1.0,
    kind: str = "volume",
    size_sd: float = SIZE_SD,
    progress: Progress | None = None,
) -> Path:
    """Write a set of fetal brain phantoms in the layout of BIDS.

    Parameters
    ----------
    folder : created; it must not exist yet, or be empty.
    n_subjects : at least 1; ages are drawn evenly from 133-273 days.
    seed : non-negative; subject k is the same whatever n_subjects is.
    spacing_mm, size_sd : see `make_fetal_brain`.
    kind : ``"volume"`` writes one masked isotropic volume a subject, as a reconstruction is;
        ``"stacks"`` three stacks of thick slices with the mother around (run-1 to run-3).
    progress : called with (subjects done, n_subjects) after each.

    Returns
    -------
    The folder: participants.tsv (participant_id, ga_days), sub-K/anat/sub-K_T2w.nii.gz,
    derivatives/labels/sub-K/anat/sub-K_dseg.nii.gz, phantom.json with all volumes.

    Raises
    ------
    ValueError
        If n_subjects is below 1, or another parameter is out of range.
    FileExistsError
        If the folder holds files already.
    """
    check_request(seed, spacing_mm)
    if kind not in KINDS or not 0.0 <= size_sd <= 0.25:
        raise ValueError(
            f"kind {kind!r} and size_sd {size_sd} were given; {' or '.join(KINDS)}, and 0 to 0.25 "
            "are needed"
        )
    request = {"seed": seed, "spacing_mm": spacing_mm, "kind": kind, "size_sd": size_sd}

    def write(part: Path, number: int, own_seed: int) -> dict:
        return _write_subject(part, number, own_seed, request)

    def finish(part: Path, rows: list[dict]) -> None:
        columns = "participant_id", "ga_days"
        write_bids_tables(part, "Fetal brain phantoms", columns, rows)
        record = {
            "generator": "fetal_phantoms.fetal_brain",
            "version": GENERATOR_VERSION,
            "n": len(rows),
            **request,
            "volumes_ml": {row["participant_id"]: row["volumes_ml"] for row in rows},
        }
        write_json(part / "phantom.json", record)

    return write_set(folder, write, finish, ("n_subjects", n_subjects), seed, progress)


def _write_subject(part: Path, number: int, own_seed: int, request: dict) -> dict:
    """Write the volumes of one subject; return its row and volumes."""
    is_stacks = request["kind"] == "stacks"
    phantom = make_fetal_brain(
        own_seed,
        spacing_mm=request["spacing_mm"],
        surroundings=is_stacks,
        size_sd=request["size_sd"],
    )
    subject = f"sub-{number + 1:04d}"
    for run, t2, labels, affine in _images(phantom, own_seed, is_stacks):
        stem = f"{subject}/anat/{subject}{run}"
        whole = as_int16(t2, labels)
        write_nifti(part / f"{stem}_T2w.nii.gz", whole, affine, "scanner")
        labels_path = part / "derivatives" / "labels" / f"{stem}_dseg.nii.gz"
        write_nifti(labels_path, labels, affine, "scanner")
    return {
        "participant_id": subject,
        "ga_days": round(phantom.ga_days, 1),
        "volumes_ml": {name: round(ml, 3) for name, ml in phantom.volumes_ml.items()},
    }


def as_int16(t2: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return a volume as it is kept on disk: the bright end of the brain becomes `GAIN`."""
    bright = np.percentile(t2[labels > 0], 99)
    return np.clip(np.round(t2 * (GAIN / bright)), 0, 32767).astype(np.int16)


def _images(
    phantom: FetalBrainPhantom, seed: int, is_stacks: bool
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield name part, image, labels and affine of each file of a subject."""
    if not is_stacks:
        yield "", phantom.t2, phantom.labels, phantom.affine
        return
    for number, stack in enumerate(make_stacks(phantom, seed), start=1):
        name = f"_acq-{stack.plane}_run-{number}"
        yield name, stack.data, stack.labels, stack.affine
