"""Pictures of what size buys: scores over what they cost, and curves of training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fetal_book.published_size.networks import NETWORKS
from fetal_book.runs.results import METRICS
from fetal_lib.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    tidy,
)

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fetal_book.site.sizes import Point, Sizes

COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY)
AXES = {
    "counted": "parameters",
    "processor_s": "processor seconds of training",
    "inference_ms": "ms an image",
}
OVERLAPS = ("dice", "val_score")
FAILED = 0.8
"""Overlap below which a network's failure would leave the others no room on a linear axis."""
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
SIZE, CURVES = "sizes.png", "size_curves.png"


def size_picture(folder: Path, found: Sizes) -> str:
    """Draw scores over what they cost; return the figure as MyST Markdown, empty without points."""
    panels: dict[tuple[str, str], list[Point]] = {}
    for point in found.points:
        network = NETWORKS[point.name]
        panels.setdefault((network.chapter, network.metric), []).append(point)
    claimed = {name for name, (_, number) in found.claims.items() if number is not None}
    panels = {  # one point alone shows nothing: the table has it
        key: points
        for key, points in panels.items()
        if len(points) > 1 or claimed & {point.name for point in points}
    }
    if not panels:
        return ""
    return _kept(
        size_figure(panels, found),
        folder / SIZE,
        "fig-sizes",
        "Scores with intervals over parameters, processor seconds of training and milliseconds an"
        " image; a row a chapter, a colour a network. The table has the numbers.",
        "Score over what it costs, with 95 % intervals. Open: the narrow twin of a reference run; "
        "full: at the published width; star: what the source claims, at its own size and split.",
    )


def size_figure(panels: dict[tuple[str, str], list[Point]], found: Sizes) -> Figure:
    """Show a row a chapter and measure, a column a cost."""
    figure, grid = _grid(len(panels), len(AXES))
    for row, ((chapter, metric), points) in zip(grid, panels.items(), strict=True):
        names = list(dict.fromkeys(point.name for point in points))
        colours = dict(zip(names, COLOURS, strict=False))
        for axes, (cost, words) in zip(row, AXES.items(), strict=True):
            draw_costs(axes, points, cost, colours)
            axes.set_xlabel(words, size=7)
        for name in names:
            row[0].plot([], [], "o", color=colours[name], ms=4, label=NETWORKS[name].title)
            claim = found.claims.get(name, ("", None))[1]
            if claim is not None:
                where = NETWORKS[name].counted
                row[0].plot(where, claim, "*", color=colours[name], ms=9, mec="black", mew=0.4)
        way = "higher" if METRICS[metric].higher_is_better else "lower"
        row[0].set_ylabel(f"{chapter[:2]}: {metric}\n({way} is better)", size=7)
        row[0].legend(fontsize=5, frameon=False)
        if metric in OVERLAPS:
            _stretch_ends(row[0], [point.score["value"] for point in points])
    return figure


def draw_costs(axes: Axes, points: list[Point], cost: str, colours: dict[str, str]) -> None:
    """Draw scores over one cost, a line from the narrow network to the published one.

    A cost that no point knows has no axes.
    """
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

    for name, colour in colours.items():
        mine = [p for p in points if p.name == name and getattr(p, cost) is not None]
        x = [getattr(point, cost) for point in mine]
        axes.plot(x, [p.score["value"] for p in mine], color=colour, lw=0.8, alpha=0.6)
        for point, where in zip(mine, x, strict=True):
            ends = point.score["ci95_low"], point.score["ci95_high"]
            axes.plot([where] * 2, ends, color=colour, lw=1)
            face = "white" if point.narrow else colour
            axes.plot(where, point.score["value"], "o", ms=5, color=colour, mfc=face)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=8))
    written = EngFormatter(sep="") if cost == "counted" else FuncFormatter(lambda x, _: f"{x:,g}")
    axes.xaxis.set_major_formatter(written)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_visible(any(getattr(point, cost) is not None for point in points))
    axes.tick_params(labelsize=6)
    tidy(axes)


def curves_picture(folder: Path, found: Sizes) -> str:
    """Draw what was watched in training over images and processor seconds; empty without any."""
    watched: dict[tuple[str, str, str], list[str]] = {}
    for name, record in found.records.items():
        if record.curve:
            network = NETWORKS[name]
            watched.setdefault((network.chapter, record.data, network.watched), []).append(name)
    if not watched:
        return ""
    return _kept(
        curves_figure(dict(sorted(watched.items())), found),
        folder / CURVES,
        "fig-size-curves",
        "Curves of the measure watched on the validation part, over images seen and over processor"
        " seconds; a row a chapter and data set.",
        "What is watched while networks of the published width are trained, over images seen and "
        "over processor seconds. One that did not finish is compared where it stands, no further.",
    )


def curves_figure(watched: dict[tuple[str, str, str], list[str]], found: Sizes) -> Figure:
    """Show a row a chapter, data set and measure, over images and over seconds."""
    from matplotlib.ticker import EngFormatter

    figure, grid = _grid(len(watched), 2)
    for row, ((chapter, data, measure), names) in zip(grid, watched.items(), strict=True):
        for axes, over in zip(row, ("images", "processor_s"), strict=True):
            for name, colour in zip(names, COLOURS, strict=False):
                curve = found.records[name].curve
                y = [line[measure] for line in curve]
                title = NETWORKS[name].title
                axes.plot(
                    [line[over] for line in curve], y, ".-", ms=3, lw=1, color=colour, label=title
                )
            axes.set_xlabel("images seen" if over == "images" else "processor seconds", size=7)
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))
            axes.tick_params(labelsize=6)
            tidy(axes)
        row[0].set_ylabel(f"{chapter[:2]}: {measure}\n{data}", size=7)
        row[1].legend(fontsize=6, frameon=False)
        if measure in OVERLAPS:
            curves = [found.records[name].curve for name in names]
            _stretch_ends(row[0], [line[measure] for curve in curves for line in curve])
    return figure


def _stretch_ends(axes: Axes, values: list[float]) -> None:
    """Give overlaps near 1 room beside one that failed; an axis without a failure stays linear."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    if min(values) < FAILED:
        axes.set_yscale("logit")
        axes.yaxis.set_major_locator(FixedLocator(TICKS))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axes.set_ylabel(f"{axes.get_ylabel()}\n(axis stretched)", size=7)


def _grid(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    """Return a figure and its panels (rows, columns); those of a row share their scores."""
    import matplotlib.pyplot as plt

    size = (7.2, 0.4 + 2.1 * rows)
    return plt.subplots(
        rows, columns, figsize=size, sharey="row", squeeze=False, layout="constrained"
    )


def _kept(figure: Figure, path: Path, label: str, alt: str, caption: str) -> str:
    """Write a figure to a file; return it as MyST Markdown."""
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=180)
    plt.close(figure)
    lines = [f"```{{figure}} generated/{path.name}", f":name: {label}", f":alt: {alt}"]
    return "\n".join([*lines, "", caption, "```\n"])
