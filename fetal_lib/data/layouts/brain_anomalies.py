"""Fetal brain anomalies on ultrasound: sixteen classes, in whatever layout they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.bad_files import stream
from fetal_lib.data.images import read_image
from fetal_lib.data.layouts import anomaly_cases, boxes, labelled

if TYPE_CHECKING:
    import pandas as pd

LAYOUTS = (anomaly_cases.LAYOUT, labelled.LAYOUT, boxes.LAYOUT)


def read_cases(folder: str | Path) -> pd.DataFrame:
    """Return the path table of a set of brain images, whatever its layout.

    Parameters
    ----------
    folder : path
        Holding ``cases.csv`` (phantoms), ``_classes.csv``, ``_annotations.coco.json``,
        ``data.yaml`` with ``images/`` and ``labels/`` (YOLO), or one folder per class; the last
        four also within ``train``, ``valid`` and ``test``.

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
        If the folder has none of the layouts.
    BadFilesError
        If anything in it is wrong; all files are named together.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"data={str(folder)!r}: no such folder. Check the path.")
    layout = next((layout for layout in LAYOUTS if layout.detect(folder)), None)
    if layout is None:
        raise ValueError(
            f"data={str(folder)!r}: none of the known formats; it must hold cases.csv, "
            "_classes.csv, _annotations.coco.json, data.yaml with images/ and labels/, or one "
            "folder of images per class. Export the set from Roboflow in one of these."
        )
    return layout.find(folder).usable()


def iter_images(cases: pd.DataFrame) -> Iterator[np.ndarray]:
    """Read the images of a path table one by one, uint8 (H, W) each.

    Raises
    ------
    BadFilesError
        After the last image, naming all that could not be read; none is yielded after the first.
    """
    return stream(cases["image_path"], read_image)
