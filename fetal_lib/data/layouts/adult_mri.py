"""Adult T1 MRI with ages: BIDS folders, IXI, OASIS-1.

The group of a split is ``subject``: repeat scans of a person share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.data.bad_files import stream
from fetal_lib.data.layouts import bids_adult, ixi, oasis
from fetal_lib.data.layouts.adult_scan import AdultScan, read
from fetal_lib.data.layouts.base import Found
from fetal_lib.data.layouts.bids import TABLE_NAME

if TYPE_CHECKING:
    import pandas as pd

LAYOUTS = (bids_adult.LAYOUT, ixi.LAYOUT, oasis.LAYOUT)


def read_cases(folder: str | Path) -> Found:
    """Return the scans of a folder, without reading them; the layout is told from the folder.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Found
        ``rows``: one a scan, with ``subject``, ``session``, ``path``, ``labels_path`` (None
        where there are no labels), ``age_years``, ``sex`` (F, M or empty), ``site``,
        ``etiv_ml``, ``nwbv`` (NaN where unknown), ``extra`` (the table's other columns as text,
        a dict). ``notes``: who was left out, with the reason.

    Raises
    ------
    ValueError
        If the folder has none of the layouts.
    BadFilesError
        A ValueError that names all rows that cannot be used and all missing files together.
    """
    folder = Path(folder)
    layout = next((one for one in LAYOUTS if folder.is_dir() and one.detect(folder)), None)
    if layout is None:
        raise ValueError(
            f"data={str(folder)!r}: no {TABLE_NAME} (BIDS), {ixi.TABLES[0]} or {oasis.TABLES[0]} "
            f"in it; an adult set needs a table of ages. Write {TABLE_NAME} with participant_id, "
            "age and sex, or name the folder that holds the table."
        )
    found = layout.find(folder)
    found.usable()
    return found


def iter_scans(table: pd.DataFrame) -> Iterator[AdultScan]:
    """Read scans one after the other, in the table's order.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`read_cases`, or some of them.

    Yields
    ------
    AdultScan

    Raises
    ------
    BadFilesError
        After the last scan: a ValueError that names all files that cannot be used.
    """
    return stream(table.itertuples(index=False), read)
