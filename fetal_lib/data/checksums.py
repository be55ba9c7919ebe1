"""Compare the files in a folder with a manifest's sizes and checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fetal_lib.data.manifest import UNKNOWN, DataFile


def file_digest(path: str | Path, kind: str) -> str:
    """Return the md5 or sha256 of a file as hexadecimal digits; memory does not grow with it."""
    with Path(path).open("rb") as source:
        return hashlib.file_digest(source, kind).hexdigest()


def known_hash(file: DataFile) -> str | None:
    """Return ``sha256:...`` or ``md5:...``, whichever is known, or None.

    Examples
    --------
    >>> file = DataFile(name="a", url="http://x/a", bytes=1, md5="0" * 32, sha256="unknown")
    >>> known_hash(file)
    'md5:00000000000000000000000000000000'
    """
    for kind in ("sha256", "md5"):
        if getattr(file, kind) != UNKNOWN:
            return f"{kind}:{getattr(file, kind)}"
    return None


def checksum_fault(path: str | Path, file: DataFile, origin: str = "the published file") -> str:
    """Return what is wrong with a file's size or checksum, or an empty string."""
    size = Path(path).stat().st_size
    if file.bytes not in (UNKNOWN, size):
        return f"received {size} bytes; {origin} has {file.bytes}: fetch it again"
    wanted = known_hash(file)
    if wanted is None:
        return ""
    kind, digits = wanted.split(":")
    found = file_digest(path, kind)
    if found != digits:
        return f"received {kind} {found}; {origin} has {digits}: fetch it again"
    return ""
