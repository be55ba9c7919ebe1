"""Read zip and tar archives through one interface: a list of members, and each one's bytes."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


@dataclass(frozen=True)
class Member:
    """Hold what an archive says about one of its members.

    Attributes
    ----------
    name : as the archive writes it; not to be trusted.
    size : bytes after unpacking; not to be trusted.
    kind : a link, device or pipe is ``other``.
    """

    name: str
    size: int
    kind: Literal["file", "folder", "other"]
    encrypted: bool
    handle: Any


class ZipReader:
    """Read a zip archive."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)

    def members(self) -> Iterator[Member]:
        """Yield the members in the archive's order."""
        for info in self._zip.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            kind = "folder" if info.is_dir() else "file"
            kind = kind if mode in (0, stat.S_IFREG, stat.S_IFDIR) else "other"
            name = info.orig_filename if "\\" in info.orig_filename else info.filename
            yield Member(name, info.file_size, kind, bool(info.flag_bits & 0x1), info)

    def open(self, member: Member) -> IO[bytes]:
        """Return a stream of a member's bytes."""
        return self._zip.open(member.handle)

    def close(self) -> None:
        """Close the archive."""
        self._zip.close()


class TarReader:
    """Read a tar archive, plain or compressed."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "r:*")

    def members(self) -> Iterator[Member]:
        """Yield the members in the archive's order; a compressed one is read on the way."""
        for info in self._tar:
            kind = "folder" if info.isdir() else "file" if info.isreg() else "other"
            yield Member(info.name, info.size, kind, False, info)

    def open(self, member: Member) -> IO[bytes]:
        """Return a stream of a member's bytes."""
        stream = self._tar.extractfile(member.handle)
        if stream is None:
            raise tarfile.TarError(f"{member.name} has no content")
        return stream

    def close(self) -> None:
        """Close the archive."""
        self._tar.close()


@contextmanager
def open_archive(path: str | Path) -> Iterator[ZipReader | TarReader]:
    """Open a zip or tar archive; the content tells which, not the name.

    Raises
    ------
    ValueError
        If it is neither, or is found to be damaged while it is read.
    """
    path = Path(path)
    try:
        reader = ZipReader(path) if zipfile.is_zipfile(path) else TarReader(path)
        try:
            yield reader
        finally:
            reader.close()
    except DAMAGE as error:
        message = f"{path}: not a whole zip or tar archive ({error}); fetch it again"
        raise ValueError(message) from error
