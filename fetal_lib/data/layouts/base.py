"""What every layout's check shares: its description, and the walk over its cases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fetal_lib.data.report import FolderReport, Problem

Progress = Callable[[int, int], None]
Case = TypeVar("Case")
SCAN_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".nii", ".nii.gz")
PARTS = ("train", "training", "valid", "val", "validation", "test", "testing")


@dataclass(frozen=True)
class Layout:
    """Describe a folder layout.

    Attributes
    ----------
    name : what ``--layout`` takes and a manifest's ``verifier`` holds.
    holds : what a folder of it contains, in a few words.
    detect : whether a folder looks like it; opens no image.
    check : (folder, progress, class names that are known) to the report with every problem.
    """

    name: str
    holds: str
    detect: Callable[[Path], bool]
    check: Callable[[Path, Progress | None, Collection[str]], FolderReport]


def walk(
    cases: Iterable[Case],
    check: Callable[[Case], list[Problem]],
    progress: Progress | None = None,
) -> list[Problem]:
    """Check case after case and return all problems; memory holds one case at a time."""
    total = len(cases) if isinstance(cases, Sized) else 0
    problems: list[Problem] = []
    for done, case in enumerate(cases, start=1):
        problems += check(case)
        if progress is not None:
            progress(done, total)
    return problems


def relative(path: Path, folder: Path) -> str:
    """Return a path as it is written in reports: below the folder, parted by ``/``."""
    return path.relative_to(folder).as_posix()


def visible(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that match, sorted, without hidden ones.

    Broken links count, and so do folders that are named as a scan: both are told as problems.
    """
    if not folder.is_dir():
        return []
    found = (path for path in folder.glob(pattern) if not path.is_dir() or _is_named_as_scan(path))
    return sorted(path for path in found if not _hidden(path.relative_to(folder)))


def _is_named_as_scan(path: Path) -> bool:
    return path.name.lower().endswith(SCAN_ENDINGS)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def not_listed(paths: Iterable[Path], folder: Path, table: str) -> list[Problem]:
    """Return a problem for each file that the table does not name."""
    message = f"not in {table}; list it there or remove it"
    return [Problem(relative(path, folder), "not listed", message) for path in paths]
