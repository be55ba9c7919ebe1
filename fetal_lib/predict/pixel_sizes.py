"""The side of a scan's pixel: one for all, by file name from a table, or stated in a DICOM header.

What a user gives comes before what a file states. Where both are there and differ, the origin of
the size that is taken says what the file states.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from fetal_lib.data.bad_files import plain_file_name
from fetal_lib.readers.checks import first_bytes, is_dicom
from fetal_lib.readers.delimited import (
    UNKNOWN,
    TableReadError,
    TextTable,
    numbers,
    read_text_table,
)

PIXEL_SIZE_RANGE_MM = (0.02, 1.0)
"""Outside it a pixel size is taken for a slip of unit."""
SAME_WITHIN = 0.01
"""Two sizes that differ by no more than this share are the same."""
NAME_COLUMNS = ("filename", "image", "file", "name")
SIZE_COLUMNS = ("pixel size(mm)", "pixel_size_mm", "pixel_size")
GA_COLUMN = "ga_days"


def check_pixel_size(pixel_size_mm: float) -> None:
    """Refuse a pixel size that is no length of a pixel in millimetres.

    Raises
    ------
    ValueError
        If it is not finite, not positive, or outside 0.02-1 mm.
    """
    low, high = PIXEL_SIZE_RANGE_MM
    if not (math.isfinite(pixel_size_mm) and low <= pixel_size_mm <= high):
        raise ValueError(
            f"pixel_size={pixel_size_mm}: must be the side of a pixel in millimetres, "
            f"{low}-{high} (HC18: 0.05-0.39); divide micrometres by 1000, multiply cm by 10."
        )


def read_number(text: object, name: str) -> float | None:
    """Return a number that was typed, with a decimal point or comma; None for an empty text.

    >>> read_number(" 0,13", "pixel size"), read_number("", "pixel size")
    (0.13, None)
    """
    words = str(text if text is not None else "").strip().replace(",", ".")
    try:
        return float(words) if words else None
    except ValueError:
        raise ValueError(f"{name}: received {words[:20]!r}; it must be a number.") from None


@dataclass(frozen=True)
class PixelSize:
    """The side of a pixel and how it became known.

    Attributes
    ----------
    mm : float
        NaN where it is not known.
    origin : str
        In words; empty where it is not known.
    """

    mm: float = math.nan
    origin: str = ""

    def beside(self, stated_mm: float) -> PixelSize:
        """Return the same size; where the file states another one, its origin says so.

        Examples
        --------
        >>> PixelSize(0.1, "table").beside(0.2).origin
        'table; the file states 0.2 mm'
        >>> PixelSize(0.1, "table").beside(math.nan).origin
        'table'
        """
        if math.isnan(stated_mm) or math.isclose(self.mm, stated_mm, rel_tol=SAME_WITHIN):
            return self
        return replace(self, origin=f"{self.origin}; the file states {stated_mm:.4g} mm")


def stated_mm(path: str | Path) -> float:
    """Return the pixel size in mm that a DICOM file states, NaN where a file states none.

    Raises
    ------
    ValueError
        If it is a damaged DICOM file.
    """
    from fetal_lib.readers.dicom_image import read_pixel_size_mm

    size = read_pixel_size_mm(path) if is_dicom(first_bytes(Path(path))) else None
    return math.nan if size is None else size


def several_sizes(path: str | Path) -> str:
    """Say that a DICOM file states pixels of several lengths, as its regions may; empty if not."""
    from fetal_lib.readers.dicom_image import read_pixel_lengths_mm

    lengths = read_pixel_lengths_mm(path) if is_dicom(first_bytes(Path(path))) else []
    if len({f"{mm:.4g}" for mm in lengths}) < 2:
        return ""
    return f"not one: the file states {min(lengths):.4g} to {max(lengths):.4g} mm"


@dataclass(frozen=True)
class PixelSizes:
    """Pixel size, and gestational age where it is known, of each scan.

    Attributes
    ----------
    common_mm : float
        Used for every file that the table does not name; NaN for none.
    by_name : mapping of str to float
        Millimetres, by `plain_file_name`.
    ga_days : mapping of str to float
        Gestational age from dating, for the centile; may be empty.
    """

    common_mm: float = math.nan
    by_name: Mapping[str, float] = field(default_factory=dict)
    ga_days: Mapping[str, float] = field(default_factory=dict)

    def find(self, path: Path) -> PixelSize:
        """Return a file's pixel size: the table's, else the common one, else what it states.

        Raises
        ------
        ValueError
            If the file is damaged, or nothing was given and it states what no pixel can be.
        """
        stated = stated_mm(path)
        name = plain_file_name(path)
        if name in self.by_name:
            return PixelSize(self.by_name[name], "table").beside(stated)
        if not math.isnan(self.common_mm):
            return PixelSize(self.common_mm, "given").beside(stated)
        if math.isnan(stated):
            return PixelSize()
        low, high = PIXEL_SIZE_RANGE_MM
        if not low <= stated <= high:
            raise ValueError(
                f"{path}: its header states a pixel of {stated:g} mm; the side of a scan's pixel "
                f"is {low:g} to {high:g} mm. Give the right pixel size yourself."
            )
        return PixelSize(stated, "stated in the file")

    def know_any(self, paths: Iterable[Path]) -> bool:
        """Say whether sizes were given, or some file states one; unreadable files state none."""
        if self.by_name or not math.isnan(self.common_mm):
            return True
        for path in paths:
            with suppress(ValueError, OSError):
                if not math.isnan(stated_mm(path)):
                    return True
        return False

    def check_any(self, paths: Iterable[Path]) -> None:
        """Refuse files of none of which the pixel size is known, with a ValueError."""
        if not self.know_any(paths):
            raise ValueError(
                "pixel size: none given and none stated in a file, and without it millimetres "
                "cannot be known; give --pixel-size 0.12 or --table sizes.csv."
            )


def given_sizes(typed: object, table: str | Path | None = None) -> PixelSizes:
    """Return what a user gave: one size in mm for all, as it was typed, a table, both or neither.

    Raises
    ------
    ValueError
        If the size is no number or no pixel's, or as `read_pixel_sizes`.
    """
    pixel_size_mm = read_number(typed, "pixel size")
    if pixel_size_mm is not None:
        check_pixel_size(pixel_size_mm)
    common = math.nan if pixel_size_mm is None else pixel_size_mm
    return PixelSizes(common) if table is None else read_pixel_sizes(table, common)


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
    name_column = column_of(table, NAME_COLUMNS)
    size_column = column_of(table, SIZE_COLUMNS)
    limits = {size_column: (*PIXEL_SIZE_RANGE_MM, "mm, the side of a pixel")}
    values, problems = numbers(table, limits | {GA_COLUMN: (1, 320, "days")})
    names = [plain_file_name(row[name_column]) for row in table.rows]
    for line, name, row in zip(table.lines, names, table.rows, strict=True):
        if row[size_column].casefold() in UNKNOWN:
            problems.append(f"line {line}: {size_column} is empty")
        if names.count(name) > 1:
            problems.append(f"line {line}: {name} stands twice")
    if problems:
        raise TableReadError(path, problems)
    ages = {name: age for name, age in zip(names, values[GA_COLUMN], strict=True) if age == age}
    return PixelSizes(common_mm, dict(zip(names, values[size_column], strict=True)), ages)


def column_of(table: TextTable, names: tuple[str, ...]) -> str:
    """Return the first of several names that a table has, or refuse the table."""
    for name in names:
        if name in table.columns:
            return name
    wanted = " or ".join(repr(name) for name in names)
    raise TableReadError(table.path, [f"no column {wanted}; found {list(table.columns)}"])
