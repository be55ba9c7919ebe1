"""What all writers of phantom sets share: a folder that is whole or not there, subjects in turn."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Row = TypeVar("Row")
Progress = Callable[[int, int], None]
"""Called with (subjects done, subjects in all) after each."""


def write_set(
    folder: str | Path,
    write: Callable[[Path, int, int], Row],
    finish: Callable[[Path, list[Row]], None],
    size: tuple[str, int],
    seed: int,
    progress: Progress | None = None,
) -> Path:
    """Write a set, subject by subject; the folder appears complete or not at all.

    Parameters
    ----------
    folder : it must not exist yet, or be empty.
    write : called with the folder to write into, the subject's number from 0 and its own seed.
    finish : called with the folder and all that `write` returned, for the tables.
    size : name of the argument that says how many subjects there are, and its value.
    seed : of the set.
    progress : see `Progress`.

    Raises
    ------
    ValueError
        If there is no subject, or the seed is negative.
    FileExistsError
        If the folder holds files already.
    """
    folder, (name, n) = Path(folder), size
    if n < 1 or seed < 0:
        raise ValueError(f"{name} is {n} and seed {seed}; at least 1 and 0 are needed")
    with _new_folder(folder) as part:
        rows = write_each(lambda k: write(part, k, subject_seed(seed, k)), n, progress)
        finish(part, rows)
    return folder


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Hand out a folder beside `folder` to write into; it is renamed when all went well."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds files already; name a new folder or empty this one")
    part = folder.with_name(f"{folder.name}.part-{os.getpid()}")
    part.mkdir(parents=True)
    try:
        yield part
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def subject_seed(seed: int, number: int) -> int:
    """Return the own seed of a subject: it depends on the set's seed and its number alone.

    >>> subject_seed(0, 0), subject_seed(0, 1)
    (2968811710, 3964924996)
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def write_each(write: Callable[[int], Row], n: int, progress: Progress | None = None) -> list[Row]:
    """Return ``write(0)`` to ``write(n - 1)`` in that order, made two at a time."""
    rows = []
    with ThreadPoolExecutor(2) as pool:  # NumPy, SciPy, OpenCV and gzip let go of the lock
        for row in pool.map(write, range(n)):
            rows.append(row)
            if progress is not None:
                progress(len(rows), n)
    return rows


def write_png(path: Path, image: np.ndarray, compression: int = 3) -> None:
    """Write a uint8 image (H, W) as PNG."""
    import cv2

    done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, compression])
    if not done:
        raise OSError(f"{path.name} could not be encoded as PNG, array {image.shape}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def write_nifti(path: Path, volume: np.ndarray, affine: np.ndarray, space: str) -> None:
    """Write a volume (X, Y, Z) as NIfTI; its affine leads to a space that NIfTI has a code for."""
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(volume, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=space)
    image.set_qform(affine, code=space)
    nibabel.save(image, path)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the record of a set."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write the table of a set; tabs part the columns of a .tsv, commas those of a .csv."""
    mark = "\t" if path.suffix == ".tsv" else ","
    lines = [columns, *([str(row[name]) for name in columns] for row in rows)]
    path.write_text("\n".join(mark.join(line) for line in lines) + "\n", encoding="ascii")


def write_bids_tables(
    folder: Path, name: str, columns: Sequence[str], rows: Sequence[dict[str, Any]], **about: Any
) -> None:
    """Write what a BIDS folder must say of itself and of its participants."""
    write_table(folder / "participants.tsv", columns, rows)
    description = {"Name": name, "BIDSVersion": "1.9.0", "DatasetType": "raw"}
    write_json(folder / "dataset_description.json", description | about)
