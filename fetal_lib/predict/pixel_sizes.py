"""Pixel sizes of scans: one for all, or a table by file name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fetal_lib.predict.head_measure import PIXEL_SIZE_RANGE_MM
from fetal_lib.readers.delimited import TableReadError, TextTable, numbers, read_text_table

NAME_COLUMNS = ("filename", "image", "file", "name")
SIZE_COLUMNS = ("pixel size(mm)", "pixel_size_mm", "pixel_size")
GA_COLUMN = "ga_days"


@dataclass(frozen=True)
class PixelSizes:
    """Pixel size, and gestational age where it is known, of each scan.

    Attributes
    ----------
    common_mm : float
        Used for every file that the table does not name; NaN for none.
    by_name : mapping of str to float
        Millimetres, by file name without folder.
    ga_days : mapping of str to float
        Gestational age from dating, for the centile; may be empty.
    """

    common_mm: float = math.nan
    by_name: Mapping[str, float] = field(default_factory=dict)
    ga_days: Mapping[str, float] = field(default_factory=dict)

    def of(self, path: Path) -> float:
        """Return a file's pixel size in mm.

        Raises
        ------
        ValueError
            If none is known for it.
        """
        size = self.by_name.get(path.name, self.common_mm)
        if math.isnan(size):
            raise ValueError(
                f"pixel size of {path.name} is not in the table; add a row or give --pixel-size"
            )
        return size


def read_pixel_sizes(path: str | Path, common_mm: float = math.nan) -> PixelSizes:
    """Read a table of pixel sizes.

    Parameters
    ----------
    path : path
        Text table with a name column (``filename`` or ``image``), a size column
        (``pixel size(mm)`` or ``pixel_size_mm``) and optionally ``ga_days``. HC18's
        own tables are read as they are.
    common_mm : float
        For files the table does not name.

    Returns
    -------
    PixelSizes

    Raises
    ------
    TableReadError
        A ValueError: if the file or a column is missing, a name stands twice, or a number
        cannot be read; all bad rows are named together.
    """
    path = Path(path)
    table = read_text_table(path, (), (*NAME_COLUMNS, *SIZE_COLUMNS, GA_COLUMN))
    name_column = _column(table, NAME_COLUMNS)
    size_column = _column(table, SIZE_COLUMNS)
    limits = {size_column: (*PIXEL_SIZE_RANGE_MM, "mm, the side of a pixel")}
    values, problems = numbers(table, limits | {GA_COLUMN: (1, 320, "days")})
    names = [row[name_column] for row in table.rows]
    for line, name, size in zip(table.lines, names, values[size_column], strict=True):
        if math.isnan(size):
            problems.append(f"line {line}: {size_column} is empty")
        if names.count(name) > 1:
            problems.append(f"line {line}: {name} stands twice")
    if problems:
        raise TableReadError(path, problems)
    ages = {name: age for name, age in zip(names, values[GA_COLUMN], strict=True) if age == age}
    return PixelSizes(common_mm, dict(zip(names, values[size_column], strict=True)), ages)


def _column(table: TextTable, names: tuple[str, ...]) -> str:
    for name in names:
        if name in table.columns:
            return name
    wanted = " or ".join(repr(name) for name in names)
    raise TableReadError(table.path, [f"no column {wanted}; found {list(table.columns)}"])
