"""Agreement of measured and true sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.regression import bland_altman
from fetal_lib.plots.boxes import draw_boxes
from fetal_lib.plots.style import BLUE, GREEN, GREY, ORANGE, VERMILION, new_figure, tidy, words_only

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_bland_altman(axes: Axes, true: np.ndarray, measured: np.ndarray, unit: str = "mm") -> Axes:
    """Draw differences over means, with bias and 95 % limits of agreement.

    Parameters
    ----------
    axes : Axes
    true, measured : ndarray, shape (N,)
    unit : str
    """
    agreement = bland_altman(true, measured)
    axes.scatter((true + measured) / 2, measured - true, s=12, color=BLUE, alpha=0.6, lw=0)
    lines = (
        (agreement.bias, "-", f"bias {agreement.bias:+.2f} {unit}"),
        (agreement.lower, "--", f"lower limit {agreement.lower:+.2f} {unit}"),
        (agreement.upper, "--", f"upper limit {agreement.upper:+.2f} {unit}"),
    )
    for value, line, label in lines:
        axes.axhline(value, ls=line, color=VERMILION, lw=1.2, label=label)
    axes.set(xlabel=f"mean of both ({unit})", ylabel=f"measured - reference ({unit})")
    axes.legend(fontsize=7, frameon=True, framealpha=0.9, loc="best")
    return tidy(axes)


def agreement_figure(true: np.ndarray, measured: np.ndarray, name: str = "HC") -> Figure:
    """Show measured over true sizes, and the Bland-Altman plot beside it, or say that none was.

    Parameters
    ----------
    true, measured : ndarray, shape (N,), mm
        Pairs of which one is NaN are left out.
    name : str
        Of what is measured.
    """
    known = np.isfinite(true) & np.isfinite(measured)
    if known.sum() < 3:
        return words_only(f"{name}: {known.sum()} of {len(known)} measured, too few for agreement")
    true, measured = np.asarray(true)[known], np.asarray(measured)[known]
    figure, (left, right) = new_figure(1, 2, height=3.3)
    low, high = min(true.min(), measured.min()), max(true.max(), measured.max())
    left.plot([low, high], [low, high], color=GREY, lw=1, label="equality")
    left.scatter(true, measured, s=12, color=BLUE, alpha=0.6, lw=0, label="test image")
    left.set(xlabel=f"reference {name} (mm)", ylabel=f"measured {name} (mm)")
    left.legend(frameon=False, fontsize=8)
    tidy(left)
    draw_bland_altman(right, true, measured)
    return figure


def error_by_group(groups: Mapping[str, np.ndarray], label: str) -> Figure:
    """Show a box plot with its points for each group.

    Parameters
    ----------
    groups : mapping of str to ndarray
        Values of each group; empty groups are left out.
    label : str
        Of the vertical axis.
    """
    import pandas as pd

    kept = {f"{name}\n(n={len(values)})": values for name, values in groups.items() if len(values)}
    rows = [(name, value) for name, values in kept.items() for value in values]
    table = pd.DataFrame(rows, columns=["group", "value"])
    figure, axes = new_figure(height=3.0)
    draw_boxes(axes, table, "group", "value", "group", dict.fromkeys(kept, BLUE))
    axes.set_ylabel(label)
    tidy(axes)
    return figure


def model_comparison(table: pd.DataFrame, label: str, log: bool = False) -> Figure:
    """Show a value of each model with its interval, a line a model.

    Parameters
    ----------
    table : DataFrame
        ``model``, ``value``, ``low``, ``high``, the best first.
    label : str
        Of the horizontal axis.
    log : bool
        Whether that axis is logarithmic; otherwise it begins at 0.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator

    n = len(table)
    figure, axes = new_figure(height=min(0.45 * n, 0.26 * n + 1.5) + 1.0)
    y = np.arange(n)[::-1]
    spread = [table["value"] - table["low"], table["high"] - table["value"]]
    spread = np.maximum(spread, 0)  # a value may lie beyond its interval
    axes.errorbar(table["value"], y, xerr=spread, fmt="o", ms=5, color=BLUE, capsize=3)
    for at, number in zip(y, table["value"], strict=True):
        axes.annotate(f"{number:.3g}", (number, at), (0, 4), textcoords="offset points", fontsize=8)
    axes.set(yticks=y, yticklabels=table["model"], xlabel=label, ylim=(-0.6, n - 0.3))
    if log:
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        wide = high > 10 * low
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(6))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    else:
        axes.set_xlim(0, None)
    return tidy(axes).figure


def interval_figure(
    true: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    cases: str,
    label: str,
    centre: np.ndarray | float = 0.0,
) -> Figure:
    """Show each prediction interval, sorted by true value, and whether the truth lies inside.

    Parameters
    ----------
    true, low, high : ndarray, shape (N,)
        Infinite intervals are not drawn.
    cases, label : str
        Of the axes: what the cases are, smallest first; what is shown, with its unit.
    centre : ndarray, shape (N,), or 0
        What intervals and truth are shown relative to, such as the prediction.
    """
    figure, axes = new_figure(height=2.9)
    order = np.argsort(true, kind="stable")
    x = np.arange(len(order))
    bottom, top, value = ((part - centre)[order] for part in (low, high, true))
    inside = (bottom <= value) & (value <= top)
    if np.isfinite(top - bottom).all():
        axes.vlines(x, bottom, top, color=ORANGE, alpha=0.45, lw=1.6, label="interval")
    axes.scatter(x[inside], value[inside], s=9, color=GREEN, label="truth inside", zorder=3)
    look = {"s": 20, "marker": "x", "color": VERMILION, "zorder": 3}
    axes.scatter(x[~inside], value[~inside], label="outside", **look)
    axes.set(xlabel=cases, ylabel=label)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    return tidy(axes).figure


def change_curves(
    share: np.ndarray, changes: Mapping[str, np.ndarray], hidden: str, change: str
) -> Figure:
    """Show how far an answer moves while parts of an image are hidden, a line an order.

    Parameters
    ----------
    share : ndarray, shape (K,)
        Share of the image that is hidden.
    changes : mapping of str to ndarray, shape (K,)
        Mean absolute change for each order of hiding.
    hidden, change : str
        Labels of the axes.
    """
    figure, axes = new_figure(height=2.8, width=5.4)
    for (name, values), colour in zip(changes.items(), (BLUE, ORANGE, GREY), strict=False):
        axes.plot(share, values, marker="o", ms=3, color=colour, label=name)
    axes.set(xlabel=hidden, ylabel=change)
    axes.legend(frameon=False, fontsize=8)
    return tidy(axes).figure
