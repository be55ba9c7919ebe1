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
HEAD_WEEKS, WEIGHT_WEEKS, ABDOMEN_WEEKS = (14, 40), (22, 40), (20, 38)


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


def weight_or_age_chart(subjects: pd.DataFrame, lines: pd.DataFrame) -> Figure:
    """Show weights as `weight_chart` does; where nobody has one, the age by the head.

    Parameters
    ----------
    subjects : DataFrame
        As `weight_chart` takes it.
    lines : DataFrame
        ``group, quantity, formula`` and days ``by annotation`` and ``by measurement``.
    """
    if subjects["efw_true_g"].notna().any():
        return weight_chart(subjects)
    by_head = lines[(lines["group"] == "age") & (lines["quantity"] == "HC")]
    figure, axes = new_figure(height=3.4)
    for (formula, own), colour in zip(by_head.groupby("formula"), (GREEN, ORANGE), strict=False):
        true, found = (own[kind] / 7 for kind in ("by annotation", "by measurement"))
        axes.scatter(true, found, s=12, color=colour, alpha=0.7, lw=0, label=formula)
        axes.plot([true.min(), true.max()], [true.min(), true.max()], color=GREY, lw=0.8)
    axes.set(xlabel="age by the annotated head (weeks)", ylabel="by the measured head (weeks)")
    axes.legend(frameon=False, fontsize=8)
    return tidy(axes).figure


def velocity_chart(dates: pd.DataFrame, velocities: pd.DataFrame) -> Figure:
    """Show abdomens of the same fetuses on several dates, and how fast they grew between them.

    Parameters
    ----------
    dates : DataFrame
        ``fetus, course, ga_weeks, true_mm, measured_mm``.
    velocities : DataFrame
        ``fetus, course, ga_weeks, true, measured, expected``, mm a week, at the middle of two
        dates.
    """
    figure, (left, right) = new_figure(1, 2, height=3.3)
    weeks = np.linspace(*ABDOMEN_WEEKS, 91)
    drawn = ("3rd", "50th", "97th")
    draw_centiles(left, weeks, partial(intergrowth_size.size_mm, "AC"), drawn, drawn)
    expected = velocities.groupby("ga_weeks")["expected"].first()
    right.plot(expected, color=BLUE, lw=1.6)
    for course, colour in zip(dates["course"].unique(), (GREEN, VERMILION), strict=False):
        look = {"color": colour, "lw": 1.2}
        for axes, table, names in (
            (left, dates, ("true_mm", "measured_mm")),
            (right, velocities, ("true", "measured")),
        ):
            own = table[table["course"] == course]
            for _, one in own.groupby("fetus"):
                axes.plot(one["ga_weeks"], one[names[0]], **look)
            axes.scatter(own["ga_weeks"], own[names[1]], s=12, marker="x", color=colour, zorder=3)
        left.plot([], [], **look, label=f"{course}: truth")
    left.scatter([], [], s=12, marker="x", color=GREY, label="measured")
    left.set_ylabel("abdominal circumference (mm)")
    right.set(xlabel="gestational age (weeks)", ylabel="growth (mm a week)")
    left.legend(frameon=False, fontsize=7)
    tidy(right)
    return figure
