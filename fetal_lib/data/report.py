"""What is wrong with a data folder: one problem, and the report that holds them all."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Name a file, the kind of its fault and what was received against which rule."""

    file: str
    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"


@dataclass(frozen=True)
class FolderReport:
    """Hold all problems of a folder.

    Attributes
    ----------
    folder, layout : what was checked, and as which layout.
    n_cases : rows that could be made of the folder's table and names.
    problems : every fault; a chapter refuses the folder for any of them.
    notes : what is left out, and what looks odd, but stops nobody.

    Examples
    --------
    >>> report = FolderReport("set", 2, (Problem("1_HC.png", "missing", "not there"),))
    >>> report.ok, report.summary()
    (False, 'set: 2 cases, 1 problem (1 missing)')
    """

    folder: str
    n_cases: int
    problems: tuple[Problem, ...]
    layout: str = ""
    notes: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether there is no problem."""
        return not self.problems

    def summary(self) -> str:
        """Return one line: layout, cases, problems and notes by kind."""
        layout = f" (layout {self.layout})" if self.layout else ""
        found = _counted(self.problems, "problem") or "no problem"
        notes = f", {_counted(self.notes, 'note')}" if self.notes else ""
        return f"{self.folder}{layout}: {self.n_cases} cases, {found}{notes}"

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {
            "folder": self.folder,
            "layout": self.layout,
            "ok": self.ok,
            "n_cases": self.n_cases,
            "n_problems": len(self.problems),
            "problems": [asdict(problem) for problem in self.problems],
            "notes": [asdict(note) for note in self.notes],
        }


def _counted(items: tuple[Problem, ...], noun: str) -> str:
    """Return ``3 problems (2 missing, 1 size)``; nothing for none."""
    kinds = Counter(item.kind for item in items)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return f"{len(items)} {noun}{'s' if len(items) > 1 else ''} ({listed})" if items else ""
