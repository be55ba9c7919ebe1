"""Fetch a data set: pooch checks and names the files, downloads resume, archives are unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from fetal_lib.data.download import FetchError, ResumingDownloader
from fetal_lib.data.manifest import DataFile, Manifest, data_folder
from fetal_lib.data.unpack import unpack_zip

__all__ = ["FetchError", "fetch_dataset", "fetch_file"]


def _known_hash(file: DataFile) -> str:
    return f"md5:{file.md5}" if file.sha256 == "unknown" else f"sha256:{file.sha256}"


def _retrieve(file: DataFile, folder: Path, downloader: ResumingDownloader) -> None:
    import pooch

    pooch.utils.get_logger().setLevel("WARNING")
    store = pooch.create(
        path=folder,
        base_url="",
        registry={file.name: _known_hash(file)},
        urls={file.name: file.url},
    )
    store.fetch(file.name, downloader=downloader)


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
    file : the manifest's entry.
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
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.name}.part"
    for _ in range(2):
        downloader = ResumingDownloader(file, part, progress, attempts, timeout_s, pause_s)
        kept_bytes = part.stat().st_size if part.exists() else 0
        try:
            _retrieve(file, folder, downloader)
            return folder / file.name
        except ValueError as error:  # pooch's word for a wrong checksum
            if kept_bytes:  # bytes kept from an earlier run may be of another version
                continue
            raise FetchError(
                f"{file.name}: {file.bytes} bytes were received from {file.url}, but their "
                f"checksum is not {_known_hash(file)}; nothing was kept. Try again; if it "
                f"stays so, the server's file has changed and must not be used. ({error})"
            ) from error
    raise AssertionError("unreachable: the second round starts from no bytes")


def _is_unpacked(archive: Path, folder: Path) -> bool:
    with zipfile.ZipFile(archive) as zipped:
        files = [info for info in zipped.infolist() if not info.is_dir()]
    paths = [(folder / info.filename, info.file_size) for info in files]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


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
    FetchError
        If access is not open (the message says what to do by hand) or a file fails.
    ManifestError
        If FETAL_DATA is needed and not set, or `only` is no file of the set.
    """
    if manifest.access != "open":
        raise FetchError(
            f"{manifest.name}: access is by {manifest.access}; it cannot be fetched for you. "
            f"By hand: {manifest.how_to.strip()}"
        )
    files = [manifest.file(only)] if only else list(manifest.files)
    target = Path(folder).expanduser() if folder else data_folder(manifest.name)
    for file in files:
        path = fetch_file(file, target, progress)
        say(f"{file.name}: {file.bytes} bytes, checksum right")
        if file.unpack and not _is_unpacked(path, target):
            say(f"{file.name}: {len(unpack_zip(path, target))} files unpacked")
    return target
