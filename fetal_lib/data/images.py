"""Read the images of a set whole, one at a time, and resize them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_lib.data.bad_files import BadFilesError, FileFault, problems_of
from fetal_lib.readers.image import read_gray

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm")
END_MARKS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}  # JPEG, PNG
TAIL_BYTES = 4096
MAX_SIDE = 8192


def read_image(path: str | Path) -> np.ndarray:
    """Read an image as gray values, uint8 (H, W); a ValueError names a file that cannot be read.

    It is read to its last byte: decoders forgive a JPEG without its end.
    """
    image = read_gray(path)
    with Path(path).open("rb") as source:
        first = source.read(4)
        mark = next((end for start, end in END_MARKS.items() if first.startswith(start)), b"")
        source.seek(max(0, Path(path).stat().st_size - TAIL_BYTES))
        if mark not in source.read():
            rule = "the file has no end mark, its last bytes are missing: copy it again"
            raise FileFault(path, "truncated", rule)
    return image


def read_pair(image_path: str | Path, drawing_path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read an image and what was drawn for it, both uint8 (H, W) of one size.

    Raises
    ------
    ValueError
        If a file cannot be read, or the sizes differ; both are named when both are bad.
    """
    images, problems = [], []
    for path in (image_path, drawing_path):
        try:
            images.append(read_image(path))
        except ValueError as error:
            problems += problems_of(error)
    if problems:
        raise BadFilesError("an image and its mask", problems)
    image, drawing = images
    if image.shape != drawing.shape:
        name = Path(image_path).name
        message = (
            f"its size {drawing.shape} is not that of {name}, {image.shape}; a mask must have "
            "its image's size"
        )
        raise FileFault(drawing_path, "size", message)
    return image, drawing


def check_shape(shape: tuple[int, int]) -> None:
    """Refuse a size that no image has.

    Raises
    ------
    ValueError
        Unless it is two whole numbers of 1 to 8192.
    """
    sides = tuple(shape) if isinstance(shape, tuple | list) else ()
    whole = all(isinstance(side, int | np.integer) and 1 <= side <= MAX_SIDE for side in sides)
    if len(sides) != 2 or not whole:
        raise ValueError(
            f"shape={shape!r}: it must be (height, width) in pixels, whole numbers of "
            f"1-{MAX_SIDE}; give (256, 256)."
        )


def squash(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize to ``shape`` (height, width) by area, so that thin bright skull survives."""
    import cv2

    return cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA)
