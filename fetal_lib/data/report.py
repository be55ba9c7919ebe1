"""What a check of a data folder found."""

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


@dataclass(frozen=True)
class FolderReport:
    """Hold all problems of a folder.

    Attributes
    ----------
    folder, layout : what was checked, and as which layout.
    n_images : images, slices or volumes that the folder's table and names speak of.
    problems : every fault.

    Examples
    --------
    >>> report = FolderReport("set", 2, (Problem("1_HC.png", "missing", "not there"),))
    >>> report.ok, report.summary()
    (False, 'set: 2 images, 1 problem (1 missing)')
    """

    folder: str
    n_images: int
    problems: tuple[Problem, ...]
    layout: str = ""

    @property
    def ok(self) -> bool:
        """Return whether there is no problem."""
        return not self.problems

    def summary(self) -> str:
        """Return one line: layout, images, problems by kind."""
        kinds = Counter(problem.kind for problem in self.problems)
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        n = len(self.problems)
        found = f"{n} problem{'s' if n > 1 else ''} ({listed})" if n else "no problem"
        layout = f" (layout {self.layout})" if self.layout else ""
        return f"{self.folder}{layout}: {self.n_images} images, {found}"

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {
            "folder": self.folder,
            "layout": self.layout,
            "ok": self.ok,
            "n_images": self.n_images,
            "n_problems": len(self.problems),
            "problems": [asdict(problem) for problem in self.problems],
        }
