"""Fetal brain anomalies on ultrasound: sixteen classes, in whatever format they come.

One path table for the two-class detection set, for the exports of the sixteen-class set, and for
phantoms. The collections name no patients, misspell classes and hold images that were augmented
before they were shared: ``source_stem`` says which images were one, ``subject`` which belong to
one case as far as names tell. Split by ``subject``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.groups import source_stem
from fetal_lib.readers.image import read_gray
from fetal_lib.sets.bad_files import BadFilesError, stream
from fetal_lib.sets.brain_anomaly_formats import FORMATS, Row, detect
from fetal_lib.sets.brain_anomaly_names import (
    label_of,
    label_of_file,
    source_of_file,
    subject_of_file,
)
from fetal_lib.sets.head_images import squash

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "image",
    "image_path",
    "label",
    "fine_label",
    "subject",
    "source_stem",
    "part",
    "source",
)
TWO_CLASSES = {"normal", "abnormal"}


def read_cases(folder: str | Path, data_format: str | None = None) -> pd.DataFrame:
    """Return the path table of a set of brain images, whatever its format.

    Parameters
    ----------
    folder : path
        Holding ``cases.csv`` (phantoms), ``_classes.csv``, ``_annotations.coco.json``,
        ``data.yaml`` with ``images/`` and ``labels/`` (YOLO), or one folder per class; the last
        four also within ``train``, ``valid`` and ``test``.
    data_format : str, optional
        "phantom", "one_hot", "coco", "yolo" or "class_folders", where a folder holds several.

    Returns
    -------
    DataFrame
        One row an image, sorted by name: ``image``, ``image_path``, ``label`` (one of the
        sixteen, or normal/abnormal in the two-class set), ``fine_label`` (one of the sixteen
        also there, read from the file name; ``tuberous_sclerosis`` is none of them; empty if the
        name tells none), ``subject``, ``source_stem``, ``part`` (train, val, test or empty),
        ``source``. Phantoms also have ``lesion_path``, ``ga_days`` and ``pixel_size_mm``.

    Raises
    ------
    ValueError
        If the folder has none of the formats.
    BadFilesError
        If anything in it is wrong; all files are named together.
    """
    folder = Path(folder)
    data_format = _format(folder, data_format)
    found = FORMATS[data_format](folder)
    problems = found.problems + _file_problems(found.rows)
    labels = _labels(found.rows, problems)
    if problems or not found.rows:
        what = f"data={str(folder)!r}, read as {data_format}"
        raise BadFilesError(what, problems or [f"{folder.name}: no images in it"])
    return _as_table(folder, found.rows, labels, data_format)


def _format(folder: Path, data_format: str | None) -> str:
    if not folder.is_dir():
        raise ValueError(f"data={str(folder)!r}: no such folder. Check the path.")
    if data_format is not None and data_format not in FORMATS:
        raise ValueError(f"data_format: received {data_format!r}; it is one of {list(FORMATS)}.")
    data_format = data_format or detect(folder)
    if data_format is None:
        raise ValueError(
            f"data={str(folder)!r}: none of the known formats; it must hold cases.csv, "
            "_classes.csv, _annotations.coco.json, data.yaml with images/ and labels/, or one "
            "folder of images per class. Export the set from Roboflow in one of these."
        )
    return data_format


def _file_problems(rows: list[Row]) -> list[str]:
    problems, seen = [], set()
    for row in rows:
        if row.path in seen:
            problems.append(f"{row.path.name}: named twice")
        elif row.path.stat().st_size == 0:
            problems.append(f"{row.path.name}: 0 bytes")
        seen.add(row.path)
    return problems


def _labels(rows: list[Row], problems: list[str]) -> dict[str, str]:
    """Return what each class, as written, is called here; unknown ones become a problem each."""
    written = {row.label for row in rows}
    if {name.strip().lower() for name in written} <= TWO_CLASSES:
        return {name: name.strip().lower() for name in written}
    labels = {}
    for name in sorted(written):
        try:
            labels[name] = label_of(name)
        except ValueError as error:
            problems.append(str(error))
    return labels


def _as_table(
    folder: Path, rows: list[Row], labels: dict[str, str], data_format: str
) -> pd.DataFrame:
    import pandas as pd

    names = [row.path.name for row in rows]
    if len(set(names)) < len(names):  # the same name in two folders
        names = [row.path.relative_to(folder).as_posix() for row in rows]
    phantom = data_format == "phantom"
    make = _phantom_row if phantom else _row
    made = [make(row, labels[row.label]) for row in rows]
    table = pd.DataFrame(made).assign(image=names)
    extra = [c for c in table.columns if c not in COLUMNS]
    if phantom and "lesion" in extra:
        table["lesion_path"] = [_beside(folder, "lesions", name) for name in table["lesion"]]
        extra[extra.index("lesion")] = "lesion_path"
    return table[[*COLUMNS, *extra]].sort_values("image", ignore_index=True)


def _row(row: Row, label: str) -> dict[str, object]:
    name = row.path.name
    return {
        "image_path": row.path,
        "label": label,
        "fine_label": label_of_file(name) if label == "abnormal" else label,
        "subject": subject_of_file(name),
        "source_stem": source_stem(name),
        "part": row.part,
        "source": source_of_file(name),
    }


def _phantom_row(row: Row, label: str) -> dict[str, object]:
    extra = {key: value for key, value in row.extra.items() if key != "patient"}
    own = {"subject": str(row.extra["patient"]), "source": "phantom"}
    return {**_row(row, label), **own, **extra}


def _beside(folder: Path, sub: str, name: object) -> Path | None:
    if not isinstance(name, str) or not name:
        return None
    return folder / name if (folder / name).is_file() else folder / sub / name


def iter_images(cases: pd.DataFrame) -> Iterator[np.ndarray]:
    """Read the images of a path table one by one.

    Parameters
    ----------
    cases : DataFrame
        From :func:`read_cases`.

    Yields
    ------
    ndarray, shape (H, W), uint8

    Raises
    ------
    BadFilesError
        After the last image, naming all that could not be read; none is yielded after the first.
    """
    yield from stream(cases["image_path"], read_gray)


def load_images(
    cases: pd.DataFrame,
    shape: tuple[int, int],
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Read all images of a path table, squashed to one size.

    Parameters
    ----------
    cases : DataFrame
        From :func:`read_cases`.
    shape : (height, width)
        In pixels.
    progress : callable, optional
        Called with the number read and the number in all.

    Returns
    -------
    ndarray, shape (N, H, W), uint8

    Raises
    ------
    BadFilesError
        Naming all images that cannot be read.
    """
    images = np.zeros((len(cases), *shape), np.uint8)
    for i, image in enumerate(iter_images(cases)):
        images[i] = squash(image, shape)
        if progress is not None:
            progress(i + 1, len(cases))
    return images
