"""Unpack an archive without trusting it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from fetal_lib.data.archive import Member, TarReader, ZipReader, open_archive
from fetal_lib.errors import UserError

CHUNK_BYTES = 1 << 20
MIN_LIMIT_BYTES = 1 << 30
LIMIT_RATIO = 20
MAX_MEMBERS = 200_000


class UnsafeArchiveError(UserError, ValueError):
    """An archive asks for something that no data set needs; nothing of it was unpacked."""


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
    if member.kind == "other":
        raise UnsafeArchiveError(
            f"{archive.name}: member {name!r} is a link or device; only files and folders are "
            "unpacked: do not use this archive, fetch it again"
        )
    if member.encrypted:
        raise UnsafeArchiveError(f"{archive.name}: member {name!r} is encrypted; none may be")


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


def _extract(reader: ZipReader | TarReader, member: Member, target: Path, name: str) -> None:
    """Write one member and count what comes out: a header may lie about the size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with reader.open(member) as source, target.open("xb") as output:
        while chunk := source.read(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise UnsafeArchiveError(
                    f"{name}: member {member.name!r} is larger than its header says"
                )
            output.write(chunk)
    if left:
        raise ValueError(
            f"{name}: not a whole zip or tar archive (member {member.name!r} ends "
            f"{left} bytes early); fetch it again"
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
    with open_archive(archive) as reader:
        files = _check(archive, reader.members(), limit)
        _check_room(archive, folder, sum(member.size for member in files))
        return _extract_all(reader, files, folder, archive.name)


def is_unpacked(archive: str | Path, folder: str | Path) -> bool:
    """Return whether every file of an archive lies in the folder with its size."""
    with open_archive(archive) as reader:
        files = [member for member in reader.members() if member.kind == "file"]
    paths = [(Path(folder) / member.name, member.size) for member in files]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _check_room(archive: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{archive.name}: needs {needed} bytes, {folder} has {free} free; make room")


def _extract_all(
    reader: ZipReader | TarReader, files: list[Member], folder: Path, name: str
) -> list[Path]:
    """Extract beside the target, then move file by file, so that no half file has its name."""
    written = []
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder) as stage:
        for member in files:
            _extract(reader, member, Path(stage) / member.name, name)
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
