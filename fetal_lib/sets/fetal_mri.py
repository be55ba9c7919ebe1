"""Fetal brain MRI with gestational ages: volumes, stacks, atlas templates, slices as pictures.

Three layouts are read, told apart by what is in the folder: BIDS (``participants.tsv`` with
``ga_days``), templates by week as atlases are published (``..._GA31_.../srr.nii.gz``), and
source 000's own (a table, and ``PATIENT/axial/*.jpg``). All scans and slices of a ``group``,
usually one fetus, must stay on one side of a split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.readers.image import read_gray
from fetal_lib.readers.volume import Volume, VolumeReadError, read_labels, read_volume
from fetal_lib.sets.bad_files import BadFilesError, stream
from fetal_lib.sets.fetal_mri_layouts import (
    PLANES,
    Found,
    find_bids,
    find_slices,
    find_templates,
    has_slices,
    has_templates,
    slice_paths,
)

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "subject",
    "group",
    "session",
    "path",
    "labels_path",
    "mask_path",
    "ga_days",
    "kind",
    "split",
)
THICK = 1.6  # voxels this much longer than wide make a stack of slices
SAME_PLACE_MM = 0.5


@dataclass(frozen=True)
class FetalScan:
    """Hold one scan.

    Attributes
    ----------
    subject : the fetus.
    ga_days : gestational age at the scan, days.
    kind : ``volume`` (nearly isotropic), ``stack`` (thick slices), ``template``, ``slices``.
    volume : Volume, or None for pictures.
    labels : uint8 (X, Y, Z) on the volume's grid, or None.
    mask : bool (X, Y, Z), the brain with its fluid, or None where no file gives it.
    pictures : for slices, uint8 arrays (H, W) of each plane, in order; else empty.
    """

    subject: str
    ga_days: float
    kind: str
    volume: Volume | None
    labels: np.ndarray | None
    mask: np.ndarray | None
    pictures: dict[str, tuple[np.ndarray, ...]]


def read_cases(folder: str | Path) -> pd.DataFrame:
    """Return the case table of a folder; no voxel is read.

    Parameters
    ----------
    folder : path

    Returns
    -------
    DataFrame
        One row a volume, or a patient's set of slices: ``subject, group, session, path,
        labels_path, mask_path, ga_days, kind, split``. ``kind`` is ``volume``, ``template`` or
        ``slices``; whether a volume is a stack shows when it is read.

    Raises
    ------
    ValueError
        If the folder is of no known layout.
    TableReadError
        A ValueError: the table is missing or unreadable.
    BadFilesError
        A ValueError that names every bad row and every missing file.

    Examples
    --------
    >>> read_cases("nowhere")
    Traceback (most recent call last):
    ValueError: data='nowhere': no such folder; name a folder of fetal MRI.
    """
    import pandas as pd

    folder = Path(folder)
    found = _find(folder)
    if found.problems:
        raise BadFilesError(f"data={str(folder)!r}", found.problems)
    table = pd.DataFrame(found.rows, columns=list(COLUMNS))
    return table.sort_values(["subject", "session", "path"], ignore_index=True)


def _find(folder: Path) -> Found:
    if not folder.is_dir():
        raise ValueError(f"data={str(folder)!r}: no such folder; name a folder of fetal MRI.")
    if (folder / "participants.tsv").is_file():
        return find_bids(folder)
    if has_slices(folder):
        return find_slices(folder)
    if has_templates(folder):
        return find_templates(folder)
    raise ValueError(
        f"data={str(folder)!r}: neither participants.tsv with sub-*/anat/*_T2w.nii.gz, nor "
        "templates with a week in their names (STA31, GA31), nor PATIENT/axial/ with pictures "
        "and a table; `fetal-lib data show own_bids_fetal` shows the layout."
    )


def iter_scans(table: pd.DataFrame) -> Iterator[FetalScan]:
    """Read scans one after the other, in the table's order.

    Parameters
    ----------
    table : DataFrame
        From :func:`read_cases`, or some of its rows.

    Yields
    ------
    FetalScan

    Raises
    ------
    BadFilesError
        After the last scan: a ValueError that names all files that cannot be used.
    """
    names = ["subject", "path", "ga_days", "kind", "labels_path", "mask_path"]
    return stream(table[names].itertuples(index=False, name=None), lambda row: read_scan(*row))


def read_scan(
    subject: str,
    path: Path,
    ga_days: float,
    kind: str,
    labels_path: Path | None = None,
    mask_path: Path | None = None,
) -> FetalScan:
    """Read one scan with its labels and mask; the arguments are columns of the case table.

    Raises
    ------
    ValueError
        If a file cannot be read, the scan is empty, or labels or mask are not of its grid.
    """
    if kind == "slices":
        return FetalScan(subject, float(ga_days), kind, None, None, None, _pictures(Path(path)))
    volume = read_volume(path)
    if not np.any(volume.data != volume.data.flat[0]):
        raise VolumeReadError(
            Path(path), "all voxels are alike", "a brain must show", "Export the scan again."
        )
    labels = None if labels_path is None else _on_same_grid(Path(labels_path), volume)
    mask = labels if mask_path is None else _on_same_grid(Path(mask_path), volume)
    if kind == "volume" and max(volume.spacing_mm) > THICK * min(volume.spacing_mm):
        kind = "stack"
    return FetalScan(
        subject, float(ga_days), kind, volume, labels, None if mask is None else mask > 0, {}
    )


def _on_same_grid(path: Path, volume: Volume) -> np.ndarray:
    """Return labels or a mask as uint8, or refuse one that is not of the scan's grid."""
    labels = read_labels(path)
    same_shape = labels.data.shape == volume.data.shape
    if not same_shape or not np.allclose(labels.affine, volume.affine, atol=SAME_PLACE_MM):
        raise VolumeReadError(
            path,
            f"a grid of {labels.data.shape}, the scan's is {volume.data.shape}, or it lies "
            "elsewhere",
            "labels and masks must be drawn on the scan's own grid",
            "Resample them to it.",
        )
    if labels.data.max() > 255:
        found = f"label {labels.data.max():.0f}"
        raise VolumeReadError(path, found, "labels are 0 to 255", "Number them anew.")
    return labels.data.astype(np.uint8)


def _pictures(home: Path) -> dict[str, tuple[np.ndarray, ...]]:
    """Read a patient's pictures; all that cannot be read are named together."""
    problems: list[str] = []
    pictures: dict[str, tuple[np.ndarray, ...]] = {}
    for plane in PLANES:
        images = []
        for path in slice_paths(home, plane):
            try:
                images.append(read_gray(path))
            except ValueError as error:
                problems.append(str(error))
        if not images and not problems:
            problems.append(f"{home / plane}: no slice in it")
        pictures[plane] = tuple(images)
    if problems:
        raise ValueError("\n  ".join(problems))
    return pictures
