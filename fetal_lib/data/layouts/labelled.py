"""Labelled images: one ``_classes.csv`` a part (one column a class), or one folder a class."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import PARTS, Layout, Progress, not_listed, relative, visible, walk
from fetal_lib.data.layouts.images import check_image, is_image_name
from fetal_lib.data.layouts.tables import Row, Table, read_table
from fetal_lib.data.report import FolderReport, Problem

TABLE_NAME = "_classes.csv"
NOT_CLASSES = {"images", "labels", "masks"}


def _parts(folder: Path) -> list[Path]:
    """Return the folder itself and its parts: train, valid, test."""
    subs = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    return [folder, *(path for path in subs if path.name.lower() in PARTS)]


def _class_folders(folder: Path) -> list[Path]:
    """Return the folders, one a class, below the parts."""
    parts = [part for part in _parts(folder) if part != folder]
    subs = [path for part in parts for path in sorted(part.iterdir()) if path.is_dir()]
    return [path for path in subs if path.name.lower() not in NOT_CLASSES]


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    tables = [part / TABLE_NAME for part in _parts(folder) if (part / TABLE_NAME).is_file()]
    if tables:
        paths, problems = [], []
        for path in tables:
            listed, found = _check_table(path, folder, classes)
            paths, problems = [*paths, *listed], [*problems, *found]
    else:
        paths, problems = _check_folders(folder, classes)
    problems += walk(paths, lambda path: check_image(path, folder)[1], progress)
    return FolderReport(str(folder), len(paths), tuple(problems))


def _check_table(
    path: Path, folder: Path, classes: Collection[str]
) -> tuple[list[Path], list[Problem]]:
    name = relative(path, folder)
    table = read_table(path, ("filename",), unique=("filename",), name=name)
    named = [column for column in table.columns if column != "filename"]
    for column in named:
        if fault := _class_fault(column, classes):
            table.note("class", fault)
    for row in table.rows:
        _check_row(table, row, named)
    names = [row.text.get("filename", "") for row in table.rows]
    names = list(dict.fromkeys(name for name in names if name and Path(name).name == name))
    images = [item for item in visible(path.parent, "*") if is_image_name(item)]
    others = [item for item in images if item.name not in set(names)] if table.rows else []
    return [path.parent / item for item in names], [
        *table.problems,
        *not_listed(others, folder, name),
    ]


def _check_row(table: Table, row: Row, named: list[str]) -> None:
    name = row.text.get("filename", "")
    if not name or Path(name).name != name:
        table.note("file name", f"line {row.line}: filename is {name!r}; give a plain file name")
    cells = [row.text[column] for column in named]
    if odd := sorted({cell for cell in cells if cell not in ("0", "1", "0.0", "1.0")}):
        table.note("value", f"line {row.line}: {name}: {odd[0]!r}; a class cell is 0 or 1")
    elif (n_classes := sum(float(cell) == 1 for cell in cells)) != 1:
        table.note("class", f"line {row.line}: {name} has {n_classes} classes; one is needed")


def _check_folders(folder: Path, classes: Collection[str]) -> tuple[list[Path], list[Problem]]:
    paths, problems = [], []
    for place in _class_folders(folder):
        if fault := _class_fault(place.name, classes):
            problems.append(Problem(relative(place, folder), "class", fault))
        images = [path for path in visible(place, "*") if is_image_name(path)]
        paths += images
        if not images:
            problems.append(Problem(relative(place, folder), "empty", "no image in this class"))
    if not paths:
        problems.append(Problem(TABLE_NAME, "missing", "neither tables nor folders of classes"))
    return paths, problems


def _class_fault(name: str, classes: Collection[str]) -> str:
    if not classes or name in classes:
        return ""
    return f"class {name!r} is not in the manifest's class_names; map it there"


def _detect(folder: Path) -> bool:
    if any((part / TABLE_NAME).is_file() for part in _parts(folder)):
        return True
    return any(is_image_name(path) for place in _class_folders(folder) for path in place.iterdir())


LAYOUT = Layout(
    "labelled_images",
    "train/, valid/, test/: _classes.csv or a folder a class",
    _detect,
    _check,
)
