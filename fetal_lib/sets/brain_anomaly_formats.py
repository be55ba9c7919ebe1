"""The layouts in which the brain anomaly sets come, each read into plain rows.

Roboflow exports one picture set in many formats: a folder per class, ``_classes.csv`` with one
column per class, COCO boxes, YOLO boxes. Phantoms come with ``cases.csv``. No image is opened
here; what is wrong is collected, so that all of it can be told at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fetal_lib.sets.bad_files import find_file

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
PARTS = {
    "train": "train",
    "training": "train",
    "valid": "val",
    "val": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
CLASSES_CSV, COCO_JSON, PHANTOM_CSV = "_classes.csv", "_annotations.coco.json", "cases.csv"
PHANTOM_COLUMNS = ("image", "label", "patient")


@dataclass(frozen=True)
class Row:
    """One image as its set describes it: path, class as written there, part ("" if none)."""

    path: Path
    label: str
    part: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Found:
    """Rows read, and what is wrong, as ``name: what``."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, path: Path, labels: set[str], part: str, **extra: Any) -> None:
        """Add an image that has exactly one class, or say that it has not."""
        if len(labels) == 1:
            self.rows.append(Row(path, labels.pop(), part, extra))
        else:
            named = f"{len(labels)} classes: {', '.join(sorted(labels))}" if labels else "no class"
            self.problems.append(f"{path.name}: {named}; one is needed")

    def add_named(self, folder: Path, name: Any, labels: set[str], part: str, **extra: Any) -> None:
        """Add an image by the name that a table gives, or say that it is not there."""
        try:
            self.add(find_file(folder, str(name)), labels, part, **extra)
        except ValueError as error:
            self.problems.append(str(error))


def detect(folder: Path) -> str | None:
    """Return the name of a folder's format, a key of ``FORMATS``; None if it has none.

    Examples
    --------
    >>> detect(Path("nowhere")) is None
    True
    """
    if (folder / PHANTOM_CSV).is_file():
        return "phantom"
    if any(_per_part(folder, CLASSES_CSV)):
        return "one_hot"
    if any(_per_part(folder, COCO_JSON)):
        return "coco"
    if any(True for _ in _yolo_folders(folder)):
        return "yolo"
    return "class_folders" if any(True for _ in _class_folders(folder)) else None


def _per_part(folder: Path, name: str) -> list[tuple[Path, str]]:
    """Return the files of that name in the folder and its part folders, with the part."""
    places = [(folder / name, "")]
    places += [(sub / name, PARTS[sub.name.lower()]) for sub in _parts_of(folder)]
    return [(path, part) for path, part in places if path.is_file()]


def _parts_of(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(sub for sub in folder.iterdir() if sub.is_dir() and sub.name.lower() in PARTS)


def images_in(folder: Path) -> list[Path]:
    """Return the image files that lie in a folder itself, hidden ones left out, sorted."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."
    )


def read_phantom(folder: Path) -> Found:
    """Read ``cases.csv``: ``image, label, patient``, and whatever columns follow."""
    import pandas as pd

    found = Found()
    table = _table(folder / PHANTOM_CSV, PHANTOM_COLUMNS, found)
    for row in [] if table is None else table.to_dict("records"):
        name, label = str(row.pop("image")), row.pop("label")
        place = folder / "images" if "/" not in name else folder
        labels = set() if pd.isna(label) else {str(label)}
        found.add_named(place, name, labels, "", **row)
    return found


def read_one_hot(folder: Path) -> Found:
    """Read ``_classes.csv``: ``filename`` and one column of 0 and 1 per class, in each part."""
    found = Found()
    for path, part in _per_part(folder, CLASSES_CSV):
        table = _table(path, ("filename",), found)
        if table is None:
            continue
        marks = table.drop(columns="filename")
        wrong = [c for c in marks if not marks[c].isin([0, 1]).all()]
        if wrong:
            found.problems.append(f"{path.name} ({part}): not 0 or 1 in column(s) {wrong[:5]}")
            continue
        for name, row in zip(table["filename"], marks.to_numpy(), strict=True):
            labels = set(marks.columns[row == 1])
            found.add_named(path.parent, name, labels, part)
    return found


def _table(path: Path, needed: tuple[str, ...], found: Found) -> Any:
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (ValueError, OverflowError) as error:  # what pandas raises on damaged text
        found.problems.append(f"{path.name}: not a table ({str(error).strip()})")
        return None
    table.columns = [str(c).strip() for c in table.columns]  # Roboflow writes ", " between names
    if not table.columns.is_unique:
        found.problems.append(f"{path.name}: a column name stands twice")
        return None
    missing = [c for c in needed if c not in table.columns]
    if missing:
        found.problems.append(f"{path.name}: column(s) {missing} missing; it has {table.shape[1]}")
        return None
    return table


def read_coco(folder: Path) -> Found:
    """Read ``_annotations.coco.json``: an image's class is the category of its boxes."""
    found = Found()
    for path, part in _per_part(folder, COCO_JSON):
        try:
            content = json.loads(path.read_text("utf-8"))
            names = {c["id"]: str(c["name"]) for c in content["categories"]}
            labels: dict[Any, set[str]] = {image["id"]: set() for image in content["images"]}
            for box in content["annotations"]:
                labels[box["image_id"]].add(names[box["category_id"]])
            files = [(image["file_name"], labels[image["id"]]) for image in content["images"]]
        except (ValueError, KeyError, TypeError) as error:
            what = f"{type(error).__name__} {error}"
            found.problems.append(f"{path.name} ({part}): not COCO as Roboflow writes it ({what})")
            continue
        for name, kinds in files:
            found.add_named(path.parent, name, kinds, part)
    return found


def _yolo_folders(folder: Path) -> Iterator[tuple[Path, str]]:
    if not (folder / "data.yaml").is_file():
        return
    for place, part in [(folder, ""), *((p, PARTS[p.name.lower()]) for p in _parts_of(folder))]:
        if (place / "images").is_dir():
            yield place, part


def read_yolo(folder: Path) -> Found:
    """Read ``data.yaml`` with the names, and per part ``images/`` with ``labels/``."""
    found = Found()
    names = _yolo_names(folder / "data.yaml", found)
    for place, part in [] if names is None else _yolo_folders(folder):
        for path in images_in(place / "images"):
            boxes = place / "labels" / f"{path.stem}.txt"
            if not boxes.is_file():
                found.problems.append(f"{path.name}: no {boxes.name} in labels/")
                continue
            try:
                labels = {names[int(line.split()[0])] for line in _lines(boxes)}
            except (ValueError, KeyError, UnicodeDecodeError):
                found.problems.append(
                    f"{boxes.name}: a line that does not start with 0-{max(names)}"
                )
                continue
            found.add(path, labels, part)
    return found


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line.strip()]


def _yolo_names(path: Path, found: Found) -> dict[int, str] | None:
    import yaml

    try:
        names = yaml.safe_load(path.read_text("utf-8"))["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        found.problems.append(f"{path.name}: no list of class names under `names` ({error})")
        return None


def _class_folders(folder: Path) -> Iterator[tuple[Path, str]]:
    parts = _parts_of(folder)
    for place, part in [(p, PARTS[p.name.lower()]) for p in parts] or [(folder, "")]:
        subs = sorted(s for s in place.iterdir() if s.is_dir()) if place.is_dir() else []
        yield from ((sub, part) for sub in subs if images_in(sub))


def read_class_folders(folder: Path) -> Found:
    """Read one folder per class, in part folders or without."""
    found = Found()
    for place, part in _class_folders(folder):
        for path in images_in(place):
            found.add(path, {place.name}, part)
    return found


FORMATS: dict[str, Callable[[Path], Found]] = {
    "phantom": read_phantom,
    "one_hot": read_one_hot,
    "coco": read_coco,
    "yolo": read_yolo,
    "class_folders": read_class_folders,
}
