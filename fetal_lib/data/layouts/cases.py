"""Anomaly phantoms: ``cases.csv`` with an image, its lesion's mask and its class a row."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, walk
from fetal_lib.data.layouts.images import check_image
from fetal_lib.data.layouts.paths import inside
from fetal_lib.data.layouts.tables import Number, Row, Table, read_table
from fetal_lib.data.report import FolderReport, Problem

TABLE_NAME = "cases.csv"
COLUMNS = ("image", "label", "patient")
NUMBERS = {
    "ga_days": Number(70, 310, "days (weeks x 7)"),
    "pixel_size_mm": Number(0.02, 1.0, "mm a pixel"),
}


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    table = read_table(folder / TABLE_NAME, COLUMNS, NUMBERS, unique=("image",))
    for row in table.rows:
        for column in ("label", "patient"):
            if row.text.get(column) == "":
                table.note("no value", f"line {row.line}: {column} is empty")
    problems = walk(table.rows, lambda row: _check_case(folder, table, row), progress)
    return FolderReport(str(folder), len(table.rows), (*table.problems, *problems))


def _check_case(folder: Path, table: Table, row: Row) -> list[Problem]:
    image_path = inside(folder, row, "image", table)
    if image_path is None:
        return []
    image, problems = check_image(image_path, folder)
    if not row.text.get("lesion"):
        return problems
    lesion_path = inside(folder, row, "lesion", table)
    if lesion_path is None:
        return problems
    lesion, found = check_image(lesion_path, folder, "lesion mask")
    problems = [*problems, *found]
    if image is not None and lesion is not None and image.shape != lesion.shape:
        message = f"the mask is {lesion.shape}, the image {image.shape} (H, W); equal sizes"
        problems.append(Problem(row.text["lesion"], "size", message))
    return problems


def _detect(folder: Path) -> bool:
    return (folder / TABLE_NAME).is_file()


LAYOUT = Layout("anomaly_cases", "cases.csv with image, label, patient", _detect, _check)
