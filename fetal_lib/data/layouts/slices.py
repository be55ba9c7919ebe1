"""A table, and for every patient and plane one folder of JPEG slices (the layout of source 000)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, relative, visible, walk
from fetal_lib.data.layouts.images import check_image, is_image_name
from fetal_lib.data.layouts.tables import Number, Table, plain, read_table
from fetal_lib.data.report import FolderReport, Problem

PLANES = ("axial", "coronal", "sagittal")
COLUMNS = ("patient_id",)
NUMBERS = {
    "ga_days": Number(70, 310, "days (weeks x 7)", needed=True),
    "ga_weeks": Number(10, 45, "weeks", needed=True),
}


def table_path(folder: Path) -> Path:
    """Return the table of ages: table.csv, or the only table that there is."""
    tables = [*visible(folder, "*.csv"), *visible(folder, "*.tsv")]
    named = [path for path in tables if path.name == "table.csv"]
    return (*named, *tables, folder / "table.csv")[0]


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    table = read_table(table_path(folder), COLUMNS, NUMBERS, unique=COLUMNS)
    if table.columns and not set(NUMBERS) & set(table.columns):
        table.note("columns", "column 'ga_days' missing; gestational age in days is needed")
    patients = _patients(table, folder)
    places = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    places = [path for path in places if not path.name.startswith(".")]
    others = [path for path in places if path.name not in set(patients)] if table.rows else []
    slices = [(patient, plane) for patient in patients for plane in PLANES]
    problems = walk(slices, lambda case: _check_plane(folder, *case), progress)
    message = f"no row in {table.name}; add the patient or remove the folder"
    problems += [Problem(relative(path, folder), "not listed", message) for path in others]
    n_slices = sum(len(slices_of(folder, *case)) for case in slices)
    return FolderReport(str(folder), n_slices, (*table.problems, *problems))


def _patients(table: Table, folder: Path) -> list[str]:
    names = []
    for row in table.rows:
        name = row.text.get("patient_id", "")
        if not name or Path(name).name != name or "\\" in name:
            rule = "it must be the name of the patient's folder"
            table.note("file name", f"line {row.line}: patient_id is {name[:40]!r}; {rule}")
        else:
            names.append(name)
    return list(dict.fromkeys(names))


def _plane_folder(folder: Path, patient: str, plane: str) -> Path:
    """Return the folder of a plane, whatever the case of its name."""
    place = folder / patient
    subs = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    return next((path for path in subs if plain(path.name) == plane), place / plane)


def slices_of(folder: Path, patient: str, plane: str) -> list[Path]:
    """Return a patient's slices in a plane, in the order of their names."""
    place = _plane_folder(folder, patient, plane)
    return [path for path in visible(place, "*") if is_image_name(path)]


def _check_plane(folder: Path, patient: str, plane: str) -> list[Problem]:
    """Return all problems of one patient's slices in one plane."""
    place = _plane_folder(folder, patient, plane)
    name = relative(place, folder)
    if not place.is_dir():
        return [Problem(name, "missing", f"patient {patient} has no folder {plane}")]
    paths = slices_of(folder, patient, plane)
    if not paths:
        return [Problem(name, "missing", "no slice in the folder; JPEG or PNG files are needed")]
    problems, shapes = [], {}
    for path in paths:
        image, found = check_image(path, folder, "slice")
        problems += found
        if image is not None:
            shapes.setdefault(image.shape, []).append(path)
            del image
    if len(shapes) > 1:
        usual = max(shapes, key=lambda shape: len(shapes[shape]))
        for shape, odd in shapes.items():
            message = f"the slice is {shape}, the others {usual} (H, W); one size a plane"
            problems += [
                Problem(relative(path, folder), "size", message) for path in odd if shape != usual
            ]
    return problems


def _detect(folder: Path) -> bool:
    subs = (path for path in folder.glob("*/*") if path.is_dir())
    return any(plain(path.name) in PLANES for path in subs)


LAYOUT = Layout("slices", "a table, and PATIENT/axial, coronal, sagittal", _detect, _check)
