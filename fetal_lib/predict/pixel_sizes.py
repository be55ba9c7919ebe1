"""Pixel sizes of scans: one for all, or a table by file name."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fetal_lib.predict.head_measure import check_pixel_size

NAME_COLUMNS = ("filename", "image", "file", "name")
SIZE_COLUMNS = ("pixel size(mm)", "pixel_size_mm", "pixel_size")
GA_COLUMNS = ("ga_days",)


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
        CSV with a name column (``filename`` or ``image``), a size column
        (``pixel size(mm)`` or ``pixel_size_mm``) and optionally ``ga_days``. HC18's
        own tables are read as they are.
    common_mm : float
        For files the table does not name.

    Returns
    -------
    PixelSizes

    Raises
    ------
    ValueError
        If the file or a column is missing, a name stands twice, or a number cannot
        be read; all bad rows are named together.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"table={path.name!r}: no such file.")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        name_column = _column(header, NAME_COLUMNS, path)
        size_column = _column(header, SIZE_COLUMNS, path)
        ga_column = next((name for name in GA_COLUMNS if name in header), None)
        rows = list(reader)
    sizes, ages, problems = {}, {}, []
    for number, row in enumerate(rows, start=2):
        name = (row[name_column] or "").strip()
        try:
            if name in sizes:
                raise ValueError(f"{name} stands twice")
            sizes[name] = _number(row[size_column])
            check_pixel_size(sizes[name])
            if ga_column and (row[ga_column] or "").strip():
                ages[name] = _number(row[ga_column])
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        shown = "; ".join(problems[:8]) + (" ..." if len(problems) > 8 else "")
        raise ValueError(f"table={path.name!r}: {len(problems)} bad row(s). {shown}")
    return PixelSizes(common_mm, sizes, ages)


def _column(header: list[str], names: tuple[str, ...], path: Path) -> str:
    for name in names:
        if name in header:
            return name
    raise ValueError(
        f"table={path.name!r}: no column {' or '.join(repr(n) for n in names)}; "
        f"found {header}. Columns are separated by commas."
    )


def _number(text: str | None) -> float:
    text = (text or "").strip()
    if "," in text:
        raise ValueError(f"{text!r} has a decimal comma; write a decimal point")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
