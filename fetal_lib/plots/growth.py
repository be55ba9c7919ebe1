"""Head size on its growth chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.growth import hadlock, intergrowth_size
from fetal_lib.plots.style import BLUE, ORANGE, VERMILION, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CENTILE_Z = {"3rd": -1.8808, "10th": -1.2816, "50th": 0.0, "90th": 1.2816, "97th": 1.8808}
LABELLED = ("3rd", "50th", "97th")


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
    weeks = np.linspace(14, 40, 105)
    figure, axes = new_figure(height=3.6)
    for name, z in CENTILE_Z.items():
        line = intergrowth_size.size_mm("HC", weeks, z)
        axes.plot(weeks, line, color=BLUE, lw=1.6 if z == 0 else 0.8)
        if name in LABELLED:
            axes.annotate(name, (40.1, line[-1]), fontsize=7, va="center", color=BLUE)
    axes.plot([], [], color=BLUE, label="INTERGROWTH-21st centiles")
    axes.plot(
        weeks, hadlock.hc_mm(weeks), "--", color=VERMILION, lw=1.2, label="Hadlock 1984, 50th"
    )
    if len(ga_weeks):
        axes.scatter(ga_weeks, hc_mm, s=12, color=ORANGE, alpha=0.8, lw=0, zorder=3, label=label)
    axes.set(xlabel="gestational age (weeks)", ylabel="head circumference (mm)", xlim=(13, 41.5))
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
    return figure
