"""A table of measurements without images: ``table.csv`` with ``subject`` and lengths or an age.

One row a measurement; the columns of numbers are those of the clinical layout. All rows of a
``subject`` stay on one side of a split.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fetal_lib.data.bad_files import plain_name
from fetal_lib.data.layouts.base import Found, Layout, Roles
from fetal_lib.data.layouts.clinical_ultrasound import LIMITS, TABLE_NAME, refuse_other_units
from fetal_lib.data.layouts.sheet import Sheet


def find(folder: Path) -> Found:
    """Find the rows of the table, in the order of the file; unknown numbers are NaN."""
    found = Found(folder)
    sheet = Sheet(found, folder / TABLE_NAME, ("subject",), (), LIMITS)
    refuse_other_units(sheet)
    if sheet.rows and not set(sheet.columns) & set(LIMITS):
        sheet.problem("columns", f"no column of numbers; one of {', '.join(LIMITS)} is needed")
    for line, row, values in sheet:
        sheet.need(line, row, ("subject",))
        subject = plain_name(row["subject"])
        found.cases.append({"image": f"line {line}", "subject": subject} | values)
    return found


def read(row: Any) -> dict[str, float]:
    """Return the numbers of a row."""
    return {name: getattr(row, name) for name in LIMITS}


def _detect(folder: Path) -> bool:
    try:
        with (folder / TABLE_NAME).open(encoding="utf-8-sig", errors="replace") as source:
            header = source.readline(10_000).casefold()
    except OSError:
        return False
    return "subject" in header and any(name in header for name in LIMITS)


LAYOUT = Layout(
    "measurements",
    "table.csv with subject and lengths in mm or ages in days, no images",
    _detect,
    find,
    read,
    roles=Roles(tuple(name for name in LIMITS if name != "pixel_size_mm")),
)
