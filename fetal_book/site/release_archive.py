"""Pack files so that the same content gives the same bytes: sorted, one time, no owner."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fetal_lib.files.atomic import write_bytes

SUMS = "SHA256SUMS"


def folder_files(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder by their paths below it, hidden ones too."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def file_entries(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Return `path`, `bytes` and `sha256` of each file, sorted by path.

    Examples
    --------
    >>> entry, = file_entries({"a.txt": b"text"})
    >>> entry["path"], entry["bytes"], entry["sha256"][:8]
    ('a.txt', 4, '982d9e3e')
    """
    return [
        {"path": name, "bytes": len(files[name]), "sha256": sha256(files[name])}
        for name in sorted(files)
    ]


def sha256(content: bytes) -> str:
    """Return the sha256 of some bytes, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def pack(files: Mapping[str, bytes], top: str, time: int) -> bytes:
    """Pack files below a folder of an archive, all of one time: same content, same bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", compresslevel=9, fileobj=packed, mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(files):
                member = tarfile.TarInfo(f"{top}/{name}")
                member.size, member.mtime, member.mode = len(files[name]), time, 0o644
                archive.addfile(member, io.BytesIO(files[name]))
    return packed.getvalue()


def write_sums(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write SHA256SUMS of a folder's files, given as name to content, for `sha256sum --check`."""
    lines = [f"{sha256(content)}  {name}\n" for name, content in files.items()]
    write_bytes(folder / SUMS, "".join(lines).encode("utf-8"))
