"""Read the table of a layout: its rows as far as they can be used, and all that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fetal_lib.data.bad_files import repeated
from fetal_lib.data.layouts.base import Found
from fetal_lib.readers.delimited import TableFault, TableReadError, numbers, read_text_table

Limits = Mapping[str, tuple[float, float, str]]


class Sheet:
    """Hold the rows of a table; problems are added to what the folder's layout found.

    Parameters
    ----------
    found : Found
    path : Path
    required, optional : names of columns.
    limits : smallest, largest and unit of the columns of numbers.
    unique : columns in which no value may stand twice.

    Attributes
    ----------
    name : how reports call it.
    columns : tuple of str
    rows : list of (line, texts by column, numbers by column: NaN where unknown).
    """

    def __init__(
        self,
        found: Found,
        path: Path,
        required: Sequence[str],
        optional: Sequence[str] = (),
        limits: Limits | None = None,
        unique: Sequence[str] = (),
    ) -> None:
        self._found = found
        self.name = path.relative_to(found.folder).as_posix()
        self.columns: tuple[str, ...] = ()
        self.rows: list[tuple[int, dict[str, str], dict[str, float]]] = []
        try:
            text = read_text_table(path, required, (*optional, *(limits or {})))
        except TableReadError as error:
            self._add(error.problems)
            return
        self.columns = text.columns
        values, faults = numbers(text, limits or {})
        self._add(faults)
        for k, (line, row) in enumerate(zip(text.lines, text.rows, strict=True)):
            self.rows.append((line, row, {name: column[k] for name, column in values.items()}))
        for column in unique:
            for name in repeated([row[column] for row in text.rows if row[column]]):
                self.problem("duplicate", f"{column} {name} stands more than once; keep one row")

    def __iter__(self) -> Iterator[tuple[int, dict[str, str], dict[str, float]]]:
        return iter(self.rows)

    def problem(self, kind: str, message: str) -> None:
        """Add a problem of this table."""
        self._found.problem(self.name, kind, message)

    def need(self, line: int, row: Mapping[str, str], columns: Sequence[str]) -> None:
        """Add a problem for each of these columns that a row leaves empty."""
        for column in columns:
            if not row[column]:
                self.problem("no value", f"line {line}: {column} is empty")

    def number_column(self, names: Sequence[str]) -> str | None:
        """Return the first of some columns that the table has."""
        return next((name for name in names if name in self.columns), None)

    def _add(self, faults: Sequence[TableFault]) -> None:
        for fault in faults:
            self.problem(fault.kind, str(fault))


def known(value: float) -> bool:
    """Return whether a number of a table is known."""
    return not math.isnan(value)
