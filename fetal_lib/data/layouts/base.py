"""What every layout shares: what it finds in a folder, its description, and its lists of files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.data.bad_files import BadFilesError, FileFault, find_file
from fetal_lib.data.report import Problem

if TYPE_CHECKING:
    import pandas as pd

SCAN_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".nii", ".nii.gz")
PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
PARTS |= {"valid": "val", "val": "val", "validation": "val"}
MAX_REASONS = 10


@dataclass
class Found:
    """Collect what lies in a folder: its cases, and what is wrong with it.

    Attributes
    ----------
    folder : Path
    cases : list of dict
        One a case; the columns are the layout's.
    problems : list of Problem
        What must be repaired before a chapter reads the folder.
    notes : list of Problem
        What is left out, with the reason, and what looks odd; it stops nobody.
    """

    folder: Path
    cases: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    @property
    def rows(self) -> pd.DataFrame:
        """The cases as a table, one row a case."""
        import pandas as pd

        return pd.DataFrame(self.cases)

    def problem(self, file: str, kind: str, message: str) -> None:
        """Add what must be repaired."""
        self.problems.append(Problem(file, kind, message))

    def note(self, file: str | Path, kind: str, message: str) -> None:
        """Add what is left out, or looks odd; a path is told from the folder on."""
        name = relative(file, self.folder) if isinstance(file, Path) else file
        self.notes.append(Problem(name, kind, message))

    def note_unlisted(self, paths: Iterable[Path], table: str) -> None:
        """Add files that the table does not name."""
        for path in paths:
            self.note(path, "not listed", f"not in {table}; list it there or remove it")

    def file(self, name: str, table: str, below: str = "") -> Path | None:
        """Return the file that a table names, or None after saying what is wrong with it."""
        try:
            return find_file(self.folder / below, name)
        except FileFault as error:
            one = error.problem
            if one.kind == "file name":
                self.problem(table, one.kind, str(one))
            else:
                file = f"{below}/{name}" if below else name
                self.problem(file, one.kind, f"{one.message}; {table} names it")
            return None

    def usable(self) -> pd.DataFrame:
        """Return the rows of a sound folder.

        Raises
        ------
        BadFilesError
            A ValueError that names every problem; a folder without any case is one.
        """
        problems = self.problems or self.emptiness()
        if problems:
            list_all = f"`fetal-lib data verify {shlex.quote(str(self.folder))}` lists them all"
            raise BadFilesError(f"data={str(self.folder)!r}", problems, list_all)
        return self.rows

    def emptiness(self) -> list[Problem]:
        """Return the problem of a folder without any case, with why some were left out."""
        if self.cases:
            return []
        reasons = "; ".join(map(str, self.notes[:MAX_REASONS])) or "nothing of the layout in it"
        return [Problem(self.folder.name, "empty", f"no case that can be used ({reasons})")]


@dataclass(frozen=True)
class Roles:
    """Name the columns that an audit asks about.

    Attributes
    ----------
    labels : the first one that every row knows is the label.
    group : what must stay on one side of a split.
    part, source, metadata : taken where they have more than one value.
    """

    labels: tuple[str, ...]
    group: str = "subject"
    part: str = ""
    source: str = ""
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Describe a folder layout.

    Attributes
    ----------
    name : what ``--layout`` takes and a manifest's ``verifier`` holds.
    holds : what a folder of it contains, in a few words.
    detect : whether a folder looks like it; opens no image.
    find : a folder's cases and problems; opens no image.
    read : what a row's files hold, or a ValueError that names the bad ones.
    look : what is odd in a row that was read; it stops nobody.
    roles : what an audit asks about; None where there is no label.
    """

    name: str
    holds: str
    detect: Callable[[Path], bool]
    find: Callable[[Path], Found]
    read: Callable[[Any], Any]
    look: Callable[[Any, Any], Sequence[Problem]] | None = None
    roles: Roles | None = None


def relative(path: Path, folder: Path) -> str:
    """Return a path as it is written in reports: below the folder, parted by ``/``."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def visible(folder: Path, pattern: str, endings: Sequence[str] = ()) -> list[Path]:
    """Return the files below a folder that match, by the numbers in their names, no hidden ones.

    Broken links count, and so do folders that are named as a scan: both are told as problems.

    Parameters
    ----------
    folder : Path
    pattern : str
    endings : sequence of str
        What a name ends in, in lower case; empty takes all.
    """
    if not folder.is_dir():
        return []
    found = (path for path in folder.glob(pattern) if not path.is_dir() or _is_named_as_scan(path))
    found = (path for path in found if not _hidden(path.relative_to(folder)))
    ended = (path for path in found if not endings or path.name.lower().endswith(tuple(endings)))
    return sorted(ended, key=natural)


def natural(path: Path) -> list[list[tuple[bool, int, str]]]:
    """Return a key that sorts ``slice_2`` before ``slice_10``, folder by folder."""
    parts = [re.split(r"(\d+)", part.casefold()) for part in path.parts]
    return [
        [(text.isdigit(), int(text) if text.isdigit() else 0, text) for text in part]
        for part in parts
    ]


def part_folders(folder: Path) -> list[tuple[Path, str]]:
    """Return the parts of a split that a folder is divided into, each with its name here."""
    places = sorted(folder.iterdir()) if folder.is_dir() else []
    return [(path, PARTS[path.name.lower()]) for path in places if _is_part(path)]


def is_plain_name(name: str) -> bool:
    """Return whether a name is that of a file or folder right here."""
    return bool(name) and Path(name).name == name and "\\" not in name and name not in (".", "..")


def _is_part(path: Path) -> bool:
    return path.name.lower() in PARTS and path.is_dir()


def _is_named_as_scan(path: Path) -> bool:
    return path.name.lower().endswith(SCAN_ENDINGS)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
