"""Read one ultrasound image as gray values, whatever way it was saved.

PNG, JPEG, TIFF and BMP; bilevel, gray, palette, colour, with or without transparency, 8 or 16
bits; DICOM by ``dicom_image``. The content tells the kind, not the name's ending. What cannot be
read for certain is refused with the file's name, never guessed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.readers.checks import (
    MAX_PIXELS,
    ImageReadError,
    check_frame,
    damage_as,
    first_bytes,
    is_dicom,
    too_many_pixels,
)
from fetal_lib.readers.dicom_image import read_dicom_image
from fetal_lib.readers.gray_levels import eight_bits

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")


def read_gray(path: str | Path, frame: int | None = None) -> np.ndarray:
    """Read an image file as gray values.

    Colour becomes luma (ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B), transparency is laid on
    black, an EXIF orientation is applied. 16-bit gray is divided down from the smallest of 8,
    10, 12, 14 or 16 bits that holds the brightest pixel, so a 12-bit scan is not read as black.
    DICOM is read by :func:`fetal_lib.readers.dicom_image.read_dicom_image`.

    Parameters
    ----------
    path : str or Path
    frame : int or None
        Which frame of a multi-frame file, from 0; None refuses a file with more than one.

    Returns
    -------
    uint8 array (H, W)

    Raises
    ------
    ImageReadError
        When the file is missing, empty, truncated, of another kind, of a pixel type without a
        fixed range (32-bit, floating point), has several frames, or is implausibly large.

    Examples
    --------
    >>> read_gray("nowhere.png")
    Traceback (most recent call last):
    fetal_lib.readers.checks.ImageReadError: nowhere.png: no such file; an image file is needed.
    Check the path.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    start = first_bytes(path)
    if is_dicom(start):
        return read_dicom_image(path, frame)
    with damage_as(ImageReadError, path):
        try:
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise too_many_pixels(path, f"{width} x {height} pixels")
                check_frame(path, getattr(image, "n_frames", 1), frame)
                image.seek(frame or 0)
                return _gray(path, image)
        except UnidentifiedImageError as error:
            rule = f"an undamaged {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file is needed"
            raise ImageReadError.of_another_kind(path, start, rule) from error
        except Image.DecompressionBombError as error:
            raise too_many_pixels(path, "far too many pixels") from error


def _gray(path: Path, image: Image) -> np.ndarray:
    from PIL import Image as PillowImage
    from PIL import ImageOps

    is_png = image.format == "PNG"
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and is_png):
        return eight_bits(np.asarray(image))
    if image.mode in ("I", "F"):
        raise ImageReadError(
            path,
            f"32-bit pixels (mode {image.mode})",
            "pixels must be 8 or 16 bits, whose range is known",
            "Save the image as 8-bit or 16-bit gray.",
        )
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        black = PillowImage.new("RGBA", image.size, (0, 0, 0, 255))
        image = PillowImage.alpha_composite(black, image)
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    return np.asarray(image.convert("L"), np.uint8).copy()
