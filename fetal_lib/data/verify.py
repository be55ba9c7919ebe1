"""Check a data folder: tell its layout, report every problem at once, file by file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from fetal_lib.data.checksums import checksum_fault
from fetal_lib.data.layouts.base import Layout, Progress
from fetal_lib.data.layouts.heads import verify_heads
from fetal_lib.data.layouts.registry import detect_layout, layout_named
from fetal_lib.data.lock import LOCK_NAME, LockError, completed, read_lock
from fetal_lib.data.manifest import Manifest
from fetal_lib.data.report import FolderReport, Problem

__all__ = ["verify_dataset", "verify_files", "verify_folder", "verify_heads"]


def verify_folder(
    folder: str | Path,
    layout: str | None = None,
    progress: Progress | None = None,
    classes: Collection[str] = (),
) -> FolderReport:
    """Check a folder in one of the known layouts.

    Parameters
    ----------
    folder : what to check; nothing in it is changed.
    layout : name of the layout; None tells it from the folder.
    progress : called with (cases done, cases).
    classes : class names that are known; others become a problem. Empty accepts all.

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
    chosen = layout_named(layout) if layout else None
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is no folder; name the one that holds the data set, or a data set's name"
        )
    return _checked(chosen or detect_layout(folder), folder, progress, classes)


def verify_dataset(
    manifest: Manifest,
    folder: str | Path,
    layout: str | None = None,
    progress: Progress | None = None,
) -> FolderReport:
    """Check a data set's folder: what was published, and what lies in it.

    The layout is the manifest's, unless the folder is clearly in another one (OASIS-1 rearranged
    as BIDS) or one is named.

    Raises
    ------
    NotADirectoryError, LayoutError
        As `verify_folder`.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is no folder; `fetal-lib data fetch {manifest.name}` gets the data set or "
            "says how to"
        )
    chosen = layout_named(layout or manifest.verifier)
    if layout is None and not chosen.detect(folder):
        chosen = detect_layout(folder, chosen)
    report = _checked(chosen, folder, progress, manifest.class_names)
    published = tuple(verify_files(manifest, folder))
    known = {(problem.file, problem.kind) for problem in published}
    others = tuple(item for item in report.problems if (item.file, item.kind) not in known)
    return replace(report, problems=published + others)


def _checked(
    layout: Layout, folder: Path, progress: Progress | None, classes: Collection[str]
) -> FolderReport:
    return replace(layout.check(folder, progress, classes), layout=layout.name)


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
