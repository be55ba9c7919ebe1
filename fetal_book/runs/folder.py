"""The folder of a run: which one it is, and who holds it."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.parameters.project import DATA_WORDS, public_path, runs_root, shown
from fetal_book.runs.attempt import (
    ATTEMPT,
    PREVIOUS,
    attempt_folder,
    half_records,
    previous_folder,
    result_folder,
)
from fetal_book.runs.data_sets import data_digest
from fetal_book.runs.process import same_process
from fetal_book.runs.record import RECORD_FILE, RunRecord, known_record
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import read_json

if TYPE_CHECKING:
    from filelock import FileLock

    from fetal_book.parameters.base import ChapterParameters


class RunFolderError(UserError, RuntimeError):
    """The run folder is in use, or is not a run folder."""


def data_name(data: str) -> str:
    """Return the name of a data set as files and tables carry it.

    >>> data_name("phantom"), data_name("~/My heads/"), data_name("sets/hc18")
    ('phantom', 'My-heads', 'hc18')
    >>> data_name("böse Köpfe")
    'bose-Kopfe'
    """
    plain = unicodedata.normalize("NFKD", Path(data).name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-.") or "data"


def run_folder(chapter: str, parameters: ChapterParameters) -> Path:
    """Return the folder of a run: `out`, or `runs/<chapter>/<profile>-<data name>`.

    Where a run on other data of that name has this folder, the digest of the data is added.
    """
    if parameters.out:
        return Path(parameters.out).expanduser().resolve()
    name, digest = data_name(parameters.data), data_digest(parameters.data)
    folder = runs_root() / chapter / f"{parameters.profile}-{name}"
    records = map(known_record, (folder, attempt_folder(folder)))
    others = [one for one in records if one and not same_place(one.parameters.get("data"), digest)]
    if others or (name in DATA_WORDS and parameters.data != name):
        return folder.with_name(f"{folder.name}-{digest}")
    return folder


def same_place(entry: dict[str, Any] | None, digest: str | None) -> bool:
    """Say whether a parameter's entry in a record may be of the data with this digest.

    An entry without a digest is of an older record, or of no folder.
    """
    known = (entry or {}).get("digest")
    return known is None or known == digest


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than a run, or that a run cannot replace."""
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"out: received {folder}; it must be a folder; this is a file")
    if folder.name.endswith((ATTEMPT, PREVIOUS)):
        raise RunFolderError(
            f"out: received {folder}; {ATTEMPT} and {PREVIOUS} end the names of what belongs to "
            "another run; name another folder"
        )
    if folder.is_mount() or Path.cwd().is_relative_to(folder):
        raise RunFolderError(
            f"out: received {folder}; a run is written beside its folder and takes its name, "
            f"which the working folder or a disk cannot give; name one in it: {folder / 'run'}"
        )
    for place in (folder, attempt_folder(folder), previous_folder(folder)):
        if place.is_dir() and not (place / RECORD_FILE).exists():
            others = sorted({path.name for path in place.iterdir()} - half_records(place))
            if others:
                raise RunFolderError(
                    f"out: received {folder}; it must be new, empty or an earlier run's folder; "
                    f"{place.name} holds {', '.join(others[:3])} and no {RECORD_FILE}, and a run "
                    "would write among them; name another folder"
                )


def lock_file(folder: Path) -> Path:
    """Return the file whose lock says that a run of a folder is under way."""
    return folder.with_name(f".{result_folder(folder).name}.lock")


def lock_folder(folder: Path) -> FileLock:
    """Take the folder for this process; the operating system frees it when the process ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(lock_file(folder), is_singleton=True)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0.5, poll_interval=0.1)
    except Timeout:
        record = read_json(attempt_folder(folder) / RECORD_FILE) or {}
        pid = (record.get("process") or {}).get("pid", "unknown")
        raise RunFolderError(
            f"out: {shown(folder)} is in use by another run (process {pid}); wait for it, end it, "
            "or give this run its own folder with --out (in a notebook: out)"
        ) from None
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        if isinstance(error, FileExistsError):
            words = "a part of the path is not a directory"
        raise RunFolderError(
            f"out: received {shown(folder)}; nothing can be written beside it ({words}); "
            "name another folder"
        ) from error
    return lock


def release(lock: FileLock) -> None:
    """Let go of a folder, and leave no lock file behind."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release(force=True)


@contextlib.contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Hold the folder for the length of a `with` block."""
    lock = lock_folder(folder)
    try:
        yield
    finally:
        release(lock)


def is_held(folder: Path) -> bool:
    """Say whether a living process holds the folder."""
    from filelock import FileLock, Timeout

    path = lock_file(folder)
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def is_alive(folder: Path, record: RunRecord) -> bool:
    """Say whether a run that is recorded as `running` has a living process."""
    return same_process(record.process) is not None or is_held(folder)


def public_parameters(
    parameters: ChapterParameters, origin: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return `{name: {"value", "origin"}}` as the record holds it, paths made public.

    A folder of data has its `digest`, too.
    """
    paths = parameters.path_fields()
    entries = {
        name: {
            "value": public_path(value) if name in paths else value,
            "origin": origin.get(name, "default"),
        }
        for name, value in parameters.model_dump().items()
    }
    for name in parameters.data_fields():
        if digest := data_digest(getattr(parameters, name)):
            entries[name]["digest"] = digest
    return entries
