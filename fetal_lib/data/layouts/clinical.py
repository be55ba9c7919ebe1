"""A clinic's own ultrasound: ``table.csv`` with image, mask, subject, structure, measurements."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, walk
from fetal_lib.data.layouts.images import check_pair
from fetal_lib.data.layouts.paths import inside
from fetal_lib.data.layouts.tables import Number, Row, Table, plain, read_table
from fetal_lib.data.report import FolderReport, Problem

TABLE_NAME = "table.csv"
COLUMNS = ("image", "mask", "subject", "structure")
STRUCTURES = ("head", "abdomen")
NUMBERS = {
    "pixel_size_mm": Number(0.02, 1.0, "mm a pixel"),
    "ga_days": Number(70, 310, "days (weeks x 7)"),
    "hc_mm": Number(30, 420, "mm (cm x 10)"),
    "ac_mm": Number(30, 480, "mm (cm x 10)"),
    "bpd_mm": Number(10, 130, "mm (cm x 10)"),
    "ofd_mm": Number(10, 160, "mm (cm x 10)"),
    "fl_mm": Number(3, 100, "mm (cm x 10)"),
}
_STEMS = {name.split("_")[0]: name for name in NUMBERS}


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    table = read_table(folder / TABLE_NAME, COLUMNS, NUMBERS, unique=("image", "mask"))
    for column in table.columns:
        meant = _STEMS.get(plain(column).split("_")[0])
        if meant and column not in NUMBERS:
            unit = NUMBERS[meant].unit
            table.note("columns", f"column {column!r} is not known: give {meant!r} in {unit}")
    for row in table.rows:
        _check_row(table, row)
    problems = walk(table.rows, lambda row: _check_case(folder, table, row), progress)
    return FolderReport(str(folder), len(table.rows), (*table.problems, *problems))


def _check_row(table: Table, row: Row) -> None:
    structure = row.text.get("structure")
    if structure is not None and structure.casefold() not in STRUCTURES:
        rule = f"it must be {' or '.join(STRUCTURES)}"
        table.note("value", f"line {row.line}: structure is {structure[:40]!r}; {rule}")
    if row.text.get("subject") == "":
        table.note("no value", f"line {row.line}: subject is empty")
    if row.text.get("image") and row.text.get("image") == row.text.get("mask"):
        table.note("value", f"line {row.line}: {row.text['image']} is its own mask")


def _check_case(folder: Path, table: Table, row: Row) -> list[Problem]:
    image, mask = (inside(folder, row, column, table) for column in ("image", "mask"))
    if image is None or mask is None:
        return []
    return check_pair(image, mask, folder)


def _detect(folder: Path) -> bool:
    try:
        with (folder / TABLE_NAME).open(encoding="utf-8-sig", errors="replace") as source:
            header = plain(source.readline(10_000))
    except OSError:
        return False
    return "image" in header and "mask" in header


LAYOUT = Layout(
    "clinical_ultrasound", "table.csv with image, mask, subject, structure", _detect, _check
)
