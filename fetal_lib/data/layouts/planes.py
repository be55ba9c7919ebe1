"""FETAL_PLANES_DB: images of standard planes, a table parted by semicolons."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, not_listed, visible, walk
from fetal_lib.data.layouts.images import check_image
from fetal_lib.data.layouts.tables import Row, Table, read_table
from fetal_lib.data.report import FolderReport, Problem

TABLE_NAME = "FETAL_PLANES_DB_data.csv"
IMAGE_FOLDER = "Images"
COLUMNS = ("Image_name", "Patient_num", "Plane", "Brain_plane", "Operator", "US_Machine", "Train")
BRAIN = "Fetal brain"
ALLOWED = {
    "Plane": (BRAIN, "Fetal abdomen", "Fetal femur", "Fetal thorax", "Maternal cervix", "Other"),
    "Brain_plane": (
        "Trans-thalamic",
        "Trans-cerebellum",
        "Trans-ventricular",
        "Other",
        "Not A Brain",
    ),
    "Train": ("0", "1"),
}


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    table = read_table(folder / TABLE_NAME, COLUMNS, unique=("Image_name",))
    for row in table.rows:
        _check_values(table, row)
    _check_sides(table)
    names = [_image_name(row) for row in table.rows if row.text.get("Image_name")]
    names = list(dict.fromkeys(names))
    images = folder / IMAGE_FOLDER
    found = walk(names, lambda name: check_image(images / name, folder)[1], progress)
    listed = set(names)
    others = [path for path in visible(images, "*") if path.name not in listed]
    problems = [*table.problems, *found]
    if table.rows:
        problems += not_listed(others, folder, TABLE_NAME)
    return FolderReport(str(folder), len(names), tuple(problems))


def _image_name(row: Row) -> str:
    return Path(row.text["Image_name"].removesuffix(".png")).name + ".png"


def _check_values(table: Table, row: Row) -> None:
    for column, allowed in ALLOWED.items():
        value = row.text.get(column)
        if value is not None and value not in allowed:
            rule = f"it must be one of {', '.join(allowed)}"
            table.note("value", f"line {row.line}: {column} is {value[:40]!r}; {rule}")
    for column in ("Image_name", "Patient_num"):
        if row.text.get(column) == "":
            table.note("no value", f"line {row.line}: {column} is empty")


def _check_sides(table: Table) -> None:
    """Note the patients that stand on both sides of the release's split."""
    sides: dict[str, set[str]] = {}
    for row in table.rows:
        sides.setdefault(row.text.get("Patient_num", ""), set()).add(row.text.get("Train", ""))
    for patient, found in sides.items():
        if patient and len(found) > 1:
            table.problems.append(
                Problem(
                    TABLE_NAME,
                    "split",
                    f"patient {patient} has images in Train 1 and 0; a patient is on one side",
                )
            )


def _detect(folder: Path) -> bool:
    return (folder / TABLE_NAME).is_file()


LAYOUT = Layout("fetal_planes", "FETAL_PLANES_DB_data.csv and Images/", _detect, _check)
