"""Read one ultrasound image as gray values, whatever way it was saved.

PNG, JPEG, TIFF and BMP; bilevel, gray, palette, colour, with or without transparency, 8 or 16
bits; DICOM by ``dicom_image``. The content tells the kind, not the name's ending. What cannot be
read for certain is refused with the file's name, never guessed.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
MAX_PIXELS = 64_000_000
BIT_DEPTHS = (8, 10, 12, 14, 16)
SIGNATURES = (
    (b"\x1f\x8b", "a gzip archive, perhaps NIfTI"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF"),
    (b"GIF8", "a GIF"),
    (b"RIFF", "a RIFF file, perhaps WebP or AVI"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"<", "a web page or XML"),
)


class ImageReadError(UserError, ValueError):
    """Say which image cannot be read, what was found, the rule and the fix."""

    def __init__(self, path: Path, found: str, rule: str, fix: str) -> None:
        super().__init__(f"{path}: {found}; {rule}. {fix}")
        self.path = path


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
    fetal_lib.readers.image.ImageReadError: nowhere.png: no such file; an image file is needed.
    Check the path.
    """
    path = Path(path)
    if first_bytes(path)[128:132] == b"DICM":
        from fetal_lib.readers.dicom_image import read_dicom_image

        return read_dicom_image(path, frame).image
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=FORMATS) as image:
            _check_header(path, image)
            _choose_frame(path, image, frame)
            return _gray(path, image)
    except ImageReadError:
        raise
    except UnidentifiedImageError as error:
        raise _not_an_image(path) from error
    except Image.DecompressionBombError as error:
        raise too_large(path, "far too many pixels") from error
    except Exception as error:  # a damaged file makes a decoder fail in any way at all
        raise damaged(path, error) from error


def first_bytes(path: Path) -> bytes:
    """Return the first 132 bytes of a file, where its kind is written.

    Raises
    ------
    ImageReadError
        When it is missing, empty, no regular file, or may not be opened.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ImageReadError(
            path, "no such file", "an image file is needed", "Check the path."
        ) from None
    except (OSError, ValueError) as error:
        raise _not_opened(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise ImageReadError(path, "a folder", "an image file is needed", "Name a file in it.")
    if not stat.S_ISREG(status.st_mode):
        raise ImageReadError(
            path, "no regular file", "an image file is needed", "Copy it to a file."
        )
    if status.st_size == 0:
        raise ImageReadError(
            path, "0 bytes", "an image file is needed", "Copy or download the file again."
        )
    try:
        with path.open("rb") as file:
            return file.read(132)
    except OSError as error:
        raise _not_opened(path, error) from error


def check_frame(path: Path, n_frames: int, frame: int | None) -> None:
    """Refuse to choose a frame for the user, and a frame that is not there.

    Raises
    ------
    ImageReadError
        When ``frame`` is None and there are several, or it is outside 0 to ``n_frames - 1``.
    """
    if frame is None and n_frames > 1:
        raise ImageReadError(
            path,
            f"{n_frames} frames",
            "one image is needed and none is chosen for you",
            "Save the frame you mean as a file of its own, or pass frame=0 for the first.",
        )
    if frame is not None and not 0 <= frame < n_frames:
        raise ImageReadError(
            path,
            f"{n_frames} frames, and frame={frame} was asked for",
            f"frames count from 0 to {n_frames - 1}",
            "Choose one of these.",
        )


def luma(colour: np.ndarray) -> np.ndarray:
    """Turn colour into gray: 0.299 R + 0.587 G + 0.114 B (ITU-R 601-2).

    Parameters
    ----------
    colour : uint8 array (H, W, 3)

    Returns
    -------
    uint8 array (H, W)
    """
    from PIL import Image

    return np.asarray(Image.fromarray(colour).convert("L"), np.uint8).copy()


def eight_bits(values: np.ndarray, max_bits: int = 16) -> np.ndarray:
    """Divide whole numbers down to 0-255 from the smallest usual depth that holds them.

    Parameters
    ----------
    values : integer array, any shape, 0 or above.
    max_bits : int
        Depth that is taken when no smaller one of 8, 10, 12 and 14 holds the largest value.

    Returns
    -------
    uint8 array of the same shape
    """
    largest = int(values.max())
    bits = next((b for b in BIT_DEPTHS if b < max_bits and largest < 2**b), max_bits)
    if bits > 8:
        values = np.round(values * (255 / (2**bits - 1)))
    return values.clip(0, 255).astype(np.uint8)


def damaged(path: Path, error: Exception) -> ImageReadError:
    """Return the error for a file whose content a decoder gave up on."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ImageReadError(
        path,
        f"the image data are truncated or damaged ({reason})",
        "all of the picture must be readable",
        "Copy or download the file again.",
    )


def too_large(path: Path, found: str) -> ImageReadError:
    """Return the error for a picture that no scanner makes."""
    rule = f"at most {MAX_PIXELS / 1e6:.0f} million pixels are read"
    return ImageReadError(path, found, rule, "Give the scan itself, not a slide or a poster.")


def _not_opened(path: Path, error: Exception) -> ImageReadError:
    reason = getattr(error, "strerror", None) or str(error)
    return ImageReadError(
        path,
        f"it cannot be opened ({reason})",
        "the file must be readable",
        "Check its name and its permissions.",
    )


def _check_header(path: Path, image: Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise too_large(path, f"{width} x {height} pixels")


def _choose_frame(path: Path, image: Image, frame: int | None) -> None:
    check_frame(path, getattr(image, "n_frames", 1), frame)
    if frame:
        image.seek(frame)


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


def _not_an_image(path: Path) -> ImageReadError:
    start = first_bytes(path)
    kind = next((name for mark, name in SIGNATURES if start.startswith(mark)), None)
    found = kind or f"no image, its first bytes are {start[:8]!r}"
    return ImageReadError(
        path,
        found,
        f"an undamaged {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file is needed",
        "Export the scan as PNG.",
    )
