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

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fetal_lib.data.images import read_image
from fetal_lib.data.layouts.base import Found, Layout, Roles, visible
from fetal_lib.data.layouts.sheet import Sheet
from fetal_lib.errors import short

TABLE_NAME = "FETAL_PLANES_DB_data.csv"
IMAGE_FOLDER = "Images"
COLUMNS = ("Image_name", "Patient_num", "Plane", "Brain_plane", "Operator", "US_Machine", "Train")
BRAIN = "Fetal brain"
PLANES = (BRAIN, "Fetal abdomen", "Fetal femur", "Fetal thorax", "Maternal cervix", "Other")
BRAIN_PLANES = ("Trans-thalamic", "Trans-cerebellum", "Trans-ventricular", "Other")
NOT_A_BRAIN = "Not A Brain"
SPLITS = {"1": "train", "0": "test"}


def find(folder: Path) -> Found:
    """Find the rows of the release's table with their images.

    Returns
    -------
    Found
        Cases in the order of the file: ``image``, ``image_path``, ``subject``, ``plane``,
        ``brain_plane`` (empty where it is no brain), ``operator``, ``machine``, ``split``
        (``train`` or ``test``, disjoint in patients).
    """
    found = Found(folder)
    sheet = Sheet(found, folder / TABLE_NAME, COLUMNS, unique=("Image_name",))
    sides: dict[str, set[str]] = {}
    listed = set()
    for line, row, _ in sheet:
        _check_row(sheet, line, row)
        sides.setdefault(row["Patient_num"], set()).add(row["Train"])
        name = f"{row['Image_name'].removesuffix('.png')}.png"
        listed.add(name)
        path = found.file(name, sheet.name, IMAGE_FOLDER) if row["Image_name"] else None
        if path is not None:
            found.cases.append({"image": name, "image_path": path} | _facts(row))
    for patient in [patient for patient, trains in sides.items() if len(trains) > 1]:
        rule = "has images in Train 1 and 0; a patient is on one side"
        sheet.problem("split", f"patient {patient} {rule}")
    images = visible(folder / IMAGE_FOLDER, "*") if sheet.rows else []
    found.note_unlisted([path for path in images if path.name not in listed], TABLE_NAME)
    return found


def _facts(row: Mapping[str, str]) -> dict[str, str]:
    return {
        "subject": row["Patient_num"],
        "plane": row["Plane"],
        "brain_plane": row["Brain_plane"] if row["Plane"] == BRAIN else "",
        "operator": row["Operator"],
        "machine": row["US_Machine"],
        "split": SPLITS.get(row["Train"], ""),
    }


def _check_row(sheet: Sheet, line: int, row: Mapping[str, str]) -> None:
    allowed = {
        "Plane": PLANES,
        "Brain_plane": BRAIN_PLANES if row["Plane"] == BRAIN else (NOT_A_BRAIN,),
        "Train": tuple(SPLITS),
    }
    for column, values in allowed.items():
        if row[column] not in values:
            rule = f"it must be one of {', '.join(values)}"
            sheet.problem("value", f"line {line}: {column} is {short(row[column])!r}; {rule}")
    sheet.need(line, row, COLUMNS[:2])


def read(row: Any) -> np.ndarray:
    """Read the image of a row, uint8 (H, W)."""
    return read_image(row.image_path)


def _detect(folder: Path) -> bool:
    return (folder / TABLE_NAME).is_file()


LAYOUT = Layout(
    "fetal_planes",
    "FETAL_PLANES_DB_data.csv and Images/",
    _detect,
    find,
    read,
    roles=Roles(("plane",), part="split", source="machine", metadata=("operator",)),
)
