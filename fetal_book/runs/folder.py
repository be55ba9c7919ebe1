"""The folder of a run: where it is, who holds it, what is removed when a run starts in it."""

from __future__ import annotations

import contextlib
import re
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.parameters.project import public_path, runs_root, shown
from fetal_book.runs.process import end_tree, same_process
from fetal_book.runs.record import KEEP_PREVIOUS, RECORD_FILE, RunRecord, known_record
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import read_json

if TYPE_CHECKING:
    from filelock import FileLock

    from fetal_book.parameters.base import ChapterParameters

LOCK_FILE = ".lock"
# What a run writes, and so what the next run in the same folder removes first.
OUTPUTS = ("results.json", "tables", "figures", "model", "executed.ipynb", "progress.jsonl", "logs")


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
    """Return the folder that a run writes to: `out`, or `runs/<chapter>/<profile>-<data name>`."""
    if not parameters.out:
        return runs_root() / chapter / f"{parameters.profile}-{data_name(parameters.data)}"
    return Path(parameters.out).expanduser().resolve()


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than a run."""
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"out: received {folder}; it must be a folder; this is a file")
    if folder.is_dir() and not (folder / RECORD_FILE).exists():
        others = [path.name for path in folder.iterdir() if path.name != LOCK_FILE]
        if others:
            raise RunFolderError(
                f"out: received {folder}; it must be new, empty or an earlier run's folder; "
                f"this one holds {', '.join(sorted(others)[:3])} and no {RECORD_FILE}, and a run "
                "would write among them; name another folder"
            )


def lock_folder(folder: Path) -> FileLock:
    """Take the folder for this process; the operating system frees it when the process ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK_FILE, is_singleton=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0.5, poll_interval=0.1)
    except Timeout:
        pid = ((read_json(folder / RECORD_FILE) or {}).get("process") or {}).get("pid", "unknown")
        raise RunFolderError(
            f"out: {shown(folder)} is in use by another run (process {pid}); wait for it, end it, "
            "or give this run its own folder with --out (in a notebook: out)"
        ) from None
    except OSError as error:
        raise RunFolderError(
            f"out: received {shown(folder)}; nothing can be written there "
            f"({(error.strerror or str(error)).lower()}); name another folder"
        ) from error
    return lock


@contextlib.contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Hold the folder for the length of a `with` block."""
    lock = lock_folder(folder)
    try:
        yield
    finally:
        lock.release(force=True)


def is_held(folder: Path) -> bool:
    """Say whether a living process holds the folder."""
    from filelock import FileLock, Timeout

    path = folder / LOCK_FILE
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


def take_over(folder: Path) -> list[dict[str, Any]]:
    """Clear a folder for a new run, and return the short records of earlier ones, newest first.

    The caller holds the lock. Old outputs go because a page must never pair the numbers of one
    run with the record of another; fits stay in the cache.
    """
    end_orphans(folder)
    previous: list[dict[str, Any]] = []
    record = known_record(folder)
    if record is not None:
        if record.status == "running":
            record.close("killed", "the process that ran it is gone")
            record.wall_s = None
        previous = [record.short(), *record.previous][:KEEP_PREVIOUS]
    for name in OUTPUTS:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return previous


def end_orphans(folder: Path) -> list[int]:
    """Kill the worker and the kernel of an earlier run that outlived it; return their ids."""
    ended = []
    for identified in (read_json(folder / "logs" / "processes.json") or {}).values():
        process = same_process(identified)
        if process is not None:
            end_tree(process)
            ended.append(process.pid)
    return ended


def public_parameters(
    parameters: ChapterParameters, origin: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return `{name: {"value", "origin"}}` as the record holds it, paths made public."""
    paths = parameters.path_fields()
    return {
        name: {
            "value": public_path(value) if name in paths else value,
            "origin": origin.get(name, "default"),
        }
        for name, value in parameters.model_dump().items()
    }
