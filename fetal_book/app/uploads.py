"""Uploaded files: bounded, read by content, removed when the request that reads them ends."""

from __future__ import annotations

import base64
import binascii
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fetal_book.app.folder import KEPT_S
from fetal_lib.errors import UserError
from fetal_lib.predict.pixel_sizes import PixelSize, PixelSizes
from fetal_lib.readers.checks import FOR_PROGRAMS
from fetal_lib.readers.image import read_gray

MAX_IMAGE_BYTES = 20_000_000
MAX_VOLUME_BYTES = 100_000_000
MAX_FILES = 200
MAX_NAME_BYTES = 150
MAX_SIDE = 2048
"""Longer images are halved until they fit; the pixel size is scaled with them."""


class UploadError(UserError, ValueError):
    """An upload cannot be used; the message is for the person who sent it."""


class ScaleNeeded(UploadError):
    """The scan is there, its scale is not yet."""


@dataclass(frozen=True)
class Added:
    """One upload of a file: when it was answered, and which file on the disk it was."""

    time_s: float
    inode: int | None


class Ledger:
    """Count who still needs an uploaded file: equal files of two users are one on the disk.

    Gradio puts an upload over an equal one before it is counted here. A file that nobody has
    counted belongs to such an upload, so whoever removes leaves it alone.
    """

    def __init__(self) -> None:
        self._added: dict[str, list[Added]] = {}
        self._lock = threading.Lock()

    def add(self, paths: Sequence[str]) -> None:
        """Note that files have been uploaded once more."""
        with self._lock:
            for path in paths:
                one = Added(time.monotonic(), inode_of(Path(path)))
                self._added.setdefault(path, []).append(one)

    def remove(self, path: Path) -> None:
        """Delete a file, unless another upload of it waits or just came.

        Its folder stays until the next sweep: an equal file may be about to be put there.
        """
        with self._lock:
            old = time.monotonic() - KEPT_S
            known = self._added.pop(str(path), [])
            waiting = [one for one in known if one.time_s > old][1:]
            if waiting:
                self._added[str(path)] = waiting
                return
            aside = path.with_name(f".{threading.get_ident()}.old")
            if not path.is_file():
                return
            with suppress(OSError):  # gone already
                path.rename(aside)
                if known and not {inode_of(aside), None} & {one.inode for one in known}:
                    aside.rename(path)
                else:
                    aside.unlink()


def inode_of(path: Path) -> int | None:
    """Return the number of the file on the disk, None where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return None


LEDGER = Ledger()


@dataclass(frozen=True)
class Upload:
    """An uploaded file, and what its owner calls it, made harmless; the name is only ever shown."""

    path: Path
    name: str

    def check_size(self, max_bytes: int) -> None:
        """Refuse a file that is gone or too large."""
        try:
            size = self.path.stat().st_size
        except OSError:
            raise UploadError(f"{self.name}: it is no longer here; upload it again.") from None
        if size > max_bytes:
            raise UploadError(
                f"{self.name}: {size / 1e6:.0f} MB; at most {max_bytes / 1e6:.0f} MB are read. "
                "Give the scan itself, not a slide or a video."
            )

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Put the owner's name for the file in place of the path in what a reader says."""
        try:
            yield
        except (ValueError, OSError) as error:
            text = str(error).replace(str(self.path), self.name).replace(FOR_PROGRAMS, "")
            raise UploadError(text) from None


def harmless_name(name: str) -> str:
    """Return a file name that can be shown, and that no spreadsheet takes for a formula.

    Of a long one the end stays, which tells pictures from volumes and volumes from masks.

    >>> harmless_name("../../=cmd|calc!A1.png"), harmless_name("C:\\\\scans\\\\a.png")
    ('cmd|calc!A1.png', 'a.png')
    >>> harmless_name(".."), harmless_name("x" * 500 + ".nii.gz")[-10:]
    ('scan', 'xxx.nii.gz')
    """
    base = re.split(r"[/\\]", str(name))[-1]
    kept = "".join(c for c in base if c.isprintable()).encode()[-MAX_NAME_BYTES:]
    bare = re.sub(r"^[=+\-@\s]+", "", kept.decode(errors="ignore"))
    return bare if bare.strip(".") else "scan"


@contextmanager
def received(payload: Any) -> Iterator[list[Upload]]:
    """Hand out the files of a request and remove them at its end, whatever happens.

    The payload is what Gradio's file box sends: a list of ``{"path", "orig_name"}``, or None.
    """
    items = payload if isinstance(payload, list) else [payload] if payload else []
    paths = [Path(item["path"]) for item in items]
    names = [item.get("orig_name") or path.name for item, path in zip(items, paths, strict=True)]
    files = [Upload(*pair) for pair in zip(paths, map(harmless_name, names), strict=True)]
    try:
        if not files:
            raise UploadError("no file came; drop one into the box.")
        if len(files) > MAX_FILES:
            raise UploadError(
                f"{len(files)} files; at most {MAX_FILES} are taken at a time. Use "
                "`fetal-lib predict` for larger sets."
            )
        yield files
    finally:
        for file in files:
            LEDGER.remove(file.path)


def read_scan(file: Upload) -> np.ndarray:
    """Read an uploaded image, uint8 (H, W)."""
    file.check_size(MAX_IMAGE_BYTES)
    with file.named_in_errors():
        return read_gray(file.path)


def pixel_size(file: Upload, sizes: PixelSizes) -> PixelSize:
    """Return the pixel size of an upload: what was typed for all, else what its file states."""
    with file.named_in_errors():
        return sizes.find(file.path)


def shrunk(scan: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a scan no longer than ``MAX_SIDE``, and how many old pixels a new one is wide.

    >>> small, factor = shrunk(np.zeros((100, 5000), np.uint8))
    >>> small.shape, factor
    ((25, 1250), 4.0)
    """
    import cv2

    factor = 1
    while max(scan.shape) / factor > MAX_SIDE:
        factor *= 2
    if factor == 1:
        return scan, 1.0
    height, width = (max(1, side // factor) for side in scan.shape)
    return cv2.resize(scan, (width, height), interpolation=cv2.INTER_AREA), float(factor)


def from_data_url(text: Any) -> np.ndarray:
    """Read the scan that the browser held for the page, uint8 (H, W)."""
    head, _, body = str(text or "").partition(",")
    if head != "data:image/png;base64" or len(body) > MAX_IMAGE_BYTES:
        raise UploadError("no scan to measure; drop one into the box first.")
    try:
        data = base64.b64decode(body, validate=True)
    except binascii.Error:
        raise UploadError("the scan was damaged on its way; drop it again.") from None
    with tempfile.NamedTemporaryFile(prefix="fetal-lib-", suffix=".png") as file:
        file.write(data)
        file.flush()
        return read_scan(Upload(Path(file.name), "scan"))
