"""A clinic's own ultrasound set: a table, images, and a mask of the head or abdomen each.

``table.csv`` with one row an image: ``image, mask, subject, structure`` and, where they are known,
``pixel_size_mm, ga_days, hc_mm, ac_mm, bpd_mm, ofd_mm, fl_mm``. Paths are relative to the folder;
a mask has its image's size. Images may be PNG, JPEG, TIFF, BMP or DICOM. The layout stands in for
the private 300-scan set of source 002. All frames of a ``subject`` stay on one side of a split.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.data.bad_files import plain_name
from fetal_lib.data.layouts.base import Found, Layout, Roles
from fetal_lib.data.layouts.sheet import Sheet, known
from fetal_lib.data.masks import read_masked
from fetal_lib.errors import short

if TYPE_CHECKING:
    import pandas as pd

TABLE_NAME = "table.csv"
REQUIRED = ("image", "mask", "subject", "structure")
STRUCTURES = ("head", "abdomen")
# Wide enough for every fetus of 12 weeks to term, narrow enough to find cm, weeks and micrometres.
LIMITS = {
    "pixel_size_mm": (0.02, 1.0, "mm a pixel"),
    "ga_days": (70, 310, "days (weeks × 7)"),
    "hc_mm": (30, 420, "mm (cm × 10)"),
    "ac_mm": (30, 480, "mm (cm × 10)"),
    "bpd_mm": (10, 130, "mm (cm × 10)"),
    "ofd_mm": (10, 160, "mm (cm × 10)"),
    "fl_mm": (3, 100, "mm (cm × 10)"),
}
_STEMS = {name.split("_")[0]: name for name in LIMITS}


def find(folder: Path) -> Found:
    """Find the rows of the table with their images and masks, in the order of the file."""
    found = Found(folder)
    sheet = Sheet(found, folder / TABLE_NAME, REQUIRED, (), LIMITS, ("image", "mask"))
    refuse_other_units(sheet)
    for line, row, values in sheet:
        _check_row(sheet, line, row)
        names = [row[column] for column in REQUIRED[:2]]
        image, mask = (found.file(name, sheet.name) if name else None for name in names)
        if image is None or mask is None:
            continue
        values["pixel_size_mm"] = pixel_size_of(image, values["pixel_size_mm"])
        case = {"image": row["image"], "image_path": image, "mask_path": mask}
        case |= {"subject": plain_name(row["subject"]), "structure": row["structure"].casefold()}
        found.cases.append(case | values)
    return found


def _check_row(sheet: Sheet, line: int, row: Mapping[str, str]) -> None:
    if row["structure"].casefold() not in STRUCTURES:
        rule = f"it must be {' or '.join(STRUCTURES)}"
        sheet.problem("value", f"line {line}: structure is {short(row['structure'])!r}; {rule}")
    sheet.need(line, row, REQUIRED[:3])
    if row["image"] and row["image"] == row["mask"]:
        sheet.problem("value", f"line {line}: {row['image']} is its own mask")


def refuse_other_units(sheet: Sheet) -> None:
    """Find columns that were meant to be measurements: ``hc_cm``, ``ga_weeks``, ``pixel``."""
    for column in sheet.columns:
        meant = _STEMS.get(column.replace(" ", "_").replace("-", "_").split("_")[0].casefold())
        if column not in LIMITS and meant:
            unit = LIMITS[meant][2]
            message = f"column {column!r} is not known: give {meant!r}, in {unit}"
            sheet.problem("columns", message)


def pixel_size_of(path: Path, stated: float) -> float:
    """Return the table's pixel size, else that of a DICOM header, else NaN."""
    if known(stated) or path.suffix.lower() not in (".dcm", ".dicom"):
        return stated
    from fetal_lib.readers.dicom_image import read_pixel_size_mm

    try:
        size = read_pixel_size_mm(path)
    except ValueError:
        return math.nan  # the file is named when its image is read
    return math.nan if size is None else size


def read_cases(folder: str | Path) -> pd.DataFrame:
    """Return the case table of a folder in the clinical layout; no image is decoded.

    Parameters
    ----------
    folder : path

    Returns
    -------
    DataFrame
        One row an image, in the order of the file: ``image``, ``image_path``, ``mask_path``,
        ``subject``, ``structure``, and the seven numbers, NaN where unknown. The pixel size of
        a DICOM image that the table leaves empty is taken from its header.

    Raises
    ------
    BadFilesError
        A ValueError that names every bad row and every missing file.
    """
    return find(Path(folder)).usable()


def _detect(folder: Path) -> bool:
    try:
        with (folder / TABLE_NAME).open(encoding="utf-8-sig", errors="replace") as source:
            header = source.readline(10_000).casefold()
    except OSError:
        return False
    return "image" in header and "mask" in header


LAYOUT = Layout(
    "clinical_ultrasound",
    "table.csv with image, mask, subject, structure",
    _detect,
    find,
    read_masked,
    roles=Roles(("hc_mm", "ac_mm", "ga_days", "structure"), metadata=("pixel_size_mm",)),
)
