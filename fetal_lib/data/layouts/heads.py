"""HC18: outlines of heads beside their scans, and a table of pixel sizes and circumferences."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from fetal_lib.data.checksums import file_digest
from fetal_lib.data.head_table import TABLE_NAME, HeadRow, read_head_table
from fetal_lib.data.layouts.base import Layout, walk
from fetal_lib.data.report import FolderReport, Problem

OFFICIAL_TABLE_MD5 = "c0761518fece2bd2d2ad4218f2cd9777"
OFFICIAL_N_ROWS = 999
HC_TOLERANCE = 0.02  # share of the table's value by which the outline may disagree
IMAGE_FOLDER = "training_set"


def _read(path: Path, role: str, problems: list[Problem]) -> np.ndarray | None:
    """Return an image, or None after noting why it cannot be read."""
    from fetal_lib.readers.image import ImageReadError, read_gray

    if not path.is_file():
        problems.append(Problem(path.name, f"missing {role}", f"the folder has no such {role}"))
        return None
    if path.stat().st_size == 0:
        problems.append(Problem(path.name, "unreadable", f"the {role} has 0 bytes: copy it again"))
        return None
    try:
        return read_gray(path)
    except (ImageReadError, OSError) as error:
        problems.append(Problem(path.name, "unreadable", str(error)))
        return None


def _check_size(outline: np.ndarray, row: HeadRow, name: str) -> Problem | None:
    """Return the problem where the outline's perimeter is not the table's circumference."""
    from fetal_lib.geometry.ellipse import head_circumference_mm
    from fetal_lib.geometry.outline import ellipse_from_outline

    try:
        ellipse = ellipse_from_outline(outline)
    except ValueError as error:
        return Problem(name, "outline", str(error))
    if row.pixel_size_mm is None or row.hc_mm is None:
        return None
    drawn = head_circumference_mm(ellipse, (row.pixel_size_mm, row.pixel_size_mm))
    if abs(drawn - row.hc_mm) <= HC_TOLERANCE * row.hc_mm:
        return None
    message = (
        f"the outline gives {drawn:.1f} mm, the table {row.hc_mm:.1f} mm; they may differ by "
        f"{HC_TOLERANCE:.0%}: check the pixel size and that the pair belongs together"
    )
    return Problem(name, "circumference", message)


def check_examination(folder: Path, row: HeadRow) -> list[Problem]:
    """Return all problems of one row's image and outline."""
    problems: list[Problem] = []
    outline_name = f"{Path(row.name).stem}_Annotation.png"
    image = _read(folder / row.name, "image", problems)
    outline = _read(folder / outline_name, "annotation", problems)
    if image is not None and outline is not None and image.shape != outline.shape:
        message = f"the annotation is {outline.shape}, the image {image.shape} (H, W); equal sizes"
        problems.append(Problem(outline_name, "size", message))
    if outline is not None and not outline.any():
        message = "no pixel is set; the outline of the skull is drawn with 255"
        problems.append(Problem(outline_name, "empty annotation", message))
    elif outline is not None and (fault := _check_size(outline, row, outline_name)):
        problems.append(fault)
    return problems


def _unlisted(folder: Path, rows: list[HeadRow]) -> list[Problem]:
    listed = {row.name for row in rows}
    images = {path.name for path in folder.glob("*.png") if "_Annotation" not in path.name}
    message = "not in the table; list it there or remove it"
    return [Problem(name, "not listed", message) for name in sorted(images - listed)]


def _check_official(table: Path, n_rows: int) -> list[Problem]:
    """Return a problem where HC18's own table was altered (told by its 999 rows)."""
    if n_rows != OFFICIAL_N_ROWS or (table.parent / "phantom.json").exists():
        return []
    found = file_digest(table, "md5")
    if found == OFFICIAL_TABLE_MD5:
        return []
    message = f"md5 is {found}; HC18's is {OFFICIAL_TABLE_MD5}: the copy was altered"
    return [Problem(table.name, "checksum", message)]


def verify_heads(
    folder: str | Path, progress: Callable[[int, int], None] | None = None
) -> FolderReport:
    """Check a folder in the layout of HC18's training set.

    Parameters
    ----------
    folder : holds training_set/ and the table.
    progress : called with (rows done, rows).

    Returns
    -------
    FolderReport with every problem: missing or unreadable files, sizes that differ, empty or
    odd outlines, faulty table rows, circumferences that disagree with the outline.

    Raises
    ------
    NotADirectoryError
        If the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder; name the one that holds {TABLE_NAME}")
    rows, problems = read_head_table(folder / TABLE_NAME)
    problems += _check_official(folder / TABLE_NAME, len(rows))
    images = folder / IMAGE_FOLDER
    if not images.is_dir():
        problems.append(Problem(IMAGE_FOLDER, "missing", f"{folder} has no folder {IMAGE_FOLDER}"))
        return FolderReport(str(folder), 0, tuple(problems))
    problems += walk(rows, lambda row: check_examination(images, row), progress)
    problems += _unlisted(images, rows)
    return FolderReport(str(folder), len(rows), tuple(problems))


def _detect(folder: Path) -> bool:
    return (folder / TABLE_NAME).is_file() or any((folder / IMAGE_FOLDER).glob("*_Annotation.png"))


def _check(
    folder: Path, progress: Callable[[int, int], None] | None, classes: Collection[str]
) -> FolderReport:
    return verify_heads(folder, progress)


LAYOUT = Layout("hc18", "head scans, outlines, a table of HC in mm", _detect, _check)
