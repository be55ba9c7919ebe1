"""Head images with their outlines, in the layout of HC18.

``training_set/NNN_HC.png`` with ``NNN_HC_Annotation.png`` beside it (a ring one
pixel wide on the outer skull edge), and ``training_set_pixel_size_and_HC.csv``
with pixel size and head circumference. The leading number of a file name is the
examination: ``010_HC.png`` and ``010_2HC.png`` must stay on one side of a split.

References
----------
van den Heuvel TLA et al. Automated measurement of fetal head circumference
using 2D ultrasound images. PLOS ONE 2018. doi:10.1371/journal.pone.0200412
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.outline import ellipse_from_outline
from fetal_lib.readers.image import read_gray

if TYPE_CHECKING:
    import pandas as pd

CSV_NAME = "training_set_pixel_size_and_HC.csv"
IMAGE_FOLDER = "training_set"
COLUMNS = {
    "filename": "image",
    "pixel size(mm)": "pixel_size_mm",
    "head circumference (mm)": "hc_mm",
}


@dataclass(frozen=True)
class HeadArrays:
    """Images and filled masks of one size, beside the scans' own sizes.

    Attributes
    ----------
    images : ndarray, shape (N, H, W), uint8
    masks : ndarray, shape (N, H, W), uint8
        Share of each pixel that the head covers, 0 to 255.
    outlines : ndarray, shape (N, H, W), uint8
        The ring as drawn, resized without being filled: what source 003 trained on.
    sizes_hw : ndarray, shape (N, 2), int
        Height and width of the scan before resizing.
    ellipses : tuple of Ellipse
        The annotation, in pixels of the scan as it was.
    """

    images: np.ndarray
    masks: np.ndarray
    outlines: np.ndarray
    sizes_hw: np.ndarray
    ellipses: tuple[Ellipse, ...]

    def __len__(self) -> int:
        return len(self.images)


def examination_of(name: str) -> str:
    """Return the examination that a file belongs to: its leading number.

    Raises
    ------
    ValueError
        If the name does not start with digits.

    Examples
    --------
    >>> examination_of("010_2HC.png"), examination_of("010_HC.png")
    ('010', '010')
    """
    match = re.match(r"(\d+)_", Path(name).name)
    if match is None:
        raise ValueError(
            f"filename={name!r}: HC18 names start with the examination's number and an "
            "underscore, as 010_HC.png does; rename the file."
        )
    return match.group(1)


def read_table(folder: str | Path) -> pd.DataFrame:
    """Return the path table of a folder in HC18's layout.

    Parameters
    ----------
    folder : path

    Returns
    -------
    DataFrame
        One row an image, in the order of the names: ``image``, ``image_path``,
        ``mask_path``, ``pixel_size_mm``, ``hc_mm``, ``examination``.

    Raises
    ------
    ValueError
        If the folder or its table is missing, a column is, or files are; all
        missing files are named together.
    """
    import pandas as pd

    folder = Path(folder)
    csv = folder / CSV_NAME
    if not csv.is_file():
        raise ValueError(
            f"data={str(folder)!r}: no {CSV_NAME} in it; the folder must hold that table and "
            f"{IMAGE_FOLDER}/, as HC18's release does (`fetal-lib data show hc18`)."
        )
    table = pd.read_csv(csv)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ValueError(f"{csv.name}: column(s) {missing} missing; found {list(table.columns)}.")
    table = table.rename(columns=COLUMNS)[list(COLUMNS.values())]
    table = table.sort_values("image", ignore_index=True)
    images = folder / IMAGE_FOLDER
    table["image_path"] = [images / name for name in table["image"]]
    table["mask_path"] = [images / f"{Path(n).stem}_Annotation.png" for n in table["image"]]
    table["examination"] = [examination_of(name) for name in table["image"]]
    _check_files(table)
    return table


def _check_files(table: pd.DataFrame) -> None:
    paths = [*table["image_path"], *table["mask_path"]]
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        shown = ", ".join(absent[:10]) + (" ..." if len(absent) > 10 else "")
        raise ValueError(
            f"data: {len(absent)} file(s) of the table are missing: {shown}. "
            "`fetal-lib data verify FOLDER` lists every problem of a folder."
        )
    doubled = table.loc[table["image"].duplicated(), "image"].tolist()
    if doubled:
        raise ValueError(f"{CSV_NAME}: name(s) {doubled[:10]} stand more than once; keep one row.")


def squash(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize to ``shape`` (height, width) by area, so that thin bright skull survives."""
    import cv2

    return cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA)


def coverage_mask(ellipse: Ellipse, size_hw: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Return the share of each pixel of a resized image that an ellipse covers.

    Parameters
    ----------
    ellipse : Ellipse
        In pixels of the scan.
    size_hw : (height, width)
        Size of the scan.
    shape : (height, width)
        Size of the mask.

    Returns
    -------
    ndarray, shape ``shape``, uint8, 0 to 255
    """
    return squash(ellipse.mask(size_hw).astype(np.uint8) * 255, shape)


def load_arrays(
    table: pd.DataFrame,
    shape: tuple[int, int],
    progress: Callable[[int, int], None] | None = None,
) -> HeadArrays:
    """Read all images of a path table and resize them, masks filled first.

    Parameters
    ----------
    table : DataFrame
        From :func:`read_table`.
    shape : (height, width)
        Size in pixels that every image is squashed to.
    progress : callable, optional
        Called with the number read and the number in all.

    Returns
    -------
    HeadArrays

    Raises
    ------
    ValueError
        If an image cannot be read, or a mask has another size than its image.
    """
    images, masks, rings, sizes, ellipses = [], [], [], [], []
    rows = table[["image_path", "mask_path"]].itertuples(index=False)
    for i, (image_path, mask_path) in enumerate(rows):
        image, outline = read_gray(image_path), read_gray(mask_path)
        if image.shape != outline.shape:
            raise ValueError(
                f"{mask_path.name}: its size {outline.shape} is not that of {image_path.name}, "
                f"{image.shape}; a mask must have its image's size."
            )
        ellipse = ellipse_from_outline(outline)
        images.append(squash(image, shape))
        masks.append(coverage_mask(ellipse, image.shape, shape))
        rings.append(squash(outline, shape))
        sizes.append(image.shape)
        ellipses.append(ellipse)
        if progress is not None:
            progress(i + 1, len(table))
    stacked = (np.stack(images), np.stack(masks), np.stack(rings), np.array(sizes))
    return HeadArrays(*stacked, tuple(ellipses))
