"""A run is written beside its folder, and takes the folder's name when it has succeeded.

``runs/04_head_circumference/smoke-phantom`` holds the last run that succeeded. The one under way,
or the last that did not succeed, is ``smoke-phantom.attempt``; the result that a newer one
replaced is kept once, as ``smoke-phantom.previous``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from fetal_book.runs.process import end_tree, same_process
from fetal_book.runs.record import KEEP_PREVIOUS, RECORD_FILE, known_record
from fetal_lib.files.atomic import read_json

ATTEMPT = ".attempt"
PREVIOUS = ".previous"
# What a run writes; anything else in its folder is a person's, and stays in the folder.
OUTPUTS = ("results.json", "tables", "figures", "model", "executed.ipynb", "progress.jsonl", "logs")


def attempt_folder(folder: Path) -> Path:
    """Return where the run of a folder is written until it has succeeded."""
    return folder.with_name(f"{folder.name}{ATTEMPT}")


def previous_folder(folder: Path) -> Path:
    """Return where the result is kept that a newer one of a folder replaced."""
    return folder.with_name(f"{folder.name}{PREVIOUS}")


def result_folder(folder: Path) -> Path:
    """Return the folder whose attempt or previous result this is; another is its own.

    >>> result_folder(Path("runs/04/smoke-phantom.attempt")).name
    'smoke-phantom'
    """
    for ending in (ATTEMPT, PREVIOUS):
        if folder.name.endswith(ending):
            return folder.with_name(folder.name.removesuffix(ending))
    return folder


def begin_attempt(folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Clear the attempt of a folder for a new run; the caller holds the lock.

    Returns
    -------
    attempt : Path
        Where the run writes; what the folder itself holds stands.
    earlier : list of dict
        Short records of earlier runs, newest first.
    """
    attempt = attempt_folder(folder)
    attempt.mkdir(exist_ok=True)
    end_orphans(attempt)
    earlier: list[dict[str, Any]] = []
    last = known_record(attempt) or known_record(folder)
    if last is not None:
        if last.status == "running":
            last.close("killed", "the process that ran it is gone")
            last.wall_s = None
        earlier = [last.short(), *last.previous][:KEEP_PREVIOUS]
    for name in (*OUTPUTS, *half_records(attempt)):
        remove(attempt / name)
    return attempt, earlier


def half_records(attempt: Path) -> set[str]:
    """Name the records half written: of a run that begins just now, or was killed as it began."""
    return {path.name for path in attempt.glob(f".{RECORD_FILE}.*.part")}


def take_name(attempt: Path) -> Path:
    """Give an attempt that succeeded its folder's name, and keep the result that it replaces.

    Two renames: a kill between them leaves the old result as previous and the new one whole as
    attempt, which `settle` then renames.
    """
    folder = result_folder(attempt)
    if folder.is_dir():
        own = {*OUTPUTS, RECORD_FILE}
        for path in list(folder.iterdir()):
            if path.name not in own and not (attempt / path.name).exists():
                path.rename(attempt / path.name)
        if (old := known_record(folder)) is not None and old.status == "ok":
            remove_run(previous_folder(folder))
            folder.rename(previous_folder(folder))
        else:
            remove_run(folder)
    attempt.rename(folder)
    return folder


def settle(folder: Path) -> None:
    """Rename an attempt that succeeded and was killed before it had its name."""
    attempt = attempt_folder(folder)
    record = known_record(attempt)
    if record is not None and record.status == "ok":
        take_name(attempt)


def remove_run(folder: Path) -> None:
    """Remove a run's folder, its record last: what is left of a cut removal is known as a run."""
    if folder.is_dir():
        for path in sorted(folder.iterdir(), key=lambda path: path.name == RECORD_FILE):
            remove(path)
        folder.rmdir()


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def end_orphans(attempt: Path) -> None:
    """Kill the worker and the kernel of an earlier run that outlived it."""
    for identified in (read_json(attempt / "logs" / "processes.json") or {}).values():
        process = same_process(identified)
        if process is not None:
            end_tree(process)


def forget_attempt(folder: Path) -> None:
    """Remove the attempt of a folder, if it has one; the caller holds the lock."""
    remove_run(attempt_folder(folder))
