"""FETAL_PLANES_DB: 12,400 maternal-fetal ultrasound images of 1,792 patients, by plane.

``FETAL_PLANES_DB_data.csv`` (parted by semicolons) and ``Images/<Image_name>.png``. The release
divides patients into a training and a test half; that column is the split, and it is checked.
There is no pixel size and no gestational age.

References
----------
Burgos-Artizzu XP et al. Evaluation of deep convolutional neural networks for automatic
classification of common maternal fetal ultrasound planes. Sci Rep 2020; 10:10200.
doi:10.1038/s41598-020-67076-5. Data: doi:10.5281/zenodo.3904280
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.readers.delimited import TableReadError, TextTable, read_text_table
from fetal_lib.readers.image import read_gray
from fetal_lib.sets.bad_files import BadFilesError, find_files, repeated, stream
from fetal_lib.sets.masked_images import check_shape, squash

if TYPE_CHECKING:
    import pandas as pd

CSV_NAME = "FETAL_PLANES_DB_data.csv"
IMAGE_FOLDER = "Images"
COLUMNS = ("Image_name", "Patient_num", "Plane", "Brain_plane", "Operator", "US_Machine", "Train")
BRAIN = "Fetal brain"
PLANES = (BRAIN, "Fetal abdomen", "Fetal femur", "Fetal thorax", "Maternal cervix", "Other")
BRAIN_PLANES = ("Trans-thalamic", "Trans-cerebellum", "Trans-ventricular", "Other")
NOT_A_BRAIN = "Not A Brain"
SPLITS = {"1": "train", "0": "test"}


def read_table(folder: str | Path) -> pd.DataFrame:
    """Return the path table of a folder in the release's layout; no image is read.

    Parameters
    ----------
    folder : path

    Returns
    -------
    DataFrame
        In the order of the file: ``image``, ``image_path``, ``subject``, ``plane``,
        ``brain_plane`` (empty where it is no brain), ``operator``, ``machine``, ``split``
        (``train`` or ``test``, disjoint in patients).

    Raises
    ------
    TableReadError
        A ValueError that names every bad row, and every patient on both sides of the split.
    BadFilesError
        A ValueError that names every missing file.

    Examples
    --------
    >>> read_table("nowhere")
    Traceback (most recent call last):
    fetal_lib.readers.delimited.TableReadError: FETAL_PLANES_DB_data.csv: no such file.
    """
    import pandas as pd

    folder = Path(folder)
    text = read_text_table(folder / CSV_NAME, COLUMNS)
    if problems := [*_row_problems(text), *_split_problems(text)]:
        raise TableReadError(text.path, problems)
    names = [f"{row['Image_name'].removesuffix('.png')}.png" for row in text.rows]
    if not (folder / IMAGE_FOLDER).is_dir():
        raise BadFilesError(str(folder), [f"{IMAGE_FOLDER}: no such folder"])
    paths, absent = find_files(folder / IMAGE_FOLDER, names)
    if absent:
        raise BadFilesError(f"{CSV_NAME} names files that are missing", absent)
    table = pd.DataFrame({"image": names, "image_path": paths})
    table["subject"] = [row["Patient_num"] for row in text.rows]
    table["plane"] = [row["Plane"] for row in text.rows]
    table["brain_plane"] = [_brain_plane(row) for row in text.rows]
    table["operator"] = [row["Operator"] for row in text.rows]
    table["machine"] = [row["US_Machine"] for row in text.rows]
    table["split"] = [SPLITS[row["Train"]] for row in text.rows]
    return table


def brain_planes(table: pd.DataFrame, with_other: bool = False) -> pd.DataFrame:
    """Keep the fetal brains in a named standard plane.

    Parameters
    ----------
    table : DataFrame
        From :func:`read_table`.
    with_other : bool
        Keep brains in another plane as well.

    Returns
    -------
    DataFrame, rows numbered anew.
    """
    kept = BRAIN_PLANES if with_other else BRAIN_PLANES[:3]
    return table[table["brain_plane"].isin(kept)].reset_index(drop=True)


def iter_images(
    table: pd.DataFrame, shape: tuple[int, int]
) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Read images one after the other and resize them; memory holds one at a time.

    Parameters
    ----------
    table : DataFrame
        Column ``image_path``.
    shape : (height, width)
        Size in pixels that every image is squashed to.

    Yields
    ------
    image : uint8 array (H, W)
    size_hw : (int, int)
        Height and width of the scan as it was.

    Raises
    ------
    ValueError
        If ``shape`` is none.
    BadFilesError
        At the end, a ValueError that names all files that cannot be read; nothing is yielded
        after the first of them.
    """
    check_shape(shape)
    return stream(table["image_path"], lambda path: _resized(read_gray(path), shape))


def _resized(image: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    return squash(image, shape), image.shape


def _brain_plane(row: dict[str, str]) -> str:
    return row["Brain_plane"] if row["Plane"] == BRAIN else ""


def _row_problems(text: TextTable) -> list[str]:
    problems = []
    for line, row in zip(text.lines, text.rows, strict=True):
        allowed = {
            "Plane": PLANES,
            "Brain_plane": BRAIN_PLANES if row["Plane"] == BRAIN else (NOT_A_BRAIN,),
            "Train": tuple(SPLITS),
        }
        for column, values in allowed.items():
            if row[column] not in values:
                rule = f"it must be one of {', '.join(values)}"
                problems.append(f"line {line}: {column} is {row[column][:40]!r}; {rule}")
        empty = [column for column in COLUMNS[:2] if not row[column]]
        problems += [f"line {line}: {column} is empty" for column in empty]
    doubled = repeated([row["Image_name"] for row in text.rows if row["Image_name"]])
    return [*problems, *(f"{name} stands more than once; keep one row" for name in doubled)]


def _split_problems(text: TextTable) -> list[str]:
    """Name the patients that stand on both sides of the split."""
    sides: dict[str, set[str]] = {}
    for row in text.rows:
        sides.setdefault(row["Patient_num"], set()).add(row["Train"])
    both = [patient for patient, found in sides.items() if len(found) > 1]
    rule = "has images in Train 1 and 0; a patient is on one side"
    return [f"patient {patient} {rule}" for patient in both]
