"""A table, and for every patient and plane one folder of pictures (the layout of source 000)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from fetal_lib.data.bad_files import BadFilesError, problems_of
from fetal_lib.data.images import IMAGE_ENDINGS, read_image
from fetal_lib.data.layouts.base import Found, Layout, is_plain_name, visible
from fetal_lib.data.layouts.fetal_scan import (
    AGES,
    ROLES,
    FetalScan,
    ages_in_days,
    case,
    in_order,
    split_of,
)
from fetal_lib.data.layouts.sheet import Sheet
from fetal_lib.data.plane_slices import PLANES
from fetal_lib.data.report import Problem
from fetal_lib.errors import short


def find(folder: Path) -> Found:
    """Find ``PATIENT/axial|coronal|sagittal`` with pictures for each row of the table."""
    found = Found(folder)
    unique = ("patient_id",)
    sheet = Sheet(found, _table_path(folder), unique, ("split",), AGES, unique)
    listed = set()
    for (line, row, _), age in zip(sheet, ages_in_days(sheet), strict=True):
        name = row["patient_id"]
        if not is_plain_name(name):
            rule = "it must be the name of the patient's folder"
            sheet.problem("file name", f"line {line}: patient_id is {short(name)!r}; {rule}")
            continue
        listed.add(name)
        if math.isnan(age):
            sheet.problem("no value", f"line {line}: no gestational age for {name}")
        missing = [plane for plane in PLANES if not slice_paths(folder / name, plane)]
        for plane in missing:
            found.problem(f"{name}/{plane}", "missing", "no slice in it; JPEG or PNG are needed")
        split = split_of(sheet, line, row.get("split", ""))
        if not missing:
            found.cases.append(case(name, folder / name, age, "slices", split=split))
    for path in sorted(folder.iterdir()) if sheet.rows else []:
        if path.is_dir() and path.name not in listed and not path.name.startswith("."):
            found.note(path, "not listed", f"no row in {sheet.name}; add the patient")
    return in_order(found)


def slice_paths(home: Path, plane: str) -> list[Path]:
    """Return a patient's pictures of one plane, in the order of the numbers in their names."""
    subs = home.iterdir() if home.is_dir() else []
    places = [sub for sub in subs if sub.is_dir() and sub.name.casefold() == plane]
    return [path for place in places for path in visible(place, "*", IMAGE_ENDINGS)]


def read(row: Any) -> FetalScan:
    """Read a patient's pictures; all that cannot be read are named together."""
    problems: list[Problem] = []
    pictures = {}
    for plane in PLANES:
        images = []
        for path in slice_paths(Path(row.path), plane):
            try:
                images.append(read_image(path))
            except ValueError as error:
                problems += problems_of(error)
        if not images and not problems:
            problems.append(Problem(str(row.path / plane), "missing", "no slice in it"))
        pictures[plane] = tuple(images)
    if problems:
        raise BadFilesError(row.subject, problems)
    return FetalScan(row.subject, float(row.ga_days), row.kind, None, None, None, pictures)


def _look(row: Any, scan: FetalScan) -> list[Problem]:
    """Return a note for each slice that has another size than most of its plane."""
    notes = []
    for plane, images in scan.pictures.items():
        shapes = [image.shape for image in images]
        usual = max(shapes, key=shapes.count)
        message = "the slice is {}, the others {} (H, W); one size a plane"
        notes += [
            Problem(str(path), "size", message.format(shape, usual))
            for path, shape in zip(slice_paths(row.path, plane), shapes, strict=True)
            if shape != usual
        ]
    return notes


def _table_path(folder: Path) -> Path:
    """Return the table of ages: table.csv, or the only table that there is."""
    tables = visible(folder, "*", (".csv", ".tsv"))
    named = [path for path in tables if path.name == "table.csv"]
    return (*named, *tables, folder / "table.csv")[0]


def _detect(folder: Path) -> bool:
    return any(path.name.casefold() in PLANES and path.is_dir() for path in folder.glob("*/*"))


LAYOUT = Layout(
    "slices", "a table, and PATIENT/axial, coronal, sagittal", _detect, find, read, _look, ROLES
)
