"""YOLO: images and one text file of boxes each, in train/, valid/ and test/; classes in a YAML."""

from __future__ import annotations

import math
from pathlib import Path

from fetal_lib.data.images import IMAGE_ENDINGS
from fetal_lib.data.layouts.anomaly_rows import ROLES, add_image, finish, read
from fetal_lib.data.layouts.base import Found, Layout, part_folders, relative, visible
from fetal_lib.errors import short

YAML_NAME = "data.yaml"
MAX_BYTES = 1_000_000
MAX_FAULTS = 20


def find(folder: Path) -> Found:
    """Find the images, each with the one class of its boxes."""
    found = Found(folder)
    names = _class_names(found)
    for place, part in _places(folder):
        images = visible(place / "images", "*", IMAGE_ENDINGS)
        for image in images if names else []:
            labels = _labels(found, place / "labels" / f"{image.stem}.txt", names)
            if labels is not None:
                add_image(found, image, labels, part)
        stems = {image.stem for image in images}
        for path in visible(place / "labels", "*.txt"):
            if path.stem not in stems:
                rule = "boxes without an image; add the image or remove the file"
                found.note(path, "no image", rule)
    return finish(found)


def _places(folder: Path) -> list[tuple[Path, str]]:
    places = [(folder, ""), *part_folders(folder)]
    return [(place, part) for place, part in places if (place / "images").is_dir()]


def _class_names(found: Found) -> dict[int, str]:
    """Return the classes by number; none where data.yaml does not tell them."""
    import yaml

    path = found.folder / YAML_NAME
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("over 1 MB")
        names = yaml.safe_load(path.read_text("utf-8"))["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except FileNotFoundError:
        found.problem(YAML_NAME, "missing", "no such file; it names the classes")
    except (OSError, ValueError, KeyError, TypeError, RecursionError, yaml.YAMLError) as error:
        what = f"no list of class names under `names` ({type(error).__name__})"
        found.problem(YAML_NAME, "unreadable", what)
    return {}


def _labels(found: Found, path: Path, names: dict[int, str]) -> set[str] | None:
    """Return the classes of the boxes of an image, None after saying what is wrong with them."""
    name = relative(path, found.folder)
    if not path.is_file():
        found.problem(name, "missing", "no such file in labels/; an image needs its boxes")
        return None
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("over 1 MB")
        lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        found.problem(name, "unreadable", f"{error}; a text of boxes is needed")
        return None
    faults = [fault for line in lines if (fault := _box_fault(line, names))]
    for fault in faults[:MAX_FAULTS] or ([] if lines else ["no class: there is no box in it"]):
        found.problem(name, "box", fault)
    if faults or not lines:
        return None
    return {names[int(float(line.split()[0]))] for line in lines}


def _box_fault(line: str, names: dict[int, str]) -> str:
    """Return what is wrong with ``class x y width height``, or an empty string.

    Examples
    --------
    >>> _box_fault("1 0.5 0.5 0.2 0.2", {0: "a", 1: "b"})
    ''
    >>> _box_fault("2 0.5 0.5 0.2 0.2", {0: "a", 1: "b"})
    "'2 0.5 0.5 0.2 0.2': class 2; the classes are 0 to 1"
    """
    shown = repr(short(line))
    try:
        label, *numbers = [float(text) for text in line.split()]
    except ValueError:
        hint = "; decimals are written with a point" if "," in line else ""
        return f"{shown}: no numbers{hint}"
    if label not in names:
        return f"{shown}: class {label:g}; the classes are {min(names)} to {max(names)}"
    polygon = len(numbers) >= 6 and len(numbers) % 2 == 0
    if len(numbers) != 4 and not polygon:
        return f"{shown}: {len(numbers)} numbers; x, y, width, height are needed"
    if not all(math.isfinite(value) and 0 <= value <= 1 for value in numbers):
        return f"{shown}: numbers are shares of the image, 0 to 1"
    if not polygon and min(numbers[2:]) <= 0:
        return f"{shown}: a box of no size"
    return ""


def _detect(folder: Path) -> bool:
    places = [place for place, _ in _places(folder) if (place / "labels").is_dir()]
    return any(place != folder for place in places) or bool(
        places and (folder / YAML_NAME).is_file()
    )


LAYOUT = Layout(
    "yolo_boxes", "train/images and train/labels with boxes", _detect, find, read, roles=ROLES
)
