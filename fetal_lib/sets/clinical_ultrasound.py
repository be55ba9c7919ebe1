"""A clinic's own ultrasound set: a table, images, and a mask of the head or abdomen each.

``table.csv`` with one row an image: ``image, mask, subject, structure`` and, where they are known,
``pixel_size_mm, ga_days, hc_mm, ac_mm, bpd_mm, ofd_mm, fl_mm``. Paths are relative to the folder;
a mask has its image's size. Images may be PNG, JPEG, TIFF, BMP or DICOM. The layout stands in for
the private 300-scan set of source 002. All frames of a ``subject`` stay on one side of a split.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.readers.delimited import TableReadError, TextTable, numbers, read_text_table
from fetal_lib.sets.bad_files import BadFilesError, find_files, plain_name, repeated
from fetal_lib.sets.masked_images import iter_cases

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["iter_cases", "read_table"]

CSV_NAME = "table.csv"
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
COLUMNS = (*REQUIRED, *LIMITS)
_STEMS = {name.split("_")[0]: name for name in LIMITS}


def read_table(folder: str | Path) -> pd.DataFrame:
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
    TableReadError
        A ValueError that names every bad row.
    BadFilesError
        A ValueError that names every missing file.

    Examples
    --------
    >>> read_table("nowhere")
    Traceback (most recent call last):
    fetal_lib.readers.delimited.TableReadError: table.csv: no such file.
    """
    import pandas as pd

    folder = Path(folder)
    text = read_text_table(folder / CSV_NAME, REQUIRED, tuple(LIMITS))
    values, problems = numbers(text, LIMITS)
    problems = [*_unknown_columns(text), *_row_problems(text), *problems]
    if problems:
        raise TableReadError(text.path, problems)
    names = {column: [row[column] for row in text.rows] for column in ("image", "mask")}
    images, absent = find_files(folder, names["image"])
    masks, absent_masks = find_files(folder, names["mask"])
    if absent or absent_masks:
        raise BadFilesError(f"{CSV_NAME} names files that are missing", [*absent, *absent_masks])
    table = pd.DataFrame({"image": names["image"], "image_path": images, "mask_path": masks})
    table["subject"] = [plain_name(row["subject"]) for row in text.rows]
    table["structure"] = [row["structure"].casefold() for row in text.rows]
    sizes = [_pixel_size(*pair) for pair in zip(images, values["pixel_size_mm"], strict=True)]
    return table.assign(**{**values, "pixel_size_mm": sizes})


def _pixel_size(path: Path, stated: float) -> float:
    """Return the table's pixel size, else that of a DICOM header, else NaN."""
    if not math.isnan(stated) or path.suffix.lower() not in (".dcm", ".dicom"):
        return stated
    from fetal_lib.readers.dicom_image import read_pixel_size_mm

    try:
        size = read_pixel_size_mm(path)
    except ValueError:
        return math.nan  # the file is named when its image is read
    return math.nan if size is None else size


def _unknown_columns(text: TextTable) -> list[str]:
    """Find columns that were meant to be measurements: ``hc_cm``, ``ga_weeks``, ``pixel``."""
    problems = []
    for column in text.columns:
        meant = _STEMS.get(column.replace(" ", "_").replace("-", "_").split("_")[0].casefold())
        if column not in COLUMNS and meant:
            unit = LIMITS[meant][2]
            problems.append(f"column {column!r} is not known: give {meant!r}, in {unit}")
    return problems


def _row_problems(text: TextTable) -> list[str]:
    problems = []
    for line, row in zip(text.lines, text.rows, strict=True):
        if row["structure"].casefold() not in STRUCTURES:
            rule = f"it must be {' or '.join(STRUCTURES)}"
            problems.append(f"line {line}: structure is {row['structure'][:40]!r}; {rule}")
        problems += [f"line {line}: {name} is empty" for name in REQUIRED[:3] if not row[name]]
        if row["image"] and row["image"] == row["mask"]:
            problems.append(f"line {line}: {row['image']} is its own mask")
    for column in ("image", "mask"):
        doubled = repeated([row[column] for row in text.rows if row[column]])
        problems += [f"{column} {name} stands more than once; keep one row" for name in doubled]
    return problems
