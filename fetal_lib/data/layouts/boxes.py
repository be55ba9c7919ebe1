"""YOLO: images and one text file of boxes each, in train/, valid/ and test/."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import PARTS, Layout, Progress, relative, visible, walk
from fetal_lib.data.layouts.images import check_image, is_image_name
from fetal_lib.data.report import FolderReport, Problem

YAML_NAME = "data.yaml"
MAX_BYTES = 1_000_000


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    n_classes, problems = _class_count(folder)
    parts = [place for place in sorted(folder.iterdir()) if place.name.lower() in PARTS]
    images = [path for part in parts for path in visible(part / "images", "*")]
    images = [path for path in images if is_image_name(path)]
    if not images:
        problems.append(Problem("train/images", "missing", "no image in train, valid or test"))
    problems += walk(images, lambda path: _check_case(path, folder, n_classes), progress)
    known = {_label_of(path) for path in images}
    texts = [path for part in parts for path in visible(part / "labels", "*.txt")]
    message = "boxes without an image; add the image or remove the file"
    problems += [
        Problem(relative(path, folder), "no image", message) for path in texts if path not in known
    ]
    return FolderReport(str(folder), len(images), tuple(problems))


def _class_count(folder: Path) -> tuple[int, list[Problem]]:
    """Return how many classes data.yaml names; 0 where it cannot be told."""
    import yaml

    path = folder / YAML_NAME
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("over 1 MB")
        content = yaml.safe_load(path.read_text("utf-8"))
        names = content["names"]
        return len(names), []
    except FileNotFoundError:
        return 0, [Problem(YAML_NAME, "missing", "it names the classes")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, yaml.YAMLError) as error:
        return 0, [Problem(YAML_NAME, "unreadable", f"{type(error).__name__}; a list 'names'")]


def _label_of(image: Path) -> Path:
    return image.parent.parent / "labels" / f"{image.stem}.txt"


def _check_case(image: Path, folder: Path, n_classes: int) -> list[Problem]:
    problems = check_image(image, folder)[1]
    path = _label_of(image)
    name = relative(path, folder)
    if not path.is_file():
        return [*problems, Problem(name, "missing", f"{image.name} has no file of boxes")]
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("over 1 MB")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        return [*problems, Problem(name, "unreadable", f"{error}; a text of boxes is needed")]
    faults = [_box_fault(line, n_classes) for line in lines if line.strip()]
    faults = [fault for fault in faults if fault] or ([] if faults else ["no box in it"])
    return [*problems, *(Problem(name, "box", fault) for fault in faults[:20])]


def _box_fault(line: str, n_classes: int) -> str:
    """Return what is wrong with ``class x y width height``, or an empty string.

    Examples
    --------
    >>> _box_fault("1 0.5 0.5 0.2 0.2", 2), _box_fault("2 0.5 0.5 0.2 0.2", 2)
    ('', "'2 0.5 0.5 0.2 0.2': class 2; the classes are 0 to 1")
    """
    shown = repr(line[:60])
    try:
        label, *numbers = [float(text) for text in line.split()]
    except ValueError:
        hint = "; decimals are written with a point" if "," in line else ""
        return f"{shown}: no numbers{hint}"
    if not label.is_integer() or label < 0 or (n_classes and label >= n_classes):
        return f"{shown}: class {label:g}; the classes are 0 to {n_classes - 1}"
    polygon = len(numbers) >= 6 and len(numbers) % 2 == 0
    if len(numbers) != 4 and not polygon:
        return f"{shown}: {len(numbers)} numbers; x, y, width, height are needed"
    if not all(math.isfinite(value) and 0 <= value <= 1 for value in numbers):
        return f"{shown}: numbers are shares of the image, 0 to 1"
    if not polygon and min(numbers[2:]) <= 0:
        return f"{shown}: a box of no size"
    return ""


def _detect(folder: Path) -> bool:
    parts = [place for place in folder.iterdir() if place.name.lower() in PARTS]
    return any((place / "images").is_dir() and (place / "labels").is_dir() for place in parts)


LAYOUT = Layout("yolo_boxes", "train/images and train/labels with boxes", _detect, _check)
