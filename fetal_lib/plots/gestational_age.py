"""Figures of gestational age: slices, baselines, predictions, maps, and the leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.regression import mae, r2
from fetal_lib.plots.agreement import draw_bland_altman
from fetal_lib.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    hide_ticks,
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLANES = ("axial", "coronal", "sagittal")
FOLD_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)


def age_histogram(ga_days: np.ndarray, brain_ml: np.ndarray) -> Figure:
    """Show how many fetuses there are of each age, and the volume of their brains."""
    import seaborn as sns

    figure, (left, right) = new_figure(1, 2, height=2.7)
    weeks = np.asarray(ga_days) / 7
    bins = np.arange(np.floor(weeks.min()), np.ceil(weeks.max()) + 1)
    sns.histplot(weeks, bins=bins, color=BLUE, alpha=1, lw=0, ax=left)
    left.set(xlabel="gestational age (weeks)", ylabel="fetuses")
    right.scatter(weeks, brain_ml, s=10, color=ORANGE, alpha=0.7, lw=0)
    right.set(xlabel="gestational age (weeks)", ylabel="brain with fluid (mL)")
    for axes in (left, right):
        tidy(axes)
    return figure


def age_agreement(ga_days: np.ndarray, pred_days: np.ndarray, fold: np.ndarray) -> Figure:
    """Show predicted against true age, and the Bland-Altman plot beside it."""
    figure, (left, right) = new_figure(1, 2, height=3.2)
    ends = [ga_days.min() / 7, ga_days.max() / 7]
    left.plot(ends, ends, color=GREY, lw=1)
    for number, colour in zip(np.unique(fold), cycle(FOLD_COLOURS), strict=False):
        x, y = ga_days[fold == number] / 7, pred_days[fold == number] / 7
        left.scatter(x, y, color=colour, s=12, alpha=0.8, lw=0, label=f"fold {number + 1}")
    left.legend(frameon=False, fontsize=7, loc="lower right", handletextpad=0.2)
    title = f"MAE {mae(ga_days, pred_days):.1f} d, R² {r2(ga_days, pred_days):.3f}"
    left.set(xlabel="gestational age (weeks)", ylabel="predicted (weeks)")
    left.set_title(title, fontsize=9)
    tidy(left)
    draw_bland_altman(right, ga_days, pred_days, "days")
    return figure


def outside_figure(ga_days: np.ndarray, pred_days: np.ndarray, outside: pd.DataFrame) -> Figure:
    """Show predicted against true age of held-out fetuses, and of fetuses of another set.

    Parameters
    ----------
    ga_days, pred_days : float (N,), of the held-out fetuses.
    outside : ``ga_days, pred_days``, a row a fetus of the other set.
    """
    figure, axes = new_figure(height=3.4, width=4.6)
    every = np.concatenate([ga_days, outside["ga_days"]])
    ends = np.array([every.min(), every.max()]) / 7
    axes.plot(ends, ends, color=GREY, lw=1)
    axes.scatter(ga_days / 7, pred_days / 7, s=10, color=BLUE, alpha=0.4, lw=0, label="held out")
    x, y = outside["ga_days"] / 7, outside["pred_days"] / 7
    axes.scatter(x, y, s=22, color=VERMILION, marker="D", label="another set")
    axes.set(xlabel="gestational age (weeks)", ylabel="predicted (weeks)")
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
    return figure


def outlined_figure(
    image: np.ndarray, shares: np.ndarray, planes: Sequence[str], title: str
) -> Figure:
    """Show slices of a brain with its outline.

    Parameters
    ----------
    image : uint8 (S, S, P).
    shares : float (P, S, S), how much of each place is brain; the outline is at a half.
    planes : names of the P planes.
    """
    figure, axes = new_figure(1, len(planes), height=2.4, width=6.6)
    for panel, plane, one, share in zip(
        axes, planes, np.moveaxis(image, -1, 0), shares, strict=True
    ):
        hide_ticks(panel).imshow(one, cmap="gray", vmin=0, vmax=255)
        panel.contour(share, [0.5], colors=ORANGE, linewidths=1)
        panel.set_title(plane, fontsize=8)
    figure.suptitle(title, fontsize=9)
    return figure


def map_gallery(
    images: Sequence[np.ndarray],
    maps: Sequence[np.ndarray],
    planes: Sequence[str],
    titles: Sequence[str],
    label: str,
) -> Figure:
    """Show maps over the slices that they belong to, a row a plane and a column a fetus.

    All maps share one scale, from the smallest value to the 99.5th percentile.

    Parameters
    ----------
    images : uint8 (S, S, P) each.
    maps : float (P, S, S) each, not negative.
    planes : names of the P planes.
    titles : of the fetuses.
    label : of the scale, with its unit.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    n = len(images)
    side = min(6.6 / n, 1.8)
    size = {"height": len(planes) * side + 0.4, "width": n * side + 0.8}
    figure, axes = new_figure(len(planes), n, **size, squeeze=False)
    limits = float(np.min(maps)), float(np.percentile(maps, 99.5))
    for column, (image, values) in enumerate(zip(images, maps, strict=True)):
        for row, plane in enumerate(planes):
            panel = hide_ticks(axes[row, column])
            _lay_over(panel, image[..., row], values[row], limits)
            if column == 0:
                panel.set_ylabel(plane, fontsize=8)
        axes[0, column].set_title(titles[column], fontsize=8)
    scale = ScalarMappable(Normalize(*limits), "magma")
    bar = figure.colorbar(scale, ax=axes, shrink=0.7, pad=0.01)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def looked_at_figure(
    image: np.ndarray, gates: np.ndarray, cams: np.ndarray, planes: Sequence[str], title: str
) -> Figure:
    """Show the slices of one brain, and gate and Grad-CAM over them, a column a plane.

    Parameters
    ----------
    image : uint8 (S, S, P)
    gates, cams : float (P, S, S), not negative; brightest at the largest of all planes.
    planes : names of the P planes.
    title : of the figure.
    """
    n = len(planes)
    figure, axes = new_figure(3, n, height=6.4, width=2.1 * n + 0.4, squeeze=False)
    for row, (name, values) in enumerate((("scan", None), ("gate", gates), ("Grad-CAM", cams))):
        for column, plane in enumerate(planes):
            panel = hide_ticks(axes[row, column])
            if values is None:
                panel.imshow(image[..., column], cmap="gray", vmin=0, vmax=255)
            else:
                limits = float(values.min()), float(values.max())
                _lay_over(panel, image[..., column], values[column], limits)
            if row == 0:
                panel.set_title(plane, fontsize=8)
            if column == 0:
                panel.set_ylabel(name, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def _lay_over(
    panel: Axes, image: np.ndarray, values: np.ndarray, limits: tuple[float, float]
) -> None:
    """Draw a slice and a map over it, the more opaque the higher it is."""
    panel.imshow(image, cmap="gray", vmin=0, vmax=255)
    low, high = limits[0], max(limits[1], limits[0] + 1e-12)
    opaque = 0.8 * np.clip((values - low) / (high - low), 0, 1)
    panel.imshow(values, cmap="magma", alpha=opaque, vmin=low, vmax=high)


def overlap_figure(table: pd.DataFrame) -> Figure:
    """Show the share of each map on each region over the region's area, a panel a kind of map.

    Parameters
    ----------
    table : DataFrame
        ``plane, map kind, region, ratio``.
    """
    import seaborn as sns

    kinds = list(dict.fromkeys(table["map kind"]))
    figure, axes = new_figure(1, max(1, len(kinds)), height=2.8, sharey=True, squeeze=False)
    planes = dict(zip(PLANES, (BLUE, ORANGE, GREEN), strict=True))
    colours = {plane: planes[plane] for plane in dict.fromkeys(table["plane"])}
    for panel, kind in zip(axes[0], kinds, strict=False):
        part = table[table["map kind"] == kind]
        look = {"hue": "plane", "palette": colours, "dodge": 0.4, "linestyle": "none", "ax": panel}
        sns.pointplot(part, x="region", y="ratio", errorbar=None, markersize=6, **look)
        panel.axhline(1, color=GREY, lw=1)
        panel.get_legend().remove()
        panel.set(xlabel="", ylabel="", title=kind)
        panel.title.set_fontsize(9)
        tidy(panel)
    axes[0, 0].set_ylabel("share of map / share of area")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    place = {"loc": "outside lower center", "ncols": 3, "frameon": False, "fontsize": 8}
    figure.legend(handles, labels, **place)
    return figure


def ladder_figure(
    measured: Mapping[str, tuple[float, float, float]], published: Sequence[tuple[str, float]]
) -> Figure:
    """Show errors of two protocols on the same data beside published ones, which differ in data.

    Parameters
    ----------
    measured : protocol to MAE in days, and the ends of its interval.
    published : name and MAE in days.
    """
    names = [*measured, *(name for name, _ in published)]
    values = [*(value for value, _, _ in measured.values()), *(value for _, value in published)]
    figure, axes = new_figure(height=0.42 * len(names) + 0.9)
    y = np.arange(len(names))[::-1]
    colours = [BLUE] * len(measured) + [GREY] * len(published)
    axes.barh(y, values, color=colours, height=0.6)
    ends = values.copy()
    for k, (value, low, high) in enumerate(measured.values()):
        axes.errorbar(value, y[k], xerr=[[value - low], [high - value]], color="black", capsize=3)
        ends[k] = high
    for at, end, value in zip(y, ends, values, strict=True):
        axes.annotate(f"{value:.1f}", (end, at), (4, -3), textcoords="offset points", fontsize=8)
    axes.set(yticks=y, yticklabels=names, xlabel="MAE (days)")
    axes.set_xlim(0, max(ends) * 1.15)
    axes.set_axisbelow(True)
    tidy(axes)
    return figure
