"""Figures of how sure a classifier is: reliability, sets, abstention, strange images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.calibration import Reliability
from fetal_lib.metrics.selective import RiskCoverage
from fetal_lib.plots.classification import COLOURS
from fetal_lib.plots.style import BLUE, GREY, ORANGE, VERMILION, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_reliability(axes: Axes, bins: Reliability, title: str, colour: str = BLUE) -> Axes:
    """Draw accuracy over confidence; the area of a point is the number of its cases.

    Parameters
    ----------
    axes : Axes
    bins : Reliability
    title, colour : str
    """
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.9, label="calibrated")
    for x, y in zip(bins.confidence, bins.accuracy, strict=True):
        axes.plot([x, x], [x, y], color=VERMILION, lw=1.6, alpha=0.7, zorder=1)
    axes.plot([], [], color=VERMILION, lw=1.6, alpha=0.7, label="gap")
    area = 14 + 170 * bins.n / bins.n.sum()
    axes.scatter(bins.confidence, bins.accuracy, s=area, color=colour, alpha=0.8, lw=0, zorder=2)
    axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.05), xlabel="confidence")
    axes.set_title(title, fontsize=8)
    return tidy(axes)


def reliability_figure(bins: Mapping[str, Reliability]) -> Figure:
    """Show reliability diagrams beside each other.

    Parameters
    ----------
    bins : mapping of str to Reliability
        Title to bins.
    """
    figure, panels = new_figure(1, len(bins), height=2.9, sharey=True, squeeze=False)
    for axes, (title, one) in zip(panels[0], bins.items(), strict=True):
        draw_reliability(axes, one, title)
    panels[0][0].set_ylabel("share that is right")
    panels[0][0].legend(frameon=False, fontsize=7, loc="upper left")
    return figure


def sets_figure(
    size: np.ndarray, inside: np.ndarray, coverage: float, curves: Mapping[str, RiskCoverage]
) -> Figure:
    """Show the sizes of the conformal sets, and accuracy over the share that is answered.

    Parameters
    ----------
    size : ndarray, shape (N,), int
    inside : ndarray, shape (N,), bool
        Whether the set holds the true class.
    coverage : float
        The promise.
    curves : mapping of str to RiskCoverage
        Network to curve.
    """
    figure, (left, right) = new_figure(1, 2, height=2.9)
    sizes = np.arange(1, size.max() + 1)
    held = np.array([(inside & (size == k)).sum() for k in sizes])
    missed = np.array([(~inside & (size == k)).sum() for k in sizes])
    left.bar(sizes, held, color=BLUE, label="holds the true class")
    left.bar(sizes, missed, bottom=held, color=ORANGE, hatch="//", label="does not")
    left.set(xlabel="classes in the set", ylabel="test images")
    left.set_title(f"promised {coverage:.0%}, measured {inside.mean():.0%}", fontsize=8)
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False, fontsize=7)
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
        right.plot(curve.answered, curve.accuracy, color=colour, lw=1.3, label=name)
    right.set(xlabel="share answered, the surest first", ylabel="accuracy of the answers")
    right.legend(frameon=False, fontsize=7)
    tidy(left), tidy(right)
    return figure


def strangeness_figure(distances: Mapping[str, np.ndarray], limit: float) -> Figure:
    """Show feature distances by kind of image, and the limit.

    Parameters
    ----------
    distances : mapping of str to ndarray
    limit : float
    """
    figure, axes = new_figure(height=0.42 * len(distances) + 0.9)
    rng = np.random.default_rng(0)
    names = list(distances)
    for i, name in enumerate(names):
        y = len(names) - 1 - i + rng.uniform(-0.25, 0.25, len(distances[name]))
        colour = BLUE if i == 0 else ORANGE
        axes.scatter(np.maximum(distances[name], 1e-2), y, s=9, color=colour, alpha=0.6, lw=0)
    axes.axvline(limit, color=VERMILION, lw=1.2, label="limit, set on validation")
    axes.set_yticks(range(len(names) - 1, -1, -1), names)
    axes.set(xscale="log", xlabel="squared feature distance to the nearest class")
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    tidy(axes)
    return figure
