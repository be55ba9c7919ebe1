"""Heads and weights on their growth charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.growth import hadlock, intergrowth_size, intergrowth_weight
from fetal_lib.growth.examination import MACROSOMIA_G
from fetal_lib.plots.style import BLUE, GREEN, GREY, ORANGE, VERMILION, new_figure, tidy, words_only

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CENTILE_Z = {"3rd": -1.8808, "10th": -1.2816, "50th": 0.0, "90th": 1.2816, "97th": 1.8808}
HEAD_WEEKS, WEIGHT_WEEKS = (14, 40), (22, 40)


def draw_centiles(
    axes: Axes,
    weeks: np.ndarray,
    size_at: Callable[[np.ndarray, float], np.ndarray],
    shown: Sequence[str],
    named: Sequence[str],
) -> Axes:
    """Draw INTERGROWTH-21st centiles over gestational age.

    Parameters
    ----------
    axes : Axes
    weeks : ndarray, shape (N,)
        Rising; the names stand at its end.
    size_at : callable
        From weeks and a z-score to sizes, shape (N,).
    shown, named : sequences of str
        Of ``CENTILE_Z``: which are drawn, and which of them carry their name.
    """
    for name in shown:
        z = CENTILE_Z[name]
        line = size_at(weeks, z)
        axes.plot(weeks, line, color=BLUE, lw=1.6 if z == 0 else 0.8)
        if name in named:
            axes.annotate(name, (weeks[-1] + 0.1, line[-1]), fontsize=7, va="center", color=BLUE)
    axes.plot([], [], color=BLUE, label="INTERGROWTH-21st centiles")
    axes.set(xlabel="gestational age (weeks)", xlim=(weeks[0] - 0.5, weeks[-1] + 1.5))
    return tidy(axes)


def head_growth_chart(ga_weeks: np.ndarray, hc_mm: np.ndarray, label: str) -> Figure:
    """Show head circumferences on INTERGROWTH-21st centiles, Hadlock's median beside them.

    Parameters
    ----------
    ga_weeks : ndarray, shape (N,)
        Age known otherwise than from the head; may be empty.
    hc_mm : ndarray, shape (N,)
    label : str
        Of the points in the legend.
    """
    weeks = np.linspace(*HEAD_WEEKS, 105)
    figure, axes = new_figure(height=3.6)
    size_at = partial(intergrowth_size.size_mm, "HC")
    draw_centiles(axes, weeks, size_at, tuple(CENTILE_Z), ("3rd", "50th", "97th"))
    median = hadlock.hc_mm(weeks)
    axes.plot(weeks, median, "--", color=VERMILION, lw=1.2, label="Hadlock 1984, 50th")
    if len(ga_weeks):
        axes.scatter(ga_weeks, hc_mm, s=12, color=ORANGE, alpha=0.8, lw=0, zorder=3, label=label)
    axes.set_ylabel("head circumference (mm)")
    axes.legend(frameon=False, fontsize=8)
    return figure


def weight_chart(biometry: pd.DataFrame) -> Figure:
    """Show estimated weights over known age on centiles, by annotation and by measurement.

    Parameters
    ----------
    biometry : DataFrame
        ``ga_days, efw_true_g, efw_measured_g``; rows without an age or a weight are left out.
        Without any row the figure says so.
    """
    needed = ["ga_days", "efw_true_g", "efw_measured_g"]
    kept = biometry.reindex(columns=needed).dropna()
    kept = kept[kept["ga_days"].between(*(7 * week for week in WEIGHT_WEEKS))]
    if kept.empty:
        return words_only("no subject of 22 to 40 weeks has head, abdomen and a known age")
    ages, true, measured = kept["ga_days"] / 7, kept["efw_true_g"], kept["efw_measured_g"]
    figure, axes = new_figure(height=3.4)
    weeks = np.linspace(*WEIGHT_WEEKS, 91)
    drawn = ("10th", "50th", "90th")
    draw_centiles(axes, weeks, intergrowth_weight.efw_at_z, drawn, drawn)
    axes.vlines(ages, true, measured, color=GREY, lw=0.8)
    axes.scatter(ages, true, s=14, color=GREEN, label="by annotation", zorder=3)
    look = {"s": 16, "marker": "x", "color": ORANGE, "zorder": 3}
    axes.scatter(ages, measured, label="by measurement", **look)
    axes.axhline(MACROSOMIA_G, color=VERMILION, ls="--", lw=0.9, label="4,000 g")
    axes.set_ylabel("estimated weight (g)")
    axes.legend(frameon=False, fontsize=8)
    return figure
