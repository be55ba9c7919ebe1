"""Check a data folder: tell its layout, report every problem at once, file by file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from fetal_lib.data.bad_files import problems_of
from fetal_lib.data.checksums import checksum_fault
from fetal_lib.data.layouts.base import Layout, relative
from fetal_lib.data.layouts.registry import detect_layout, layout_named
from fetal_lib.data.lock import LOCK_NAME, LockError, completed, read_lock
from fetal_lib.data.manifest import Manifest
from fetal_lib.data.report import FolderReport, Problem

Progress = Callable[[int, int], None]


def verify_folder(
    folder: str | Path,
    manifest: Manifest | None = None,
    layout: str | None = None,
    progress: Progress | None = None,
) -> FolderReport:
    """Check a folder: what was published of a data set, and what lies in the folder.

    Parameters
    ----------
    folder : what to check; nothing in it is changed.
    manifest : of the data set that the folder holds, where it is known.
    layout : name of the layout; None tells it from the manifest and the folder.
    progress : called with (cases done, cases).

    Returns
    -------
    FolderReport with every problem.

    Raises
    ------
    NotADirectoryError
        If the folder does not exist.
    LayoutError
        If the layout is unknown, or cannot be told from the folder.
    """
    folder = Path(folder).expanduser()
    report = _checked(choose_layout(folder, manifest, layout), folder, progress)
    published = () if manifest is None else tuple(verify_files(manifest, folder))
    known = {(problem.file, problem.kind) for problem in published}
    others = tuple(item for item in report.problems if (item.file, item.kind) not in known)
    return replace(report, problems=published + others)


def choose_layout(
    folder: Path, manifest: Manifest | None = None, name: str | None = None
) -> Layout:
    """Return the layout of that name, else the manifest's, else the one that the folder shows.

    A folder that is clearly in another layout than its manifest's is taken as what it is, such as
    OASIS-1 rearranged as BIDS.

    Raises
    ------
    NotADirectoryError, LayoutError
        As `verify_folder`.
    """
    stated = name or (manifest.verifier if manifest else None)
    chosen = layout_named(stated) if stated else None
    if not folder.is_dir():
        fix = "name the one that holds the data set, or a data set's name"
        if manifest is not None:
            fix = f"`fetal-lib data fetch {manifest.name}` gets the data set or says how to"
        raise NotADirectoryError(f"{folder} is no folder; {fix}")
    if chosen is not None and (name or chosen.detect(folder)):
        return chosen
    return detect_layout(folder, chosen)


def _checked(layout: Layout, folder: Path, progress: Progress | None) -> FolderReport:
    """Find the cases of a folder as a chapter does, and read every one of them."""
    found = layout.find(folder)
    problems, notes = found.problems or found.emptiness(), list(found.notes)
    rows = list(found.rows.itertuples(index=False))
    for done, row in enumerate(rows, start=1):
        try:
            content = layout.read(row)
            notes += layout.look(row, content) if layout.look else []
            del content  # one case in memory at a time
        except (ValueError, OSError) as error:
            problems += problems_of(error)
        if progress is not None:
            progress(done, len(rows))
    told = (tuple(_below(items, folder)) for items in (problems, notes))
    problems, notes = told
    return FolderReport(str(folder), len(rows), problems, layout.name, notes)


def _below(problems: Iterable[Problem], folder: Path) -> list[Problem]:
    """Return problems with their files told from the folder on, each once."""
    told = [replace(one, file=relative(Path(one.file), folder)) for one in problems]
    return list(dict.fromkeys(told))


def verify_files(manifest: Manifest, folder: str | Path) -> list[Problem]:
    """Return a problem for each published file that lies in the folder and was altered.

    Sums that the manifest does not know are taken from the folder's record of the first fetch.
    """
    folder = Path(folder)
    try:
        locked = read_lock(folder)
    except LockError as error:
        return [Problem(LOCK_NAME, "unreadable", str(error))]
    problems = []
    for file in manifest.files:
        path = folder / file.name
        origin = "the published file" if file.has_checksum else "the file first fetched"
        wanted = completed(file, locked.get(file.name))
        if path.is_file() and (fault := checksum_fault(path, wanted, origin)):
            problems.append(Problem(path.name, "checksum", fault))
    return problems
