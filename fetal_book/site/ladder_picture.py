"""Picture of scores with a flaw of the method and without it, all flaws below each other."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.runs.results import METRICS
from fetal_book.site.claims import Flaw, Source
from fetal_book.site.shown_runs import GROUPS, ShownRun
from fetal_lib.plots.style import BLUE, GREY, VERMILION, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE = "leak_ladder.png"
ALT = (
    "Pairs of scores with intervals, a row a flaw, a panel a measure, a column a kind of data:"
    " an open diamond with the flaw, a dot without it. The tables below give every number."
)
CAPTION = (
    "What each flaw does to its score, each by one run; bars are 95 % intervals. Measures keep"
    " their own axes, and so do kinds of data. The source's number stands before the flaw."
)

NAME_WIDTH = 33
"""Letters in a line of a flaw's name."""
RUNG_INCHES, LINE_INCHES, EDGE_INCHES = 0.36, 0.13, 0.66
LOOKS = {
    "with the flaw": {"marker": "D", "color": VERMILION, "markerfacecolor": "white"},
    "without it": {"marker": "o", "color": BLUE},
}


@dataclass(frozen=True)
class Rung:
    """Hold a flaw's name and, for each kind of data that has it, its rows of results.

    Attributes
    ----------
    rows : kind of data to the row with the flaw and the one without it.
    """

    name: str
    rows: Mapping[str, tuple[dict[str, Any], dict[str, Any]]]


def scores(flaw: Flaw, run: ShownRun) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the rows with a flaw and without it; None where the run has not both."""
    flawed = run.find(flaw.flawed, flaw.metric, flaw.flawed_split)
    honest = run.find(flaw.honest, flaw.metric, flaw.honest_split)
    return None if flawed is None or honest is None else (flawed, honest)


def first_run(flaw: Flaw, runs: list[ShownRun], group: str) -> ShownRun | None:
    """Return the first run on a group of data that has the flaw."""
    return next((run for run in runs if run.group == group and scores(flaw, run)), None)


def measure_words(metric: str) -> str:
    r"""Name a metric with its unit and which way is better.

    Examples
    --------
    >>> measure_words("adf_mm")
    'absolute difference of the sizes, mm\n(lower is better)'
    """
    described = METRICS[metric]
    unit = f", {described.unit}" if described.unit else ""
    way = "higher" if described.higher_is_better else "lower"
    return f"{described.description}{unit}\n({way} is better)"


def write_ladder_picture(
    folder: Path, sources: list[Source], by_chapter: dict[str, list[ShownRun]]
) -> str:
    """Draw the flaws that a run shows into a folder, and return the figure as MyST Markdown."""
    panels: dict[str, list[Rung]] = {}
    for source in sources:
        for flaw in source.flaws:
            found = {g: first_run(flaw, by_chapter[source.chapter], g) for g in GROUPS}
            rows = {g: scores(flaw, run) for g, run in found.items() if run}
            if rows:
                floor = f" (dot: {flaw.floor})" if flaw.floor else ""
                rung = Rung(f"{flaw.origin(source)}: {flaw.flaw}{floor}", rows)
                panels.setdefault(measure_words(flaw.metric), []).append(rung)
    path = folder / PICTURE
    path.unlink(missing_ok=True)
    if not panels:
        return ""
    _save(panels, path)
    lines = [f"```{{figure}} generated/{PICTURE}", ":name: fig-leak-ladder", f":alt: {ALT}"]
    return "\n".join([*lines, "", CAPTION, "```\n"])


def _save(panels: dict[str, list[Rung]], path: Path) -> None:
    import matplotlib.pyplot as plt

    shown = {group for rungs in panels.values() for rung in rungs for group in rung.rows}
    figure = ladder_figure(panels, {g: words for g, words in GROUPS.items() if g in shown})
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)
    plt.close(figure)


def draw_score(axes: Axes, y: float, row: dict[str, Any], look: dict[str, str]) -> None:
    """Draw a number and its 95 % interval, if it has one."""
    ends = row["ci95_low"], row["ci95_high"]
    if not math.isnan(ends[0]):
        axes.plot(ends, [y, y], color=look["color"], lw=1.3, solid_capstyle="butt", zorder=2)
    axes.plot(row["value"], y, ms=5, zorder=3, **look)


def draw_rungs(axes: Axes, rungs: Sequence[Rung], kind: str) -> Axes:
    """Draw the flaws of a measure, a row each; one without scores on this kind of data says so."""
    middle = axes.get_yaxis_transform()
    for y, rung in enumerate(rungs):
        if kind not in rung.rows:
            axes.text(
                0.5, y, "no run", transform=middle, color=GREY, size=7, ha="center", va="center"
            )
            continue
        for row, look, shift in zip(rung.rows[kind], LOOKS.values(), (-0.14, 0.14), strict=True):
            draw_score(axes, y + shift, row, look)
    if any(kind in rung.rows for rung in rungs):
        axes.locator_params(axis="x", nbins=6)
    else:
        axes.set_xticks([])
    axes.set(ylim=(len(rungs) - 0.5, -0.5), yticks=[])
    axes.margins(x=0.08)
    axes.tick_params(axis="x", labelsize=7)
    tidy(axes).grid(axis="y", visible=False)
    return axes


def rung_inches(names: Sequence[str]) -> float:
    """Return the height of a row that holds the longest of names, which have line breaks."""
    return max(RUNG_INCHES, LINE_INCHES * (1 + max(name.count("\n") for name in names)) + 0.08)


def ladder_figure(panels: Mapping[str, Sequence[Rung]], kinds: Mapping[str, str]) -> Figure:
    """Show what each flaw does to its score: a panel a measure, a column a kind of data."""
    import matplotlib.pyplot as plt

    texts = [[textwrap.fill(one.name, NAME_WIDTH) for one in rungs] for rungs in panels.values()]
    heights = [EDGE_INCHES + rung_inches(names) * len(names) for names in texts]
    figure, grid = plt.subplots(
        len(panels),
        len(kinds),
        figsize=(7.2, 0.5 + sum(heights)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for row, names, (measure, rungs) in zip(grid, texts, panels.items(), strict=True):
        for axes, kind in zip(row, kinds, strict=True):
            draw_rungs(axes, rungs, kind)
            if any(kind in rung.rows for rung in rungs):
                axes.set_xlabel(measure, size=7)
        row[0].set_yticks(range(len(rungs)), names, size=7)
        row[0].tick_params(axis="y", length=0)
    for axes, words in zip(grid[0], kinds.values(), strict=True):
        axes.set_title(words, size=9)
    for words, look in LOOKS.items():
        grid[0][0].plot([], [], ms=5, lw=1.3, label=words, **look)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    return figure


def write_rung_picture(folder: Path, flaw: Flaw, run: ShownRun) -> Path:
    """Draw one flaw of a run, the score with it above the score without it; return the file."""
    import matplotlib.pyplot as plt

    rows = scores(flaw, run) or ()
    figure, axes = plt.subplots(figsize=(5.5, 1.9), layout="constrained")
    for y, (row, look) in enumerate(zip(rows, LOOKS.values(), strict=True)):
        draw_score(axes, y, row, look)
    axes.set(ylim=(1.6, -0.6), xlabel=measure_words(flaw.metric), xlim=(0, None))
    axes.set_yticks(range(len(LOOKS)), LOOKS)
    tidy(axes).grid(axis="y", visible=False)
    path = folder / "strongest_rung.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    plt.close(figure)
    return path
