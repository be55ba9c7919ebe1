"""What is wrong with a data folder: one problem, and the report that holds them all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

N_EXAMPLES = 3


@dataclass(frozen=True)
class Problem:
    """Name a file, the kind of its fault and what was received against which rule."""

    file: str
    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"

    @property
    def place(self) -> str:
        """The file, and the line of it that the message names."""
        line = re.match(r"line \d+", self.message)
        return f"{self.file} {line.group()}" if line else self.file


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

    @property
    def is_short(self) -> bool:
        """Return whether there is at most one problem and one note of each kind."""
        lists = (self.problems, self.notes)
        return all(len({one.kind for one in items}) == len(items) for items in lists)

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


def by_kind(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Return problems under their kinds, the commonest kind first."""
    kinds: dict[str, list[Problem]] = {}
    for one in problems:
        kinds.setdefault(one.kind, []).append(one)
    return dict(sorted(kinds.items(), key=lambda item: -len(item[1])))


def kind_rows(problems: Iterable[Problem]) -> list[tuple[str, str, str]]:
    """Return a row a kind: its name, how many there are, and three examples.

    The first example is told in full, the others by their place.

    Examples
    --------
    >>> kind_rows(Problem(f"{n}.png", "zero bytes", "0 bytes: copy it again") for n in range(9))
    [('zero bytes', '9', '0.png: 0 bytes: copy it again (also 1.png, 2.png)')]
    """
    rows = []
    for kind, found in by_kind(problems).items():
        places = list(dict.fromkeys(one.place for one in found[1:]))
        more = ", ".join(places[: N_EXAMPLES - 1])
        rows.append((kind, str(len(found)), f"{found[0]} (also {more})" if more else f"{found[0]}"))
    return rows


def examples(problems: Sequence[Problem]) -> list[str]:
    """Return the first three problems of each kind in full, and how many more there are of it."""
    lines = []
    for kind, found in by_kind(problems).items():
        lines += [str(one) for one in found[:N_EXAMPLES]]
        if len(found) > N_EXAMPLES:
            lines.append(f"and {len(found) - N_EXAMPLES} more of this kind ({kind})")
    return lines
