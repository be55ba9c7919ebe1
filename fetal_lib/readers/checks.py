"""What every reader of images and volumes refuses, and the two errors that say so."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from fetal_lib.errors import UserError, short

MAX_PIXELS = 64_000_000
MAX_VOXELS = 200_000_000
FOR_PROGRAMS = ", or pass frame=0 for the first"
"""Advice that only a caller of the library can follow."""
SAVE_FRAME = (
    "Save the frame you mean as a file of its own; `ffmpeg -ss 3.2 -i loop.mp4 -frames:v 1 "
    "frame.png` takes the one at 3.2 seconds."
)
VIDEO_MARK, VIDEO_STARTS = b"ftyp", (b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")
"""Of MP4 and MOV, from the fifth byte on; of Matroska, and of MPEG."""
SIGNATURES = (
    (b"\x1f\x8b", "a gzip archive, perhaps NIfTI"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF"),
    (b"RIFF", "a RIFF file, perhaps WebP or AVI"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file, perhaps MINC"),
    (b"NRRD", "an NRRD file"),
    (b"ObjectType", "a MetaImage file"),
    (b"\x00\x00\x07\xd7", "a FreeSurfer file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"<", "a web page or XML"),
)


class ReadError(UserError, ValueError):
    """Say which file cannot be read, what was found, the rule and the fix."""

    noun, needed, kind = "file", "a file is needed", "its own kind"

    def __init__(self, path: Path, found: str, rule: str, fix: str) -> None:
        super().__init__(f"{path}: {found}; {rule}. {fix}")
        self.path = path

    @classmethod
    def damaged(cls, path: Path, error: Exception) -> Self:
        """Return the error for a file whose content a decoder gave up on."""
        reason = short(" ".join(str(error).split()), 200) or type(error).__name__
        found = f"the data are truncated or damaged ({reason})"
        rule = f"all of the {cls.noun} must be readable"
        return cls(path, found, rule, "Copy or download the file again.")

    @classmethod
    def of_another_kind(cls, path: Path, start: bytes, rule: str) -> Self:
        """Return the error for a file whose first bytes are of something else."""
        if start[4:8] == VIDEO_MARK or start.startswith(VIDEO_STARTS):
            return cls(path, "a video", rule, SAVE_FRAME)
        kind = next((name for mark, name in SIGNATURES if start.startswith(mark)), None)
        found = kind or f"no {cls.noun}, its first bytes are {start[:8]!r}"
        return cls(path, found, rule, f"Export the scan as {cls.kind}.")


class ImageReadError(ReadError):
    """Say which image cannot be read, what was found, the rule and the fix."""

    noun, needed, kind = "image", "an image file is needed", "PNG"


class VolumeReadError(ReadError):
    """Say which volume cannot be read, what was found, the rule and the fix."""

    noun, needed, kind = "volume", "a volume is needed", "NIfTI (.nii.gz)"


@contextmanager
def damage_as(error: type[ReadError], path: Path) -> Iterator[None]:
    """Name the file when a decoder gives up, in whatever way a damaged file makes it fail."""
    try:
        yield
    except ReadError:
        raise
    except Exception as reason:
        raise error.damaged(path, reason) from reason


def first_bytes(path: Path, error: type[ReadError] = ImageReadError) -> bytes:
    """Return the first 540 bytes of a file, where its kind is written.

    Raises
    ------
    ReadError
        Of the class given, when it is missing, empty, no regular file, or may not be opened.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise error(path, "a folder", error.needed, "Name a file in it.")
        if not stat.S_ISREG(status.st_mode):
            raise error(path, "no regular file", error.needed, "Copy it to a file.")
        if status.st_size == 0:
            raise error(path, "0 bytes", error.needed, "Copy or download the file again.")
        with path.open("rb") as file:
            return file.read(540)
    except (FileNotFoundError, NotADirectoryError):
        raise error(path, "no such file", error.needed, "Check the path.") from None
    except ReadError:
        raise
    except (OSError, ValueError) as reason:
        found = f"it cannot be opened ({getattr(reason, 'strerror', None) or reason})"
        rule = "the file must be readable"
        raise error(path, found, rule, "Check its name and its permissions.") from reason


def is_dicom(start: bytes) -> bool:
    """Tell whether the first bytes of a file are those of DICOM."""
    return start[128:132] == b"DICM"


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
            f"Save the frame you mean as a file of its own{FOR_PROGRAMS}.",
        )
    if frame is not None and not 0 <= frame < n_frames:
        raise ImageReadError(
            path,
            f"{n_frames} frames, and frame={frame} was asked for",
            f"frames count from 0 to {n_frames - 1}",
            "Choose one of these.",
        )


def too_many_pixels(path: Path, found: str) -> ImageReadError:
    """Return the error for a picture that no scanner makes."""
    rule = f"at most {MAX_PIXELS / 1e6:.0f} million pixels are read"
    return ImageReadError(path, found, rule, "Give the scan itself, not a slide or a poster.")


def check_shape(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse a volume that is flat, or larger than any scan.

    Raises
    ------
    VolumeReadError
    """
    if len(shape) == 3 and min(shape) >= 2 and math.prod(shape) <= MAX_VOXELS:
        return
    raise VolumeReadError(
        path,
        f"the shape is {tuple(shape)}",
        f"three axes of at least 2 voxels, and at most {MAX_VOXELS / 1e6:.0f} million in all",
        "Give a volume, not a slice or a screen capture.",
    )
