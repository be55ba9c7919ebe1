"""Phantoms and own scans: ``cases.csv`` with an image, a lesion's mask, class and patient a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fetal_lib.data.images import read_image, read_pair
from fetal_lib.data.layouts.anomaly_rows import ROLES, add_image, finish
from fetal_lib.data.layouts.base import Found, Layout
from fetal_lib.data.layouts.sheet import Sheet

TABLE_NAME = "cases.csv"
COLUMNS = ("image", "label", "patient")
LIMITS = {
    "ga_days": (70, 310, "days (weeks × 7)"),
    "pixel_size_mm": (0.02, 5.0, "mm a pixel"),  # small images of this layout: phantoms reach 1.1
}


def find(folder: Path) -> Found:
    """Find the images of the table; ``lesion_path`` is None where nothing is drawn."""
    found = Found(folder)
    sheet = Sheet(found, folder / TABLE_NAME, COLUMNS, ("lesion",), LIMITS, ("image",))
    made_up = {"source": "phantom"} if (folder / "phantom.json").is_file() else {}
    for line, row, values in sheet:
        sheet.need(line, row, COLUMNS)
        image = _file(found, "images", row["image"])
        lesion = _file(found, "lesions", row.get("lesion", ""))
        if image is None or not row["label"] or (row.get("lesion") and lesion is None):
            continue
        more = {"subject": row["patient"], "lesion_path": lesion} | made_up
        numbers = {column: values[column] for column in LIMITS if column in sheet.columns}
        add_image(found, image, {row["label"]}, "", **more, **numbers)
    return finish(found)


def _file(found: Found, below: str, name: str) -> Path | None:
    """Return a file by its path in the set, or by its name in one of the set's folders."""
    return found.file(name, TABLE_NAME, "" if "/" in name else below) if name else None


def read(row: Any) -> np.ndarray:
    """Read the image of a row, uint8 (H, W); the lesion's mask must be readable and of its size."""
    if row.lesion_path is None:
        return read_image(row.image_path)
    return read_pair(row.image_path, row.lesion_path)[0]


def _detect(folder: Path) -> bool:
    return (folder / TABLE_NAME).is_file()


LAYOUT = Layout(
    "anomaly_cases", "cases.csv with image, label, patient", _detect, find, read, roles=ROLES
)
