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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.groups import hc18_examination
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.outline import ellipse_from_outline
from fetal_lib.readers.delimited import (
    UNKNOWN,
    TableReadError,
    TextTable,
    numbers,
    read_text_table,
)
from fetal_lib.sets.bad_files import BadFilesError, find_files, repeated, stream
from fetal_lib.sets.masked_images import check_shape, read_both, squash

if TYPE_CHECKING:
    import pandas as pd

CSV_NAME = "training_set_pixel_size_and_HC.csv"
IMAGE_FOLDER = "training_set"
COLUMNS = {
    "filename": "image",
    "pixel size(mm)": "pixel_size_mm",
    "head circumference (mm)": "hc_mm",
}
# Wider than HC18 (0.049-0.393 mm, 44-346 mm); narrow enough to find cm and micrometres.
LIMITS = {
    "pixel size(mm)": (0.02, 1.0, "mm"),
    "head circumference (mm)": (20, 450, "mm (cm × 10)"),
}
MAX_RING_SHARE = 0.5
Read = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int], Ellipse]


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
        bad rows are named together, and so are all missing files.
    """
    import pandas as pd

    folder = Path(folder)
    csv = folder / CSV_NAME
    if not csv.is_file():
        raise ValueError(
            f"data={str(folder)!r}: no {CSV_NAME} in it; the folder must hold that table and "
            f"{IMAGE_FOLDER}/, as HC18's release does (`fetal-lib data show hc18`)."
        )
    text = read_text_table(csv, list(COLUMNS))
    values, problems = numbers(text, LIMITS)
    problems = [*_row_problems(text), *problems]
    if problems:
        raise TableReadError(csv, problems)
    table = pd.DataFrame({"image": [row["filename"] for row in text.rows]})
    table = table.assign(**{COLUMNS[name]: column for name, column in values.items()})
    table = table.sort_values("image", ignore_index=True)
    table["image_path"], table["mask_path"] = _find(folder / IMAGE_FOLDER, list(table["image"]))
    table["examination"] = [hc18_examination(name) for name in table["image"]]
    return table[["image", *list(COLUMNS.values())[1:], "image_path", "mask_path", "examination"]]


def _row_problems(text: TextTable) -> list[str]:
    """Find rows whose name or number is not usable, and names that stand twice."""
    problems = []
    for line, row in zip(text.lines, text.rows, strict=True):
        name = row["filename"]
        if re.search(r"[/\\]", name):
            problems.append(f"line {line}: filename is {name!r}; it must be a plain file name")
            continue
        try:
            hc18_examination(name)
        except ValueError:
            rule = "HC18 names start with the examination's number and an underscore"
            problems.append(f"line {line}: filename={name!r}: {rule}, as 010_HC.png: rename it")
        empty = [column for column in LIMITS if row[column].casefold() in UNKNOWN]
        problems += [f"line {line}: {column} is not given for {name}" for column in empty]
    doubled = repeated([row["filename"] for row in text.rows])
    return [*problems, *(f"{name} stands more than once; keep one row" for name in doubled)]


def _find(folder: Path, names: list[str]) -> tuple[list[Path], list[Path]]:
    images, absent = find_files(folder, names)
    masks, absent_masks = find_files(folder, [f"{Path(n).stem}_Annotation.png" for n in names])
    if absent or absent_masks:
        hint = "`fetal-lib data verify FOLDER` lists every problem of a folder"
        what = f"{CSV_NAME} names files that are missing ({hint})"
        raise BadFilesError(what, [*absent, *absent_masks])
    return images, masks


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
        If ``shape`` or the table is none.
    BadFilesError
        A ValueError that names all images and annotations that cannot be used.
    """
    check_shape(shape)
    if table.empty:
        raise ValueError("table: received no row; at least one image is needed. Check the filter.")
    n = len(table)
    images, masks, rings = (np.empty((n, *shape), np.uint8) for _ in range(3))
    sizes, ellipses = np.empty((n, 2), np.int64), []
    for i, (image, outline, mask, size_hw, ellipse) in enumerate(_iter_heads(table, shape)):
        images[i], rings[i], masks[i], sizes[i] = image, outline, mask, size_hw
        ellipses.append(ellipse)
        if progress is not None:
            progress(i + 1, n)
    return HeadArrays(images, masks, rings, sizes, tuple(ellipses))


def iter_cases(
    table: pd.DataFrame, shape: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[int, int]]]:
    """Read heads one after the other: image, coverage mask, size of the scan.

    As :func:`fetal_lib.sets.masked_images.iter_cases`, with the mask of HC18: the ellipse
    fitted to the annotation, also where it runs out of the image.

    Parameters
    ----------
    table : DataFrame
        From :func:`read_table`.
    shape : (height, width)

    Yields
    ------
    image, mask : uint8 arrays (H, W)
    size_hw : (int, int)
    """
    check_shape(shape)
    return ((image, mask, size) for image, _, mask, size, _ in _iter_heads(table, shape))


def _iter_heads(table: pd.DataFrame, shape: tuple[int, int]) -> Iterator[Read]:
    rows = table[["image_path", "mask_path"]].itertuples(index=False, name=None)
    return stream(rows, lambda paths: _read_head(*map(Path, paths), shape))


def _read_head(image_path: Path, mask_path: Path, shape: tuple[int, int]) -> Read:
    """Read one head: image, ring and coverage at ``shape``, size of the scan, ellipse."""
    image, outline = read_both(image_path, mask_path)
    if (outline > 0).mean() > MAX_RING_SHARE:
        raise ValueError(
            f"{mask_path}: {(outline > 0).mean():.0%} of its pixels are drawn; HC18's annotations "
            "are outlines one pixel wide. Draw the outline, or read filled masks as mask folders"
        )
    try:
        ellipse = ellipse_from_outline(outline)
    except ValueError as error:
        raise ValueError(f"{mask_path}: {error}") from error
    mask = coverage_mask(ellipse, image.shape, shape)
    return squash(image, shape), squash(outline, shape), mask, image.shape, ellipse
