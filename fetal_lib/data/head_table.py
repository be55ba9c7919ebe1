"""Read the table of an HC18-layout folder and say everything that is wrong with it."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fetal_lib.data.layouts.tables import Table, plain, read_cells
from fetal_lib.data.report import Problem

TABLE_NAME = "training_set_pixel_size_and_HC.csv"
NAME_COLUMN = "filename"
PIXEL_COLUMN = "pixel size(mm)"
HC_COLUMN = "head circumference (mm)"
COLUMNS = (NAME_COLUMN, PIXEL_COLUMN, HC_COLUMN)
_COMMA_NUMBER = re.compile(r"^\s*-?\d+,\d+\s*$")


@dataclass(frozen=True)
class HeadRow:
    """Hold one row: image name, mm per pixel, mm; a number that cannot be used is None."""

    name: str
    pixel_size_mm: float | None
    hc_mm: float | None


def _number(text: str, column: str, name: str, problems: list[Problem]) -> float | None:
    """Return a positive finite number, or None after noting what is wrong."""
    if _COMMA_NUMBER.match(text):
        rule = "decimals are written with a point: replace the comma"
        problems.append(Problem(name, "decimal comma", f"{column} is {text!r}; {rule}"))
        return None
    try:
        value = float(text)
    except ValueError:
        problems.append(Problem(name, "not a number", f"{column} is {text!r}; it must be in mm"))
        return None
    if not math.isfinite(value) or value <= 0:
        problems.append(Problem(name, "not positive", f"{column} is {text!r}; it must be above 0"))
        return None
    return value


def _row(
    columns: list[str], line: int, fields: list[str], problems: list[Problem]
) -> HeadRow | None:
    cells = dict(zip(columns, fields, strict=False))
    name = cells.get(NAME_COLUMN, "")
    if not name or Path(name).name != name or "\\" in name:
        message = f"line {line}: filename is {name!r}; it must be a plain file name"
        problems.append(Problem(TABLE_NAME, "file name", message))
        return None
    if extra := fields[len(columns) :]:
        comma = all(re.fullmatch(r"\d+(\.\d+)?", field) for field in extra)
        message = f"line {line} has {len(fields)} fields; the header has {len(columns)}"
        hint = ": decimals are written with a point" if comma else ""
        problems.append(Problem(name, "decimal comma" if comma else "fields", message + hint))
        return HeadRow(name, None, None)
    pixel = _number(cells.get(PIXEL_COLUMN, ""), PIXEL_COLUMN, name, problems)
    return HeadRow(name, pixel, _number(cells.get(HC_COLUMN, ""), HC_COLUMN, name, problems))


def read_head_table(path: str | Path) -> tuple[list[HeadRow], list[Problem]]:
    """Read an HC18 table; return the rows that have a name, and all problems found.

    Parameters
    ----------
    path : the CSV with the columns filename, pixel size(mm), head circumference (mm), whatever
        their case, blanks and hyphens.

    Returns
    -------
    rows, each name once, and problems; rows are empty where a column is missing.
    """
    table = Table(Path(path).name)
    lines, problems = read_cells(Path(path), table), table.problems
    if not lines:
        return [], problems
    if table.separator != ",":
        table.note("separator", f"fields are parted by {table.separator!r}, not by ','")
    known = {plain(column): column for column in COLUMNS}
    columns = [known.get(plain(field), field) for field in lines[0][1]]
    if missing := [column for column in COLUMNS if column not in columns]:
        found = ", ".join(columns[:20]) or "nothing"
        table.note("columns", f"column {', '.join(map(repr, missing))} missing; found {found}")
        return [], problems
    numbered = [_row(columns, line, fields, problems) for line, fields in lines[1:]]
    rows = [row for row in numbered if row is not None]
    if not rows:
        table.note("empty", "the table has no rows")
    for name, count in Counter(row.name for row in rows).items():
        if count > 1:
            problems.append(Problem(name, "duplicate", f"listed {count} times; once is the rule"))
    return list({row.name: row for row in rows}.values()), problems
