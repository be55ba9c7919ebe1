"""Adult T1 MRI with ages: BIDS folders, IXI, OASIS-1.

BIDS: ``participants.tsv`` (``participant_id``, ``age``, ``sex``; ``eTIV`` and ``nWBV`` where
known) with ``sub-X/anat/sub-X_T1w.nii.gz`` and, if there are tissue labels,
``derivatives/NAME/sub-X/anat/sub-X_dseg.nii.gz``; Cam-CAN has this layout. IXI: ``IXI.csv``
and ``IXI002-Guys-0828-T1.nii.gz``. OASIS-1: ``oasis_cross-sectional.csv`` and folders such as
``OAS1_0001_MR1``. The group of a split is ``subject``: repeat scans of a person share it.

References
----------
Marcus DS et al. J Cogn Neurosci 2007;19:1498-1507. doi:10.1162/jocn.2007.19.9.1498 (OASIS-1).
Taylor JR et al. NeuroImage 2017;144:262-269. doi:10.1016/j.neuroimage.2015.09.018 (Cam-CAN).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.readers.volume import Volume, VolumeReadError, read_labels, read_volume
from fetal_lib.sets.adult_mri_layouts import (
    IXI_TABLES,
    OASIS_TABLES,
    Found,
    find_bids,
    find_ixi,
    find_oasis1,
)
from fetal_lib.sets.bad_files import BadFilesError, stream

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("subject", "session", "path", "labels_path", "age_years", "sex", "site")
COLUMNS += ("etiv_ml", "nwbv", "extra")
LAYOUTS: dict[str, tuple[tuple[str, ...], Callable[[Path], Found]]] = {
    "bids": (("participants.tsv",), find_bids),
    "ixi": ((*IXI_TABLES, "IXI.xls"), find_ixi),
    "oasis1": (OASIS_TABLES, find_oasis1),
}
N_TISSUES = 4  # background, CSF, gray, white


@dataclass(frozen=True)
class AdultCases:
    """Hold the scans of a folder and what was left out.

    Attributes
    ----------
    table : DataFrame
        One row a scan: ``subject``, ``session``, ``path``, ``labels_path`` (None where there
        are no labels), ``age_years``, ``sex`` (F, M or empty), ``site``, ``etiv_ml``, ``nwbv``
        (NaN where unknown), ``extra`` (the table's other columns as text, a dict).
    left_out : tuple of str
        One line a person or scan that is not in the table, with the reason.
    layout : str
        ``bids``, ``ixi`` or ``oasis1``.
    """

    table: pd.DataFrame
    left_out: tuple[str, ...]
    layout: str


@dataclass(frozen=True)
class AdultScan:
    """Hold one scan that was read.

    Attributes
    ----------
    subject : str
    volume : Volume
        T1, RAS.
    labels : uint8 (X, Y, Z) or None
        0 background, 1 CSF, 2 gray matter, 3 white matter.
    """

    subject: str
    volume: Volume
    labels: np.ndarray | None


def read_cases(folder: str | Path) -> AdultCases:
    """Return the scans of a folder, without reading them; the layout is found by its table.

    Parameters
    ----------
    folder : path

    Returns
    -------
    AdultCases

    Raises
    ------
    ValueError
        If the folder has none of the layouts or no scan that can be used; a table that cannot
        be used is a TableReadError.
    BadFilesError
        A ValueError that names all rows that cannot be used and all missing files together.
    """
    import pandas as pd

    folder = Path(folder)
    layout = next(
        (
            name
            for name, (tables, _) in LAYOUTS.items()
            if any((folder / t).is_file() for t in tables)
        ),
        None,
    )
    if layout is None:
        raise ValueError(
            f"data={str(folder)!r}: no participants.tsv (BIDS), {IXI_TABLES[0]} or "
            f"{OASIS_TABLES[0]} in it; an adult set needs a table of ages. Write participants.tsv "
            "with participant_id, age and sex, or name the folder that holds the table."
        )
    found = LAYOUTS[layout][1](folder)
    if found.problems:
        raise BadFilesError(f"data={str(folder)!r}", found.problems)
    if not found.rows:
        reasons = "; ".join(found.left_out[:10]) or "the table has no usable row"
        raise ValueError(f"data={str(folder)!r}: no scan with an age ({reasons})")
    table = pd.DataFrame(found.rows, columns=list(COLUMNS))
    table = table.sort_values(["subject", "session"], ignore_index=True, kind="stable")
    return AdultCases(table, tuple(found.left_out), layout)


def iter_scans(table: pd.DataFrame) -> Iterator[AdultScan]:
    """Read scans one after the other, in the table's order.

    Parameters
    ----------
    table : DataFrame
        From :func:`read_cases`, or some of its rows.

    Yields
    ------
    AdultScan

    Raises
    ------
    BadFilesError
        After the last scan: a ValueError that names all files that cannot be used.
    """
    rows = table[["subject", "path", "labels_path"]].itertuples(index=False, name=None)
    return stream(rows, lambda row: read_scan(*row))


def read_scan(subject: str, path: Path, labels_path: Path | None = None) -> AdultScan:
    """Read one scan and its labels.

    Raises
    ------
    ValueError
        If a file cannot be read, the scan is empty, or the labels are not of its grid or hold
        anything but 0-3.
    """
    volume = read_volume(path)
    if not np.any(volume.data != volume.data.flat[0]):
        raise VolumeReadError(
            Path(path), "all voxels are alike", "a brain must show", "Export the scan again."
        )
    labels = None if labels_path is None else _read_labels(Path(labels_path), volume)
    return AdultScan(subject, volume, labels)


def _read_labels(path: Path, volume: Volume) -> np.ndarray:
    labels = read_labels(path)
    if labels.data.shape != volume.data.shape or not np.allclose(
        labels.affine, volume.affine, atol=0.05
    ):
        raise ValueError(
            f"{path}: grid {labels.data.shape}, the scan's is {volume.data.shape}, or it lies "
            "elsewhere; labels must be drawn on the scan's own grid. Resample them to it"
        )
    found = np.unique(labels.data)
    if not np.isin(found, range(N_TISSUES)).all():
        raise ValueError(
            f"{path}: labels {found[:8].tolist()}; 0 background, 1 CSF, 2 gray and 3 white matter "
            "are read. Map the others to these"
        )
    return labels.data.astype(np.uint8)
