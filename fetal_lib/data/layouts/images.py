"""Check one image, or an image and its mask: what is wrong with the files, in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_lib.data.layouts.base import relative
from fetal_lib.data.report import Problem

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm")
KINDS = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
MAX_SOFT = 0.001  # share of pixels inside areas of a middle gray that a mask may have
END_MARKS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}  # JPEG, PNG
TAIL_BYTES = 4096


def is_image_name(path: Path) -> bool:
    """Return whether a name ends as an image's does."""
    return path.suffix.lower() in IMAGE_ENDINGS


def file_problem(path: Path, name: str, role: str = "image") -> Problem | None:
    """Return what is wrong with a file before its content is decoded.

    Parameters
    ----------
    path, name : the file, and how the report calls it.
    role : what it should be, for the messages.
    """
    try:
        if path.is_dir():
            return Problem(name, "wrong type", f"a folder of this name; a {role} is needed")
        if not path.is_file():
            return Problem(name, "missing", f"the folder has no such {role}")
        if path.stat().st_size == 0:
            return Problem(name, "zero bytes", f"the {role} has 0 bytes: copy it again")
        with path.open("rb") as source:
            first = source.read(200)
    except (OSError, ValueError) as error:
        return Problem(name, "unreadable", f"{error}; check the name and the permissions")
    if b"/annex/" in first[:200] and path.stat().st_size < 1000:
        return Problem(name, "pointer", "a git-annex pointer, not the file: get its content")
    return None


def check_image(
    path: Path, folder: Path, role: str = "image"
) -> tuple[np.ndarray | None, list[Problem]]:
    """Read an image; return its gray values, or None and the problem.

    Returns
    -------
    image : uint8 array (H, W) or None
    problems : at most one: missing, zero bytes, wrong type, truncated, unreadable.
    """
    from fetal_lib.readers.image import read_gray

    name = relative(path, folder)
    if problem := file_problem(path, name, role):
        return None, [problem]
    try:
        image = read_gray(path)
    except (ValueError, OSError) as error:
        kind = "unreadable" if _has_image_mark(path) else "wrong type"
        return None, [Problem(name, kind, str(error).replace(f"{path}: ", "", 1))]
    if _is_cut(path):
        message = "the file has no end mark, its last bytes are missing: copy it again"
        return None, [Problem(name, "truncated", message)]
    return image, []


def check_pair(image: Path, mask: Path, folder: Path) -> list[Problem]:
    """Return all problems of an image and the mask that was drawn for it."""
    scan, problems = check_image(image, folder)
    drawing, mask_problems = check_image(mask, folder, "mask")
    problems = [*problems, *mask_problems]
    name = relative(mask, folder)
    if scan is not None and drawing is not None and scan.shape != drawing.shape:
        message = f"the mask is {drawing.shape}, the image {scan.shape} (H, W); equal sizes"
        problems.append(Problem(name, "size", message))
    if drawing is not None and (fault := mask_fault(drawing)):
        problems.append(Problem(name, *fault))
    return problems


def mask_fault(drawing: np.ndarray) -> tuple[str, str] | None:
    """Return kind and message where gray values (H, W) are no drawing of one structure.

    Examples
    --------
    >>> mask_fault(np.zeros((4, 4), np.uint8))
    ('empty mask', 'no pixel is set; a mask marks one structure')
    """
    import cv2

    largest = int(drawing.max())
    if largest == 0:
        return "empty mask", "no pixel is set; a mask marks one structure"
    middle = ((drawing > 0.25 * largest) & (drawing < 0.75 * largest)).astype(np.uint8)
    if cv2.erode(middle, np.ones((3, 3), np.uint8)).mean() > MAX_SOFT:
        rule = "a mask is 0 outside and one value inside: check that it is the mask"
        return "not a mask", f"areas of several gray values; {rule}"
    if (drawing >= max(1, largest / 2)).all():
        return "full mask", "every pixel is set; a mask marks one structure"
    return None


def _has_image_mark(path: Path) -> bool:
    with path.open("rb") as source:
        first = source.read(132)
    return first.startswith(KINDS) or first[128:132] == b"DICM"


def _is_cut(path: Path) -> bool:
    """Return whether the mark is missing that closes a JPEG or a PNG; decoders forgive that."""
    with path.open("rb") as source:
        first = source.read(4)
        mark = next((end for start, end in END_MARKS.items() if first.startswith(start)), b"")
        source.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return mark not in source.read()
