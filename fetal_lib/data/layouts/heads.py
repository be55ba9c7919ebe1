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

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.data.bad_files import FileFault, stream
from fetal_lib.data.checksums import file_digest
from fetal_lib.data.groups import hc18_examination
from fetal_lib.data.images import check_shape, read_pair, squash
from fetal_lib.data.layouts.base import Found, Layout, Roles, is_plain_name, visible
from fetal_lib.data.layouts.sheet import Sheet
from fetal_lib.data.report import Problem
from fetal_lib.geometry.ellipse import Ellipse, head_circumference_mm
from fetal_lib.geometry.outline import ellipse_from_outline
from fetal_lib.readers.delimited import UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

TABLE_NAME = "training_set_pixel_size_and_HC.csv"
IMAGE_FOLDER = "training_set"
COLUMNS = {"pixel size(mm)": "pixel_size_mm", "head circumference (mm)": "hc_mm"}
# Wider than HC18 (0.049-0.393 mm, 44-346 mm); narrow enough to find cm and micrometres.
LIMITS = {
    "pixel size(mm)": (0.02, 1.0, "mm"),
    "head circumference (mm)": (20, 450, "mm (cm × 10)"),
}
OFFICIAL_TABLE_MD5 = "c0761518fece2bd2d2ad4218f2cd9777"
OFFICIAL_N_ROWS = 999
HC_TOLERANCE = 0.02  # share of the table's value by which the outline may disagree
MAX_RING_SHARE = 0.5


@dataclass(frozen=True)
class Head:
    """Hold one head as it was read.

    Attributes
    ----------
    image, outline : uint8 (H, W); the outline as it was drawn.
    ellipse : fitted to the outline, in pixels.
    """

    image: np.ndarray
    outline: np.ndarray
    ellipse: Ellipse


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


def find(folder: Path) -> Found:
    """Find the rows of HC18's table with their images and outlines, in the order of the names."""
    found = Found(folder)
    if not (folder / TABLE_NAME).is_file():
        rule = f"no such file; the folder must hold it and {IMAGE_FOLDER}/, as HC18's release does"
        fix = "`fetal-lib data show hc18`; `fetal-lib data convert` makes it of images and masks"
        found.problem(TABLE_NAME, "missing", f"{rule} ({fix})")
        return found
    if not (folder / IMAGE_FOLDER).is_dir():
        found.problem(IMAGE_FOLDER, "missing", "no such folder; it holds images and outlines")
        return found
    sheet = Sheet(found, folder / TABLE_NAME, ["filename", *COLUMNS], (), LIMITS, ["filename"])
    listed = set()
    for line, row, values in sheet:
        name = row["filename"]
        listed.add(name)
        for column in LIMITS:
            if row[column].casefold() in UNKNOWN:
                sheet.problem("no value", f"line {line}: {column} is not given for {name}")
        _add_head(found, sheet, line, name, values)
    found.cases.sort(key=lambda case: case["image"])
    images = visible(folder / IMAGE_FOLDER, "*.png")
    others = [path for path in images if "_Annotation" not in path.name and path.name not in listed]
    found.note_unlisted(others, TABLE_NAME)
    _note_altered(found, len(sheet.rows))
    return found


def _add_head(found: Found, sheet: Sheet, line: int, name: str, values: dict[str, float]) -> None:
    if not is_plain_name(name):
        message = f"line {line}: filename is {name!r}; it must be a plain file name"
        sheet.problem("file name", message)
        return
    try:
        examination = hc18_examination(name)
    except ValueError:
        rule = "HC18 names start with the examination's number and an underscore"
        message = f"line {line}: filename={name!r}: {rule}, as 010_HC.png: rename it"
        sheet.problem("file name", message)
        return
    image = found.file(name, sheet.name, IMAGE_FOLDER)
    mask = found.file(f"{Path(name).stem}_Annotation.png", sheet.name, IMAGE_FOLDER)
    if image is not None and mask is not None:
        sizes = {COLUMNS[column]: value for column, value in values.items()}
        paths = {"image_path": image, "mask_path": mask}
        found.cases.append({"image": name, **sizes, **paths, "examination": examination})


def _note_altered(found: Found, n_rows: int) -> None:
    """Note where HC18's own table was altered (told by its 999 rows)."""
    if n_rows != OFFICIAL_N_ROWS or (found.folder / "phantom.json").exists():
        return
    md5 = file_digest(found.folder / TABLE_NAME, "md5")
    if md5 != OFFICIAL_TABLE_MD5:
        message = f"md5 is {md5}; HC18's is {OFFICIAL_TABLE_MD5}: the copy was altered"
        found.note(TABLE_NAME, "checksum", message)


def read(row: Any) -> Head:
    """Read the image and the outline of a row.

    Raises
    ------
    ValueError
        If a file cannot be read, the sizes differ, or no ellipse fits the outline.
    """
    image, outline = read_pair(row.image_path, row.mask_path)
    if (outline > 0).mean() > MAX_RING_SHARE:
        message = (
            f"{(outline > 0).mean():.0%} of its pixels are drawn; HC18's annotations are outlines "
            "one pixel wide. Draw the outline; `fetal-lib data convert` draws it of filled masks"
        )
        raise FileFault(row.mask_path, "outline", message)
    try:
        return Head(image, outline, ellipse_from_outline(outline))
    except ValueError as error:
        kind = "outline" if outline.any() else "empty annotation"
        raise FileFault(row.mask_path, kind, str(error)) from error


def _look(row: Any, head: Head) -> list[Problem]:
    """Return a note where the outline's perimeter is not the table's circumference."""
    drawn = head_circumference_mm(head.ellipse, (row.pixel_size_mm, row.pixel_size_mm))
    if not abs(drawn - row.hc_mm) > HC_TOLERANCE * row.hc_mm:
        return []
    message = (
        f"the outline gives {drawn:.1f} mm, the table {row.hc_mm:.1f} mm; they may differ by "
        f"{HC_TOLERANCE:.0%}: check the pixel size and that the pair belongs together"
    )
    return [Problem(str(row.mask_path), "circumference", message)]


def read_cases(folder: str | Path) -> pd.DataFrame:
    """Return the path table of a folder in HC18's layout.

    Parameters
    ----------
    folder : path

    Returns
    -------
    DataFrame
        One row an image, in the order of the names: ``image``, ``pixel_size_mm``, ``hc_mm``,
        ``image_path``, ``mask_path``, ``examination``.

    Raises
    ------
    BadFilesError
        A ValueError that names all bad rows and missing files together.
    """
    return find(Path(folder)).usable()


def coverage_mask(ellipse: Ellipse, size_hw: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Return the share of each pixel of a resized image that an ellipse covers, uint8, 0 to 255.

    The ellipse is in pixels of the scan, whose size is ``size_hw``; ``shape`` is the mask's size.
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
        From :func:`read_cases`.
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
    for i, head in enumerate(stream(table.itertuples(index=False), read)):
        sizes[i] = head.image.shape
        images[i], rings[i] = squash(head.image, shape), squash(head.outline, shape)
        masks[i] = coverage_mask(head.ellipse, head.image.shape, shape)
        ellipses.append(head.ellipse)
        if progress is not None:
            progress(i + 1, n)
    return HeadArrays(images, masks, rings, sizes, tuple(ellipses))


def iter_cases(
    table: pd.DataFrame, shape: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[int, int]]]:
    """Read heads one after the other: image, coverage mask, size of the scan.

    As :func:`fetal_lib.data.masks.iter_cases`, with the mask of HC18: the ellipse
    fitted to the annotation, also where it runs out of the image.

    Parameters
    ----------
    table : DataFrame
        From :func:`read_cases`.
    shape : (height, width)

    Yields
    ------
    image, mask : uint8 arrays (H, W)
    size_hw : (int, int)
    """
    check_shape(shape)
    for head in stream(table.itertuples(index=False), read):
        size_hw = head.image.shape
        yield squash(head.image, shape), coverage_mask(head.ellipse, size_hw, shape), size_hw


def _detect(folder: Path) -> bool:
    return (folder / TABLE_NAME).is_file() or any((folder / IMAGE_FOLDER).glob("*_Annotation.png"))


LAYOUT = Layout(
    "hc18",
    "head scans, outlines, a table of HC in mm",
    _detect,
    find,
    read,
    _look,
    Roles(("hc_mm",), "examination", metadata=("pixel_size_mm",)),
)
