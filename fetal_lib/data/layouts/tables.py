"""Read a table and say everything that is wrong with it, row by row; keep what can be used.

Unlike ``readers.delimited``, which refuses a faulty table, this goes on after every fault, so that
one run names them all.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fetal_lib.data.layouts.images import file_problem
from fetal_lib.data.report import Problem

MAX_BYTES = 64_000_000
UNKNOWN = {"", "nan", "na", "n/a", "none", "null", "-"}
OFFICE = ((b"PK\x03\x04", "an Excel file"), (b"\xd0\xcf\x11\xe0", "an old Excel file"))
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class Number:
    """Describe a column of numbers: limits, unit, and whether a row may leave it empty."""

    low: float
    high: float
    unit: str
    needed: bool = False


@dataclass(frozen=True)
class Row:
    """Hold one row: its line, its texts by column, its numbers by column (None: unusable)."""

    line: int
    text: dict[str, str]
    number: dict[str, float | None] = field(default_factory=dict)


@dataclass
class Table:
    """Hold what could be read of a table, what parts its fields, and every problem of it."""

    name: str
    separator: str = ","
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def note(self, kind: str, message: str) -> None:
        """Add a problem of this table."""
        self.problems.append(Problem(self.name, kind, message))


def plain(column: str) -> str:
    """Return a column's name without case, blanks, hyphens: ``Gestational age`` is one name."""
    return re.sub(r"[\s_-]+", "_", column.strip()).casefold()


def read_table(
    path: Path,
    needed: Sequence[str],
    numbers: dict[str, Number] | None = None,
    unique: Sequence[str] = (),
    name: str = "",
) -> Table:
    """Read a table parted by commas, semicolons or tabs.

    Parameters
    ----------
    path : the file.
    needed : columns it must have, whatever their case, blanks and hyphens.
    numbers : columns of numbers, where the table has them.
    unique : columns in which no value may stand twice.
    name : how reports call it; the file's name.

    Returns
    -------
    Table with the rows that have as many fields as the header, and every problem.
    """
    table = Table(name or path.name)
    cells = read_cells(path, table)
    if not cells:
        return table
    known = {plain(column): column for column in (*needed, *(numbers or {}))}
    header = cells[0][1]
    table.columns = [known.get(plain(column), column) for column in header]
    while table.columns and not table.columns[-1]:
        table.columns.pop()
    _check_columns(table, needed)
    for line, fields in cells[1:]:
        if _fits(table, line, fields, len(header)):
            text = dict(zip(table.columns, fields, strict=False))
            table.rows.append(Row(line, text, _numbers(table, line, text, numbers or {})))
    if not table.rows:
        table.note("empty", "the table has no usable row")
    for column in unique:
        _check_unique(table, column)
    return table


def read_cells(path: Path, table: Table) -> list[tuple[int, list[str]]]:
    """Return the line number and the fields of each line; what is wrong is noted in `table`.

    Parameters
    ----------
    path : the file.
    table : its `separator` is set, and problems are added.

    Returns
    -------
    list of (line, fields), the header first; blank lines are left out, and it is empty where
    the file cannot be read.
    """
    text = _text(path, table)
    if text is None:
        return []
    header = text.split("\n", 1)[0]
    table.separator = max(",;\t", key=header.count)
    blanks = table.separator != "\t"
    reader = csv.reader(io.StringIO(text), delimiter=table.separator, skipinitialspace=blanks)
    rows = []
    try:
        for fields in reader:
            rows.append((reader.line_num, [field.strip() for field in fields]))
    except csv.Error as error:
        table.note("unreadable", f"line {reader.line_num}: {error}; save the table anew")
    rows = [(line, fields) for line, fields in rows if any(fields)]
    if not rows:
        table.note("empty", "the table has no header")
    return rows


def _text(path: Path, table: Table) -> str | None:
    if problem := file_problem(path, table.name, "table"):
        table.problems.append(problem)
        return None
    if path.stat().st_size > MAX_BYTES:
        table.note("wrong type", f"{path.stat().st_size} bytes; a table has at most 64 MB")
        return None
    content = path.read_bytes()
    if kind := next((kind for mark, kind in OFFICE if content.startswith(mark)), None):
        table.note("wrong type", f"{kind}; save the sheet as 'CSV UTF-8'")
        return None
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        table.note("wrong type", f"byte {error.start} is no UTF-8; save it as 'CSV UTF-8'")
        return None
    if "\0" in text:
        table.note("wrong type", "NUL bytes; it is no text, or damaged: save the table anew")
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")


def _check_columns(table: Table, needed: Sequence[str]) -> None:
    found = ", ".join(table.columns[:20]) or "nothing"
    if missing := [column for column in needed if column not in table.columns]:
        table.note("columns", f"column {', '.join(map(repr, missing))} missing; found {found}")
    doubled = [name for name, count in Counter(table.columns).items() if name and count > 1]
    if doubled:
        table.note("columns", f"column {', '.join(map(repr, doubled))} stands more than once")


def _fits(table: Table, line: int, fields: list[str], width: int) -> bool:
    """Return whether a row has as many fields as the header, whose last may have no name."""
    extra = [text for text in fields[len(table.columns) :] if text]
    if len(table.columns) <= len(fields) <= width and not extra:
        return True
    too_many = len(fields) > len(table.columns)
    commas = bool(extra) and all(text.isdigit() for text in extra)
    hint = ": decimals are written with a point, not a comma" if too_many else ""
    message = f"line {line} has {len(fields)} fields, the header {len(table.columns)}{hint}"
    table.note("decimal comma" if commas else "fields", message)
    return False


def _numbers(
    table: Table, line: int, text: dict[str, str], numbers: dict[str, Number]
) -> dict[str, float | None]:
    present = {column: rule for column, rule in numbers.items() if column in text}
    return {
        column: _number(table, line, column, text[column], rule) for column, rule in present.items()
    }


def _number(table: Table, line: int, column: str, cell: str, rule: Number) -> float | None:
    where = f"line {line}: {column} is {cell[:40]!r}"
    if cell.casefold() in UNKNOWN:
        if rule.needed:
            table.note("no value", f"{where}; a number in {rule.unit} is needed")
        return None
    if _COMMA_NUMBER.fullmatch(cell):
        table.note("decimal comma", f"{where}; write a decimal point")
        return None
    try:
        value = float(cell)
    except ValueError:
        table.note("not a number", f"{where}; it must be a number in {rule.unit}")
        return None
    if not math.isfinite(value) or not rule.low <= value <= rule.high:
        limits = f"it must be {rule.low:g} to {rule.high:g} {rule.unit}"
        table.note("out of range", f"{where}; {limits}")
        return None
    return value


def _check_unique(table: Table, column: str) -> None:
    values = Counter(row.text[column] for row in table.rows if row.text.get(column))
    for value, count in values.items():
        if count > 1:
            table.note("duplicate", f"{column} {value} stands {count} times; once is the rule")
