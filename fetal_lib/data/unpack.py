"""Unpack an archive without trusting it.

Python's own modules read and write zip and tar; before they write anything, every member is
checked, and they write beside the target, so that no half file ever has its name.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from fetal_lib.errors import UserError

MIN_LIMIT_BYTES = 1 << 30
LIMIT_RATIO = 20
MAX_MEMBERS = 200_000
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)


class UnsafeArchiveError(UserError, ValueError):
    """An archive asks for something that no data set needs; nothing of it was unpacked."""


@dataclass(frozen=True)
class Member:
    """Hold what an archive says about one of its members; none of it is to be trusted.

    Attributes
    ----------
    name : as the archive writes it.
    size : bytes after unpacking.
    kind : "file" or "folder", or in words what else it is.
    """

    name: str
    size: int
    kind: str


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    """Open an archive; the content tells which kind it is, not the name."""
    try:
        with zipfile.ZipFile(path) if zipfile.is_zipfile(path) else tarfile.open(path) as archive:
            yield archive
    except DAMAGE as error:
        message = f"{path}: not a whole zip or tar archive ({error}); fetch it again"
        raise ValueError(message) from error


def _members(archive: zipfile.ZipFile | tarfile.TarFile) -> Iterator[Member]:
    """Yield the members in the archive's order; a compressed tar is read on the way."""
    if isinstance(archive, tarfile.TarFile):
        for info in archive:
            kind = "folder" if info.isdir() else "file" if info.isreg() else "a link or device"
            yield Member(info.name, info.size, kind)
        return
    for info in archive.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)
        kind = "folder" if info.is_dir() else "file"
        kind = kind if mode in (0, stat.S_IFREG, stat.S_IFDIR) else "a link or device"
        name = info.orig_filename if "\\" in info.orig_filename else info.filename
        yield Member(name, info.file_size, "encrypted" if info.flag_bits & 0x1 else kind)


def _check_member(archive: Path, member: Member) -> None:
    """Refuse members that would leave the folder or are anything but a file or folder."""
    name = member.name
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    outside = path.is_absolute() or windows.drive or windows.root or ".." in windows.parts
    nothing = not path.parts and member.kind != "folder"
    if outside or "\\" in name or "\0" in name or nothing:
        raise UnsafeArchiveError(
            f"{archive.name}: member {name!r} lies outside the target folder; archives of data "
            "sets hold relative paths only: do not use this archive, fetch it again"
        )
    if member.kind not in ("file", "folder"):
        raise UnsafeArchiveError(
            f"{archive.name}: member {name!r} is {member.kind}; only files and folders are "
            "unpacked: do not use this archive, fetch it again"
        )


def _check(archive: Path, members: Iterable[Member], limit_bytes: int) -> list[Member]:
    """Return the files among the members; stop at the first that is unsafe or too much."""
    kinds: dict[str, str] = {}
    files, total = [], 0
    for member in members:
        _check_member(archive, member)
        key = str(PurePosixPath(member.name)).lower()
        if key in kinds and "file" in (member.kind, kinds[key]):
            raise UnsafeArchiveError(f"{archive.name}: member {member.name!r} is listed twice")
        kinds[key] = member.kind
        total += member.size
        _check_size(archive, total, len(kinds), limit_bytes)
        if member.kind == "file":
            files.append(member)
    _check_nesting(archive, kinds)
    return files


def _check_size(archive: Path, total: int, count: int, limit_bytes: int) -> None:
    if total > limit_bytes:
        raise UnsafeArchiveError(
            f"{archive.name}: unpacks to {total} bytes or more; the limit is {limit_bytes}: check "
            "the archive by hand before you unpack it"
        )
    if count > MAX_MEMBERS:
        raise UnsafeArchiveError(
            f"{archive.name}: holds more than {MAX_MEMBERS} members; check the archive by hand"
        )


def _check_nesting(archive: Path, kinds: dict[str, str]) -> None:
    for key in kinds:
        for parent in PurePosixPath(key).parents:
            if kinds.get(str(parent)) == "file":
                raise UnsafeArchiveError(
                    f"{archive.name}: member {key!r} lies inside {str(parent)!r}, which is a file"
                )


def unpack_archive(
    archive: str | Path, folder: str | Path, limit_bytes: int | None = None
) -> list[Path]:
    """Unpack a zip or tar archive: every member is checked before the first is written.

    Parameters
    ----------
    archive : the zip or tar file; a tar may be compressed.
    folder : target; files of the same name are replaced, others stay.
    limit_bytes : largest total size; None takes 20 times the archive, at least 1 GiB.

    Returns
    -------
    The files that were written.

    Raises
    ------
    UnsafeArchiveError
        If a member lies outside the folder, is a link, is listed twice or is too large.
    ValueError
        If the file is no archive or a member's checksum is wrong.
    """
    archive, folder = Path(archive), Path(folder)
    limit = limit_bytes or max(MIN_LIMIT_BYTES, LIMIT_RATIO * archive.stat().st_size)
    folder.mkdir(parents=True, exist_ok=True)
    with _opened(archive) as content:
        files = _check(archive, _members(content), limit)
        _check_room(archive, folder, sum(member.size for member in files))
        return _extract(content, files, folder)


def is_unpacked(archive: str | Path, folder: str | Path) -> bool:
    """Return whether every file of an archive lies in the folder with its size."""
    with _opened(Path(archive)) as content:
        files = [member for member in _members(content) if member.kind == "file"]
    paths = [(Path(folder) / member.name, member.size) for member in files]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _check_room(archive: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{archive.name}: needs {needed} bytes, {folder} has {free} free; make room")


def _extract(
    content: zipfile.ZipFile | tarfile.TarFile, files: list[Member], folder: Path
) -> list[Path]:
    """Extract beside the target, then move file by file."""
    options = {"filter": "data"} if isinstance(content, tarfile.TarFile) else {}
    written = []
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder) as stage:
        content.extractall(stage, **options)
        for member in files:
            target = folder / member.name
            _refuse_links(target, folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(stage) / member.name).replace(target)
            written.append(target)
    return written


def _refuse_links(target: Path, folder: Path) -> None:
    for parent in target.parents:
        if parent == folder:
            return
        if parent.is_symlink():
            raise UnsafeArchiveError(f"{parent} is a link; unpack into a folder without links")
