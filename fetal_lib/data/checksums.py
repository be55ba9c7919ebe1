"""Compare the files in a folder with a manifest's sizes and checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fetal_lib.data.manifest import DataFile


def file_digest(path: str | Path, kind: str) -> str:
    """Return the md5 or sha256 of a file as hexadecimal digits."""
    with Path(path).open("rb") as source:
        return hashlib.file_digest(source, kind).hexdigest()


def checksum_fault(path: str | Path, file: DataFile) -> str:
    """Return what is wrong with a file's size or checksum, or an empty string."""
    size = Path(path).stat().st_size
    if size != file.bytes:
        return f"received {size} bytes; the published file has {file.bytes}: fetch it again"
    kind = "md5" if file.sha256 == "unknown" else "sha256"
    wanted = file.md5 if kind == "md5" else file.sha256
    found = file_digest(path, kind)
    if found != wanted:
        return f"received {kind} {found}; the published file has {wanted}: fetch it again"
    return ""
