"""Colours and sizes that all figures share: Okabe-Ito, readable without colour vision."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
GREY = "#6b6b6b"
PART_COLOURS = {"train": BLUE, "val": ORANGE, "test": GREEN}


def new_figure(
    n_rows: int = 1, n_columns: int = 1, height: float = 3.2, width: float = 7.2, **subplots: object
) -> tuple[Figure, object]:
    """Return a figure as wide as the page's text column, and its axes.

    Parameters
    ----------
    n_rows, n_columns : int
    height, width : float
        In inches.
    **subplots
        Handed on to :func:`matplotlib.pyplot.subplots`.
    """
    import matplotlib.pyplot as plt

    return plt.subplots(
        n_rows, n_columns, figsize=(width, height), layout="constrained", **subplots
    )


def plain_log_ticks(axis: Axis, subs: tuple[int, ...] = (1, 2, 5)) -> Axis:
    """Write few ticks of a logarithmic axis, as plain numbers; return the axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=subs, numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.3g}"))
    axis.set_minor_formatter(NullFormatter())
    return axis


def tidy(axes: Axes) -> Axes:
    """Remove the upper and right frame and lighten the grid; return the axes."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    return axes


def hide_ticks(axes: Axes) -> Axes:
    """Remove ticks, for pictures; return the axes."""
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def words_only(text: str) -> Figure:
    """Return a figure that says why there is nothing to see."""
    figure, axes = new_figure(height=1.2)
    axes.text(0.5, 0.5, text, ha="center", va="center", color=VERMILION)
    axes.set_axis_off()
    return figure
