"""Fetch a data set: pooch checks and names the files, downloads resume, archives are unpacked.

A file whose checksum nobody has published is recorded when it is first there (``lock``), and what
a server sends later must equal that record.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fetal_lib.data.catalogue import data_folder
from fetal_lib.data.checksums import known_hash
from fetal_lib.data.download import FetchError, ResumingDownloader
from fetal_lib.data.lock import LockedFile, completed, read_lock, record
from fetal_lib.data.manifest import DataFile, Manifest
from fetal_lib.data.unpack import is_unpacked, unpack_archive


class AccessError(FetchError):
    """A data set cannot be fetched for the user; ``steps`` says what to do by hand."""

    def __init__(self, manifest: Manifest) -> None:
        reason = {
            "own": "it is a layout for your own data; there is nothing to fetch",
            "open": "access is open, but its files are not listed; fetch them by hand",
        }.get(manifest.access, f"access is by {manifest.access}; it cannot be fetched for you")
        steps = " ".join(f"({n}) {step}" for n, step in enumerate(manifest.how_to, start=1))
        super().__init__(f"{manifest.name}: {reason}. By hand: {steps}")
        self.reason, self.steps = reason, manifest.how_to


def _retrieve(file: DataFile, folder: Path, downloader: ResumingDownloader) -> None:
    import pooch

    pooch.utils.get_logger().setLevel("WARNING")
    pooch.retrieve(file.url, known_hash(file), file.name, folder, downloader=downloader)


def fetch_file(
    file: DataFile,
    folder: str | Path,
    progress: bool = True,
    attempts: int = 4,
    timeout_s: float = 30.0,
    pause_s: float = 1.0,
) -> Path:
    """Fetch one file of a data set into a folder, or keep it where it is whole already.

    Parameters
    ----------
    file : the manifest's entry; sums that it does not know are taken from the folder's record of
        the first fetch, or recorded now.
    folder : target folder; created.
    progress : whether a bar is drawn (on a terminal only).
    attempts, timeout_s, pause_s : see `ResumingDownloader`.

    Returns
    -------
    Path of the file. Its name exists only once size and checksum are right; until then the
    bytes lie in NAME.part, from where the next call goes on.

    Raises
    ------
    FetchError
        If the file cannot be had whole, or its checksum is wrong.
    LockError
        If the folder's record of first fetches is damaged.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    locked = read_lock(folder).get(file.name)
    wanted = completed(file, locked)
    part = folder / f"{file.name}.part"
    for _ in range(2):
        downloader = ResumingDownloader(wanted, part, progress, attempts, timeout_s, pause_s)
        kept_bytes = part.stat().st_size if part.exists() else 0
        try:
            _retrieve(wanted, folder, downloader)
        except ValueError as error:  # pooch's word for a wrong checksum
            if kept_bytes:  # bytes kept from an earlier run may be of another version
                continue
            raise FetchError(_wrong_sum(file, wanted, locked, error)) from error
        record(folder, file)
        return folder / file.name
    raise AssertionError("unreachable: the second round starts from no bytes")


def _wrong_sum(
    file: DataFile, wanted: DataFile, locked: LockedFile | None, error: Exception
) -> str:
    if not file.has_checksum and locked is not None:
        rule = (
            f"is not {known_hash(wanted)}, which was recorded on {locked.recorded} at the first "
            "fetch; nothing was kept. The server's file has changed: to accept the new one, "
            "remove its entry from .fetched.json"
        )
    else:
        rule = (
            f"is not {known_hash(wanted)}; nothing was kept. Try again; if it stays so, the "
            "server's file has changed and must not be used"
        )
    return f"{file.name}: it was received from {file.url}, but its checksum {rule}. ({error})"


def fetch_dataset(
    manifest: Manifest,
    folder: str | Path | None = None,
    only: str | None = None,
    progress: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Fetch all files of a data set, or one, and unpack its archives.

    Parameters
    ----------
    manifest : what to fetch.
    folder : target; None takes FETAL_DATA/<name>.
    only : name of the one file to fetch.
    progress : whether bars are drawn (on a terminal only).
    say : called with one line per finished step.

    Returns
    -------
    The folder.

    Raises
    ------
    AccessError
        If access is not open or no file is listed; the message says what to do by hand.
    FetchError
        If a file fails.
    ManifestError
        If FETAL_DATA is needed and not set, or `only` is no file of the set.
    """
    if manifest.access != "open" or not manifest.files:
        raise AccessError(manifest)
    files = [manifest.file(only)] if only else list(manifest.files)
    target = Path(folder).expanduser() if folder else data_folder(manifest.name)
    for file in files:
        path = fetch_file(file, target, progress)
        say(_told(file, path, read_lock(target)[file.name]))
        into = target / file.into
        if file.unpack and not is_unpacked(path, into):
            say(f"{file.name}: {len(unpack_archive(path, into))} files unpacked")
    return target


def _told(file: DataFile, path: Path, locked: LockedFile) -> str:
    line = f"{file.name}: {path.stat().st_size} bytes, "
    if file.has_checksum:
        return line + "checksum right"
    return line + f"no published checksum; sha256 {locked.sha256} recorded {locked.recorded}"
