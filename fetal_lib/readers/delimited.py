"""Read a table written as text: rows of strings, and numbers that are certain.

Fields are parted by commas, semicolons or tabs, as the header shows. A decimal comma is accepted
where it can be nothing else (``0,12`` in a table without decimal points); ``1,234`` alone could
be a thousand and is refused. All bad rows are named together.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetal_lib.errors import UserError, short

MAX_BYTES = 64_000_000
MAX_SHOWN = 10
SEPARATORS = (",", ";", "\t")
UNKNOWN = {"", "nan", "na", "n/a", "none", "null", "-"}
OFFICE = ((b"PK\x03\x04", "an Excel or ZIP file"), (b"\xd0\xcf\x11\xe0", "an old Excel file"))
_POINT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_THOUSAND = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")


class TableFault(str):
    """What is wrong with a table, in words; ``kind`` names it in one or two."""

    kind: str

    def __new__(cls, kind: str, text: str) -> TableFault:
        """Make a text with a kind."""
        fault = super().__new__(cls, text)
        fault.kind = kind
        return fault


class TableReadError(UserError, ValueError):
    """Say which table cannot be used, and ten reasons; ``problems`` holds them all, a line each."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        lines = list(problems[:MAX_SHOWN])
        if len(problems) > MAX_SHOWN:
            lines.append(f"and {len(problems) - MAX_SHOWN} more")
        super().__init__(f"{path.name}: {'; '.join(lines)}.")
        self.path, self.problems = path, tuple(problems)


@dataclass(frozen=True)
class TextTable:
    """Hold the rows of a table as text.

    Attributes
    ----------
    path : Path
    columns : tuple of str
        Known columns by the name that was asked for, others as they are written.
    rows : tuple of dict
        Text by column, without surrounding blanks.
    lines : tuple of int
        Line of the file that each row ends on, from 1.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    lines: tuple[int, ...]


def read_text_table(
    path: str | Path, required: Sequence[str], optional: Sequence[str] = ()
) -> TextTable:
    """Read a table of text in UTF-8 (or UTF-16 with its mark), whatever the line ends.

    Parameters
    ----------
    path : path
    required : names of columns, found whatever their case, blanks or hyphens.
    optional : further names that are known.

    Returns
    -------
    TextTable

    Raises
    ------
    TableReadError
        When the file is missing, empty, no text, has no row, a required column is missing, a
        column stands twice, or rows have more or fewer fields than the header.

    Examples
    --------
    >>> read_text_table("nowhere.csv", ["image"])
    Traceback (most recent call last):
    fetal_lib.readers.delimited.TableReadError: nowhere.csv: no such file.
    """
    path = Path(path)
    text = _text(path)
    separator = _separator(path, text)
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        numbered = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise TableReadError(
            path, [TableFault("unreadable", f"line {reader.line_num}: {error}")]
        ) from error
    numbered = [(line, cells) for line, cells in numbered if any(cells)]
    if len(numbered) < 2:
        raise TableReadError(path, [TableFault("empty", "no row below the header")])
    columns = _columns(path, numbered[0][1], required, optional)
    problems = [
        problem
        for line, cells in numbered[1:]
        if (problem := _width(line, cells, columns, len(numbered[0][1])))
    ]
    if problems:
        raise TableReadError(path, problems)
    rows = tuple(dict(zip(columns, cells, strict=False)) for _, cells in numbered[1:])
    return TextTable(path, tuple(columns), rows, tuple(line for line, _ in numbered[1:]))


def numbers(
    table: TextTable, limits: Mapping[str, tuple[float, float, str]]
) -> tuple[dict[str, list[float]], list[str]]:
    """Read columns of numbers.

    Parameters
    ----------
    table : TextTable
    limits : mapping
        Smallest, largest and unit of each column; a column that the table lacks is unknown.

    Returns
    -------
    values : dict
        One list a column, NaN where it is unknown: empty, ``NA``, ``NaN``, ``-``.
    problems : list of TableFault
        A line for each cell that is no number, ambiguous, or out of its limits.
    """
    cells = [row.get(name, "") for name in limits for row in table.rows]
    has_points = any("." in cell and _POINT.fullmatch(cell) for cell in cells)
    commas = [cell for cell in cells if _COMMA.fullmatch(cell)]
    sure = any(not _THOUSAND.fullmatch(cell) for cell in commas)
    values: dict[str, list[float]] = {name: [] for name in limits}
    problems: list[TableFault] = []
    for line, row in zip(table.lines, table.rows, strict=True):
        for name, (low, high, unit) in limits.items():
            value, kind, fault = _number(row.get(name, ""), has_points, sure)
            if not fault and not math.isnan(value) and not low <= value <= high:
                kind, fault = "out of range", f"is {value:g}; it must be {low:g}-{high:g} {unit}"
            if fault:
                problems.append(TableFault(kind, f"line {line}: {name} {fault}"))
            values[name].append(value)
    return values, problems


def _number(cell: str, has_points: bool, commas_are_sure: bool) -> tuple[float, str, str]:
    """Return the value, NaN where unknown, and the kind and words of what is wrong."""
    if cell.casefold() in UNKNOWN:
        return math.nan, "", ""
    if _POINT.fullmatch(cell):
        return float(cell), "", ""
    if not _COMMA.fullmatch(cell):
        return math.nan, "not a number", f"is {_shown(cell)}, no number"
    if has_points:
        rule = "other numbers have decimal points: write one kind, with points"
        return math.nan, "decimal comma", f"is {_shown(cell)}, and {rule}"
    if not commas_are_sure:
        rule = "a thousand or a decimal comma: write a decimal point"
        return math.nan, "decimal comma", f"is {_shown(cell)}, {rule}"
    return float(cell.replace(",", ".")), "", ""


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise TableReadError(path, [TableFault("wrong type", "a folder; a CSV file is needed")])
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TableReadError(
                path, [_no_table(f"{size} bytes; a table of at most 64 MB is read")]
            )
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise TableReadError(path, [TableFault("missing", "no such file")]) from None
    except OSError as error:
        raise TableReadError(
            path, [TableFault("unreadable", f"it cannot be opened ({error.strerror})")]
        ) from error
    if kind := next((kind for mark, kind in OFFICE if content.startswith(mark)), None):
        raise TableReadError(path, [_no_table(f"{kind}; save the sheet as 'CSV UTF-8'")])
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is no UTF-8 text; save the sheet as 'CSV UTF-8'"
        raise TableReadError(path, [_no_table(message)]) from error
    if "\0" in text:
        message = "NUL bytes; it is no text, or damaged: save the sheet anew"
        raise TableReadError(path, [_no_table(message)])
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")


def _no_table(text: str) -> TableFault:
    return TableFault("wrong type", text)


def _separator(path: Path, text: str) -> str:
    header = text.split("\n", 1)[0]
    if not header.strip():
        raise TableReadError(
            path, [TableFault("empty", "no header; the first line must name the columns")]
        )
    found = [separator for separator in SEPARATORS if separator in header]
    if len(found) > 1:
        message = f"the header has {' and '.join(map(repr, found))}; part its names by one of them"
        raise TableReadError(path, [TableFault("separator", message)])
    return found[0] if found else ","


def _columns(
    path: Path, header: list[str], required: Sequence[str], optional: Sequence[str]
) -> list[str]:
    while header and not header[-1]:
        header = header[:-1]
    known = {_plain(name): name for name in (*required, *optional)}
    columns = [known.get(_plain(name), name) for name in header]
    doubled = sorted({name for name in columns if columns.count(name) > 1})
    missing = [name for name in required if name not in columns]
    if doubled:
        raise TableReadError(
            path, [TableFault("columns", f"column(s) {doubled} stand more than once; keep one")]
        )
    if missing:
        raise TableReadError(
            path, [TableFault("columns", f"column(s) {missing} missing; found {header[:20]}")]
        )
    return columns


def _width(line: int, cells: list[str], columns: list[str], width: int) -> str:
    if len(columns) <= len(cells) <= width and not any(cells[len(columns) :]):
        return ""
    digits = sum(bool(re.fullmatch(r"[0-9]+", cell)) for cell in cells)
    hint = ": are decimals written with a comma?" if len(cells) > len(columns) and digits else ""
    return TableFault(
        "fields", f"line {line} has {len(cells)} fields, the header {len(columns)}{hint}"
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()


def _shown(cell: str) -> str:
    return repr(short(cell, 40))
