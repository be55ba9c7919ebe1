"""Labelled images as they are exported: one ``_classes.csv`` a part, COCO, or one folder a class.

The files lie in ``train``, ``valid`` and ``test``, or in the folder itself. No image is opened to
list them; what is wrong is collected, so that all of it can be told at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fetal_lib.data.anomaly_names import is_class
from fetal_lib.data.images import IMAGE_ENDINGS
from fetal_lib.data.layouts.anomaly_rows import ROLES, add_image, finish, read
from fetal_lib.data.layouts.base import Found, Layout, part_folders, relative, visible
from fetal_lib.data.layouts.sheet import Sheet

CLASSES_CSV, COCO_JSON = "_classes.csv", "_annotations.coco.json"
NOT_CLASSES = {"images", "labels", "masks"}


def find(folder: Path) -> Found:
    """Find the images of an export, each with its one class."""
    found = Found(folder)
    if tables := _per_part(folder, CLASSES_CSV):
        for path, part in tables:
            _find_one_hot(found, path, part)
    elif exports := _per_part(folder, COCO_JSON):
        for path, part in exports:
            _find_coco(found, path, part)
    else:
        for place, part in _class_folders(folder):
            images = visible(place, "*", IMAGE_ENDINGS)
            if not images:
                found.note(place, "empty", "no image in this class")
            for path in images:
                add_image(found, path, {place.name}, part)
    return finish(found)


def _per_part(folder: Path, name: str) -> list[tuple[Path, str]]:
    """Return the files of that name in the folder and its parts, with the part."""
    places = [(folder, ""), *part_folders(folder)]
    return [(place / name, part) for place, part in places if (place / name).is_file()]


def _find_one_hot(found: Found, path: Path, part: str) -> None:
    """Read ``filename`` and one column of 0 and 1 a class."""
    sheet = Sheet(found, path, ("filename",))
    classes = [column for column in sheet.columns if column and column != "filename"]
    named, below = set(), _below(path.parent, found.folder)
    for line, row, _ in sheet:
        cells = {column: row[column] for column in classes}
        odd = [cell for cell in cells.values() if cell not in ("0", "1", "0.0", "1.0")]
        named.add(row["filename"])
        if odd:
            message = f"line {line}: {row['filename']}: {odd[0]!r}; a class cell is 0 or 1"
            sheet.problem("value", message)
            continue
        image = found.file(row["filename"], sheet.name, below)
        if image is not None:
            marked = {column for column, cell in cells.items() if float(cell) == 1}
            add_image(found, image, marked, part)
    images = visible(path.parent, "*", IMAGE_ENDINGS) if sheet.rows else []
    found.note_unlisted([image for image in images if image.name not in named], sheet.name)


def _below(place: Path, folder: Path) -> str:
    return "" if place == folder else relative(place, folder)


def _find_coco(found: Found, path: Path, part: str) -> None:
    """Read COCO boxes: an image's class is the category of its boxes."""
    try:
        files = _coco_files(json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"not COCO as Roboflow writes it ({type(error).__name__} {error})"
        found.problem(relative(path, found.folder), "unreadable", what)
        return
    for name, labels in files:
        image = found.file(name, relative(path, found.folder), _below(path.parent, found.folder))
        if image is not None:
            add_image(found, image, labels, part)


def _coco_files(content: Any) -> list[tuple[str, set[str]]]:
    """Return each image's name and the classes of its boxes."""
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    labels: dict[Any, set[str]] = {image["id"]: set() for image in content["images"]}
    for box in content["annotations"]:
        labels[box["image_id"]].add(names[box["category_id"]])
    return [(str(image["file_name"]), labels[image["id"]]) for image in content["images"]]


def _class_folders(folder: Path) -> list[tuple[Path, str]]:
    """Return the folders, one a class, below the parts, or below the folder itself."""
    places = part_folders(folder) or [(folder, "")]
    subs = [(sub, part) for place, part in places for sub in sorted(place.iterdir())]
    return [
        (sub, part)
        for sub, part in subs
        if sub.is_dir() and sub.name.lower() not in NOT_CLASSES and not sub.name.startswith(".")
    ]


def _detect(folder: Path) -> bool:
    if _per_part(folder, CLASSES_CSV) or _per_part(folder, COCO_JSON):
        return True
    places = [sub for sub, part in _class_folders(folder) if part or is_class(sub.name)]
    return any(visible(place, "*", IMAGE_ENDINGS) for place in places)


LAYOUT = Layout(
    "labelled_images",
    "train/, valid/, test/: _classes.csv, COCO boxes, or a folder a class",
    _detect,
    find,
    read,
    roles=ROLES,
)
