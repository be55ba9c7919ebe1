"""Write where the time of the book's runs goes: seconds of each section, and of training in it.

A run's ``progress.jsonl`` notes when each cell begins, under which heading, and what each epoch
of a training took. A fit that was reused took no epoch: a second run of a chapter has short bars.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_book.site.jobs import run_folder
from fetal_book.site.markdown import table
from fetal_lib.files.atomic import read_json, write_text
from fetal_lib.plots.style import BLUE, GREY, VERMILION, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE = "times.png"
SHOWN = 6
"""Sections of a chapter that have a bar of their own."""
ALT = (
    "Bars of seconds, a panel a chapter, a bar a section, the longest first; the part that epochs"
    " of training took is marked. The table has the totals."
)
CAPTION = (
    "Seconds of each section of the book's runs, by the clock; dark: epochs of training. What else "
    "the machine did at that time counts, too."
)


@dataclass
class Section:
    """Hold what cells under one heading took, and the epochs of training among it, in seconds."""

    heading: str
    seconds: float = 0.0
    training: float = 0.0


def write_times(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/times.md`` with its picture."""
    runs = {chapter: read_times(run_folder(root, chapter)) for chapter in chapters}
    runs = {chapter: sections for chapter, sections in runs.items() if sections}
    generated = root / "book" / "generated"
    (generated / PICTURE).unlink(missing_ok=True)
    if not runs:
        write_text(generated / "times.md", "No chapter has been run yet.\n")
        return
    _save(times_figure(runs), generated / PICTURE)
    lines = [f"```{{figure}} generated/{PICTURE}", ":name: fig-times", f":alt: {ALT}"]
    rows = [row_of(chapter, sections, root) for chapter, sections in runs.items()]
    titles = ("Chapter", "Run", "All", "Training", "Longest section")
    words = "Seconds of the book's runs, and what of it is training."
    text = "\n".join([*lines, "", CAPTION, "```\n", table(titles, rows, words)])
    write_text(generated / "times.md", text)


def read_times(folder: Path) -> list[Section]:
    """Return the sections of a run, in its order; none where it notes no cell."""
    path = folder / "progress.jsonl"
    if not path.is_file():
        return []
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    sections: dict[str, Section] = {}
    here, since = "", 0.0
    for event in (one for one in events if "time" in one):
        now = datetime.fromisoformat(event["time"]).timestamp()
        if here:
            sections[here].seconds += now - since
        if event["event"] == "cell":
            here = event["heading"] or "start"
            sections.setdefault(here, Section(here))
        if event["event"] == "epoch" and here:
            sections[here].training += event["seconds"]
        since = now
    return list(sections.values())


def row_of(chapter: str, sections: list[Section], root: Path) -> list[str]:
    """Write one chapter's totals."""
    record = read_json(run_folder(root, chapter) / "record.json") or {}
    whole = sum(one.seconds for one in sections)
    training = sum(one.training for one in sections)
    longest = max(sections, key=lambda one: one.seconds)
    return [
        f"[{chapter[:2]}](notebooks/{chapter})",
        f"{record.get('profile', 'unknown')} on {record.get('data', 'unknown data')}",
        f"{whole:,.0f} s",
        f"{training:,.0f} s ({training / max(whole, 1e-9):.0%})",
        f"{longest.heading.replace('|', chr(92) + '|')}, {longest.seconds:,.0f} s",
    ]


def times_figure(runs: dict[str, list[Section]]) -> Figure:
    """Show a panel a chapter, a bar a section, the longest first."""
    import matplotlib.pyplot as plt

    shown = {chapter: longest_first(sections) for chapter, sections in runs.items()}
    heights = [0.5 + 0.22 * len(sections) for sections in shown.values()]
    figure, grid = plt.subplots(
        len(shown),
        figsize=(7.2, sum(heights) + 0.4),
        height_ratios=heights,
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, (chapter, sections) in zip(grid[:, 0], shown.items(), strict=True):
        places = range(len(sections))
        whole, training = ([getattr(s, k) for s in sections] for k in ("seconds", "training"))
        axes.barh(places, whole, color=GREY, alpha=0.45, label="all")
        axes.barh(places, training, color=BLUE, label="epochs of training")
        axes.set_yticks(places, [short_name(one.heading) for one in sections], size=6)
        axes.invert_yaxis()
        axes.set_title(chapter, size=8, loc="left", color=VERMILION)
        tidy(axes).grid(axis="y", visible=False)
        axes.tick_params(axis="x", labelsize=7)
    grid[-1][0].set_xlabel("seconds", size=8)
    grid[0][0].legend(fontsize=7, frameon=False, loc="lower right")
    return figure


def longest_first(sections: list[Section]) -> list[Section]:
    """Return the longest sections, and all others as one."""
    ordered = sorted(sections, key=lambda one: -one.seconds)
    rest = ordered[SHOWN:]
    if not rest:
        return ordered
    seconds, training = (sum(getattr(one, k) for one in rest) for k in ("seconds", "training"))
    return [*ordered[:SHOWN], Section(f"{len(rest)} other sections", seconds, training)]


def short_name(heading: str, most: int = 48) -> str:
    """Return a heading that fits beside its bar.

    Examples
    --------
    >>> short_name("What the source's own protocol would have reported", 20)
    "What the source's ow…"
    """
    return heading if len(heading) <= most else f"{heading[:most]}…"


def _save(figure: Figure, path: Path) -> None:
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=180)
    plt.close(figure)
