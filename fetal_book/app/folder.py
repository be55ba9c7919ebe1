"""The folder where uploads wait: the app's own, readable for its user only, swept and removed."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "GRADIO_TEMP_DIR"
KEPT_S = 600
"""Seconds after which an upload that nobody asked about is deleted."""
_MADE: set[str] = set()


def own_folder() -> Path:
    """Return the folder for uploads; make one, which goes with the process, where there is none.

    Gradio's default is readable for everybody on the computer.
    """
    known = os.environ.get(VARIABLE)
    if known in _MADE and Path(known).is_dir():
        return Path(known)
    folder = _make(known)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def private_folder() -> Iterator[Path]:
    """Have a folder for uploads as long as the context lasts."""
    before = os.environ.get(VARIABLE)
    folder = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


def _make(parent: str | None = None) -> Path:
    if parent is not None:
        Path(parent).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="fetal-lib-app-", dir=parent)).resolve()
    os.environ[VARIABLE] = str(folder)
    _MADE.add(str(folder))
    return folder


def is_upload(path: str) -> bool:
    """Say whether a path is a file that waits in the folder."""
    try:
        place = Path(path).resolve()
        return place.is_file() and own_folder() in place.parents
    except (OSError, ValueError):
        return False


def waiting_bytes() -> int:
    """Return how much waits in the folder."""
    return sum(path.stat().st_size for path in own_folder().rglob("*") if path.is_file())


def sweep(kept_s: float = KEPT_S) -> None:
    """Delete what has not changed for so many seconds, such as uploads that broke off."""
    old = time.time() - kept_s
    for path in own_folder().rglob("*"):
        try:
            if path.stat().st_mtime < old:
                path.rmdir() if path.is_dir() else path.unlink()
        except OSError:
            continue  # a folder that holds something, or gone already
