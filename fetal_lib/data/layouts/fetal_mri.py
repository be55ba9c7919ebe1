"""Fetal brain MRI with gestational ages: volumes, stacks, atlas templates, slices as pictures.

Three layouts are read, told apart by what is in the folder: BIDS (``participants.tsv`` with
``ga_days``), templates by week as atlases are published (``..._GA31_.../srr.nii.gz``), and
source 000's own (a table, and ``PATIENT/axial/*.jpg``). All scans and slices of a ``group``,
usually one fetus, must stay on one side of a split.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.data.bad_files import stream
from fetal_lib.data.layouts import bids_fetal, fetal_atlas, slices
from fetal_lib.data.layouts.base import Layout
from fetal_lib.data.layouts.bids import TABLE_NAME
from fetal_lib.data.layouts.fetal_scan import FetalScan

if TYPE_CHECKING:
    import pandas as pd


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
    BadFilesError
        A ValueError that names every bad row and every missing file.

    Examples
    --------
    >>> read_cases("nowhere")
    Traceback (most recent call last):
    ValueError: data='nowhere': no such folder; name a folder of fetal MRI.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"data={str(folder)!r}: no such folder; name a folder of fetal MRI.")
    return _layout(folder).find(folder).usable()


def _layout(folder: Path) -> Layout:
    if (folder / TABLE_NAME).is_file():
        return bids_fetal.LAYOUT
    for layout in (slices.LAYOUT, fetal_atlas.LAYOUT, bids_fetal.LAYOUT):
        if layout.detect(folder):
            return layout
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
    return stream(table.itertuples(index=False), read_scan)


def read_scan(row: Any) -> FetalScan:
    """Read one row of the case table.

    Raises
    ------
    ValueError
        If a file cannot be read, the scan is empty, or labels or mask are not of its grid.
    """
    return slices.read(row) if row.kind == "slices" else bids_fetal.read(row)
