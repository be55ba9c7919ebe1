"""Figure of scores with a flaw of the method and without it, all flaws below each other."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fetal_lib.plots.style import BLUE, GREY, VERMILION, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME_WIDTH = 33
"""Letters in a line of a flaw's name."""
RUNG_INCHES, EDGE_INCHES = 0.36, 0.66


@dataclass(frozen=True)
class Score:
    """Hold a number and its 95 % interval, None where it has none."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rung:
    """Hold a flaw's name and, for each kind of data that has it, the two scores.

    Attributes
    ----------
    name : str
    scores : mapping of str to (Score, Score)
        Kind of data to the score with the flaw and the one without it.
    """

    name: str
    scores: Mapping[str, tuple[Score, Score]]


def draw_score(axes: Axes, y: float, score: Score, flawed: bool) -> None:
    """Draw a number and its interval: an open diamond with the flaw, a dot without it."""
    marker, colour, face = ("D", VERMILION, "white") if flawed else ("o", BLUE, BLUE)
    if score.interval is not None:
        axes.plot(score.interval, [y, y], color=colour, lw=1.3, solid_capstyle="butt", zorder=2)
    axes.plot(score.value, y, marker, color=colour, markerfacecolor=face, ms=5, zorder=3)


def draw_rungs(axes: Axes, rungs: Sequence[Rung], kind: str) -> Axes:
    """Draw the flaws of a measure, a row each; one without scores on this kind of data says so."""
    middle = axes.get_yaxis_transform()
    for y, rung in enumerate(rungs):
        if kind not in rung.scores:
            axes.text(
                0.5, y, "no run", transform=middle, color=GREY, size=7, ha="center", va="center"
            )
            continue
        for flawed, score in zip((True, False), rung.scores[kind], strict=True):
            draw_score(axes, y + (-0.14 if flawed else 0.14), score, flawed)
    if any(kind in rung.scores for rung in rungs):
        axes.locator_params(axis="x", nbins=6)
    else:
        axes.set_xticks([])
    axes.set(ylim=(len(rungs) - 0.5, -0.5), yticks=[])
    axes.margins(x=0.08)
    axes.tick_params(axis="x", labelsize=7)
    tidy(axes).grid(axis="y", visible=False)
    return axes


def ladder_figure(panels: Mapping[str, Sequence[Rung]], kinds: Mapping[str, str]) -> Figure:
    """Show what each flaw does to its score: a panel a measure, a column a kind of data."""
    import matplotlib.pyplot as plt

    heights = [EDGE_INCHES + RUNG_INCHES * len(rungs) for rungs in panels.values()]
    figure, grid = plt.subplots(
        len(panels),
        len(kinds),
        figsize=(7.2, 0.5 + sum(heights)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for row, (measure, rungs) in zip(grid, panels.items(), strict=True):
        for axes, kind in zip(row, kinds, strict=True):
            draw_rungs(axes, rungs, kind)
            if any(kind in rung.scores for rung in rungs):
                axes.set_xlabel(measure, size=7)
        names = [textwrap.fill(rung.name, NAME_WIDTH) for rung in rungs]
        row[0].set_yticks(range(len(rungs)), names, size=7)
        row[0].tick_params(axis="y", length=0)
    for axes, words in zip(grid[0], kinds.values(), strict=True):
        axes.set_title(words, size=9)
    for flawed, words in ((True, "with the flaw"), (False, "without it")):
        draw = {"marker": "D", "color": VERMILION, "markerfacecolor": "white"}
        draw = draw if flawed else {"marker": "o", "color": BLUE}
        grid[0][0].plot([], [], ms=5, lw=1.3, label=words, **draw)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=8)
    return figure
