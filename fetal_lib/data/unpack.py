"""Unpack a zip archive without trusting it."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

CHUNK_BYTES = 1 << 20
MIN_LIMIT_BYTES = 1 << 30
LIMIT_RATIO = 20


class UnsafeArchiveError(ValueError):
    """An archive asks for something that no data set needs; nothing of it was unpacked."""


def _check_member(archive: Path, info: zipfile.ZipInfo) -> None:
    """Refuse members that would leave the folder or are anything but a file or folder."""
    name = info.filename
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    outside = path.is_absolute() or windows.drive or windows.root or ".." in windows.parts
    if outside or "\\" in info.orig_filename or "\0" in name or not path.parts:
        raise UnsafeArchiveError(
            f"{archive.name}: member {name!r} lies outside the target folder; archives of data "
            "sets hold relative paths only: do not use this archive, fetch it again"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchiveError(
            f"{archive.name}: member {name!r} is a link or device (mode {kind:#o}); only files "
            "and folders are unpacked: do not use this archive, fetch it again"
        )
    if info.flag_bits & 0x1:
        raise UnsafeArchiveError(f"{archive.name}: member {name!r} is encrypted; none may be")


def _check(archive: Path, members: list[zipfile.ZipInfo], limit_bytes: int) -> None:
    seen: set[str] = set()
    for info in members:
        _check_member(archive, info)
        key = str(PurePosixPath(info.filename)).lower()
        if key in seen:
            raise UnsafeArchiveError(f"{archive.name}: member {info.filename!r} is listed twice")
        seen.add(key)
    total = sum(info.file_size for info in members)
    if total > limit_bytes:
        raise UnsafeArchiveError(
            f"{archive.name}: unpacks to {total} bytes; the limit is {limit_bytes}: check the "
            "archive by hand before you unpack it"
        )


def _extract(zipped: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """Write one member and count what comes out: a header may lie about the size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with zipped.open(info) as source, target.open("xb") as output:
        while chunk := source.read(CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise UnsafeArchiveError(
                    f"{zipped.filename}: member {info.filename!r} is larger than its header says"
                )
            output.write(chunk)


def unpack_zip(
    archive: str | Path, folder: str | Path, limit_bytes: int | None = None
) -> list[Path]:
    """Unpack a zip archive into a folder: every member is checked before the first is written.

    Parameters
    ----------
    archive : the zip file.
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
        If the file is no zip archive or a member's checksum is wrong.
    """
    archive, folder = Path(archive), Path(folder)
    limit = limit_bytes or max(MIN_LIMIT_BYTES, LIMIT_RATIO * archive.stat().st_size)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = zipped.infolist()
            _check(archive, members, limit)
            files = [info for info in members if not info.is_dir()]
            _check_room(archive, folder, sum(info.file_size for info in files))
            return _extract_all(zipped, files, folder)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive}: not a whole zip archive ({error}); fetch it again") from error


def _check_room(archive: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f"{archive.name}: needs {needed} bytes, {folder} has {free} free; make room")


def _extract_all(zipped: zipfile.ZipFile, files: list[zipfile.ZipInfo], folder: Path) -> list[Path]:
    """Extract beside the target, then move file by file, so that no half file has its name."""
    written = []
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder) as stage:
        for info in files:
            _extract(zipped, info, Path(stage) / info.filename)
        for info in files:
            target = folder / info.filename
            _refuse_links(target, folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(stage) / info.filename).replace(target)
            written.append(target)
    return written


def _refuse_links(target: Path, folder: Path) -> None:
    for parent in target.parents:
        if parent == folder:
            return
        if parent.is_symlink():
            raise UnsafeArchiveError(f"{parent} is a link; unpack into a folder without links")
