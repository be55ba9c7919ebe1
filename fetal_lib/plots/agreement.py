"""Agreement of measured and true sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.regression import bland_altman
from fetal_lib.plots.boxes import draw_boxes
from fetal_lib.plots.style import BLUE, GREEN, GREY, ORANGE, VERMILION, new_figure, tidy

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


def agreement_figure(true: np.ndarray, measured: np.ndarray) -> Figure:
    """Show measured over true HC, and the Bland-Altman plot beside it.

    Parameters
    ----------
    true, measured : ndarray, shape (N,), mm
    """
    figure, (left, right) = new_figure(1, 2, height=3.3)
    low, high = min(true.min(), measured.min()), max(true.max(), measured.max())
    left.plot([low, high], [low, high], color=GREY, lw=1, label="equality")
    left.scatter(true, measured, s=12, color=BLUE, alpha=0.6, lw=0, label="test image")
    left.set(xlabel="reference HC (mm)", ylabel="measured HC (mm)")
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


def model_comparison(table: pd.DataFrame, value: str, label: str) -> Figure:
    """Show a value of each model with its interval, on a logarithmic axis.

    Parameters
    ----------
    table : DataFrame
        ``model``, ``value``, ``low``, ``high``.
    value : str
        Column that is shown.
    label : str
    """
    from matplotlib.ticker import LogLocator, MaxNLocator

    figure, axes = new_figure(height=0.45 * len(table) + 1.0)
    y = np.arange(len(table))[::-1]
    spread = [table[value] - table["low"], table["high"] - table[value]]
    axes.errorbar(table[value], y, xerr=spread, fmt="o", color=BLUE, capsize=3)
    for at, number in zip(y, table[value], strict=True):
        axes.annotate(f"{number:.3g}", (number, at), (0, 6), textcoords="offset points", fontsize=8)
    axes.set(yticks=y, yticklabels=table["model"], xlabel=label, xscale="log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 10 * low else MaxNLocator(6))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_ylim(-0.6, len(table) - 0.3)
    tidy(axes)
    return figure


def interval_figure(
    true: np.ndarray, low: np.ndarray, high: np.ndarray, measured: np.ndarray
) -> Figure:
    """Show each prediction interval, relative to the measurement, sorted by true size.

    Parameters
    ----------
    true, low, high, measured : ndarray, shape (N,), mm
    """
    figure, axes = new_figure(height=2.8)
    order = np.argsort(true)
    x = np.arange(len(true))
    inside = ((true >= low) & (true <= high))[order]
    error = (true - measured)[order]
    axes.fill_between(
        x,
        (low - measured)[order],
        (high - measured)[order],
        color=ORANGE,
        alpha=0.3,
        lw=0,
        label="interval",
    )
    axes.scatter(x[inside], error[inside], s=10, color=GREEN, label="inside")
    axes.scatter(x[~inside], error[~inside], s=18, marker="x", color=VERMILION, label="outside")
    axes.set(xlabel="test images, smallest head first", ylabel="reference - measured (mm)")
    axes.legend(frameon=False, ncols=3, fontsize=8)
    tidy(axes)
    return figure
