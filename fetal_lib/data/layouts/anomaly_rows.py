"""What the layouts of brain anomaly sets share: one row an image, with its class put right.

The collections name no patients, misspell classes and hold images that were augmented before they
were shared: ``source_stem`` says which images were one, ``subject`` which belong to one case as
far as names tell. Split by ``subject``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fetal_lib.data.anomaly_names import (
    label_of,
    label_of_file,
    source_of_file,
    subject_of_file,
)
from fetal_lib.data.groups import source_stem
from fetal_lib.data.images import read_image
from fetal_lib.data.layouts.base import Found, Roles, relative

TWO_CLASSES = {"normal", "abnormal"}
ROLES = Roles(("label",), "subject", "part", "source", metadata=("ga_days", "pixel_size_mm"))


def add_image(found: Found, path: Path, labels: set[str], part: str, **more: Any) -> None:
    """Add an image that has exactly one class, as it is written, or say that it has not."""
    name = relative(path, found.folder)
    if path.is_file() and path.stat().st_size == 0:
        found.problem(name, "zero bytes", "0 bytes: copy it again")
    elif len(labels) != 1:
        named = f"{len(labels)} classes: {', '.join(sorted(labels))}" if labels else "no class"
        found.problem(name, "class", f"{named}; one is needed")
    else:
        found.cases.append({"image_path": path, "label": labels.pop(), "part": part, **more})


def finish(found: Found) -> Found:
    """Give the images that were added their rows: class, subject, source, sorted by name."""
    labels = _labels(found, {case["label"] for case in found.cases})
    kept = [case for case in found.cases if case["label"] in labels]
    for path, n in Counter(case["image_path"] for case in kept).items():
        if n > 1:
            found.problem(relative(path, found.folder), "duplicate", "named twice; keep one row")
    names = [case["image_path"].name for case in kept]
    if len(set(names)) < len(names):  # the same name in two folders
        names = [relative(case["image_path"], found.folder) for case in kept]
    named = zip(names, kept, strict=True)
    cases = [_row(name, case, labels[case["label"]]) for name, case in named]
    found.cases = sorted(cases, key=lambda case: case["image"])
    return found


def _labels(found: Found, written: Iterable[str]) -> dict[str, str]:
    """Return what each class, as written, is called here; unknown ones become a problem each."""
    if {name.strip().lower() for name in written} <= TWO_CLASSES:
        return {name: name.strip().lower() for name in written}
    labels = {}
    for name in sorted(written):
        try:
            labels[name] = label_of(name)
        except ValueError as error:
            found.problem(found.folder.name, "class", str(error))
    return labels


def _row(image: str, case: dict[str, Any], label: str) -> dict[str, Any]:
    name = case["image_path"].name
    by_name = {
        "image": image,
        "image_path": case["image_path"],
        "label": label,
        "fine_label": label_of_file(name) if label == "abnormal" else label,
        "subject": subject_of_file(name),
        "source_stem": source_stem(name),
        "part": case["part"],
        "source": source_of_file(name),
    }
    return by_name | {key: value for key, value in case.items() if key != "label"}


def read(row: Any) -> np.ndarray:
    """Read the image of a row, uint8 (H, W)."""
    return read_image(row.image_path)
