"""Read the table of an HC18-layout folder and say everything that is wrong with it."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

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


def _separator(header: str) -> str:
    return ";" if header.count(";") > header.count(",") else ","


def _row(cells: dict, line: int, problems: list[Problem]) -> HeadRow | None:
    name = (cells[NAME_COLUMN] or "").strip()
    if not name or Path(name).name != name or "\\" in name:
        message = f"line {line}: filename is {name!r}; it must be a plain file name"
        problems.append(Problem(TABLE_NAME, "file name", message))
        return None
    if None in cells:
        comma = all(re.fullmatch(r"\s*\d+(\.\d+)?\s*", cell) for cell in cells[None])
        message = f"line {line} has {3 + len(cells[None])} fields; the header has {len(COLUMNS)}"
        hint = ": decimals are written with a point" if comma else ""
        problems.append(Problem(name, "decimal comma" if comma else "fields", message + hint))
        return HeadRow(name, None, None)
    pixel = _number(cells[PIXEL_COLUMN] or "", PIXEL_COLUMN, name, problems)
    return HeadRow(name, pixel, _number(cells[HC_COLUMN] or "", HC_COLUMN, name, problems))


def read_head_table(path: str | Path) -> tuple[list[HeadRow], list[Problem]]:
    """Read an HC18 table; return the rows that have a name, and all problems found.

    Parameters
    ----------
    path : the CSV with the columns filename, pixel size(mm), head circumference (mm).

    Returns
    -------
    rows, each name once, and problems; rows are empty where a column is missing.
    """
    path, problems = Path(path), []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return [], [Problem(path.name, "missing", "the folder has no such table")]
    except (OSError, UnicodeDecodeError) as error:
        return [], [Problem(path.name, "unreadable", f"{error}; a UTF-8 CSV is needed")]
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=_separator(header), skipinitialspace=True)
    reader.fieldnames = [field.strip() for field in reader.fieldnames or []]
    if _separator(header) == ";":
        problems.append(Problem(path.name, "separator", "fields are parted by ';', not by ','"))
    if missing := [column for column in COLUMNS if column not in reader.fieldnames]:
        found = ", ".join(reader.fieldnames) or "nothing"
        message = f"column {', '.join(map(repr, missing))} missing; found {found}"
        return [], [*problems, Problem(path.name, "columns", message)]
    numbered = [_row(cells, line, problems) for line, cells in enumerate(reader, start=2)]
    rows = [row for row in numbered if row is not None]
    if not rows:
        problems.append(Problem(path.name, "empty", "the table has no rows"))
    for name, count in Counter(row.name for row in rows).items():
        if count > 1:
            problems.append(Problem(name, "duplicate", f"listed {count} times; once is the rule"))
    return list({row.name: row for row in rows}.values()), problems
