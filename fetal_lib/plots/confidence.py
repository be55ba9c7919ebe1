"""Figures of how sure a classifier is: reliability, sets, abstention, strange images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.calibration import Reliability
from fetal_lib.metrics.selective import RiskCoverage
from fetal_lib.plots.classification import COLOURS
from fetal_lib.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    VERMILION,
    new_figure,
    plain_log_ticks,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reliability_figure(bins: Mapping[str, Reliability]) -> Figure:
    """Show accuracy over confidence, panels beside each other; points are as large as their bins.

    Parameters
    ----------
    bins : mapping of str to Reliability
        Title to bins.
    """
    import seaborn as sns

    figure, panels = new_figure(1, len(bins), height=2.9, sharey=True, squeeze=False)
    for axes, (title, one) in zip(panels[0], bins.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=GREY, lw=0.9, label="calibrated")
        axes.vlines(one.confidence, one.confidence, one.accuracy, color=VERMILION, lw=1.6,
                    alpha=0.7, label="gap")  # fmt: skip
        sns.scatterplot(
            x=one.confidence, y=one.accuracy, size=one.n, size_norm=(0, one.n.sum()),
            sizes=(14, 184), color=BLUE, alpha=0.8, lw=0, legend=False, ax=axes,
        )  # fmt: skip
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.05), xlabel="confidence")
        axes.set_title(title, fontsize=8)
        tidy(axes)
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
    import seaborn as sns
    from matplotlib.colors import same_color
    from matplotlib.patches import Patch

    figure, (left, right) = new_figure(1, 2, height=2.9)
    words = np.where(inside, "holds the true class", "does not")
    order = ["does not", "holds the true class"]
    sns.histplot(x=size, hue=words, hue_order=order, palette=[ORANGE, BLUE], multiple="stack",
                 discrete=True, shrink=0.8, alpha=1, lw=0, ax=left)  # fmt: skip
    for bar in left.patches:
        bar.set_hatch("//" if same_color(bar.get_facecolor(), ORANGE) else None)
    keys = Patch(color=BLUE), Patch(facecolor=ORANGE, hatch="//")
    left.legend(keys, order[::-1], frameon=False, fontsize=7, loc="upper left")
    left.set_ylim(top=1.3 * np.unique(size, return_counts=True)[1].max())  # room for the legend
    left.set(xlabel="classes in the set", ylabel="test images")
    left.set_title(f"promised {coverage:.0%}, measured {inside.mean():.0%}", fontsize=8)
    left.xaxis.get_major_locator().set_params(integer=True)
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
    import seaborn as sns

    figure, axes = new_figure(height=0.42 * len(distances) + 0.9)
    shown = {name: np.maximum(values, 1e-2) for name, values in distances.items()}
    colours = [BLUE, *[ORANGE] * (len(shown) - 1)]
    sns.stripplot(shown, orient="h", palette=colours, jitter=0.25, size=3, alpha=0.6,
                  log_scale=True, ax=axes)  # fmt: skip
    axes.axvline(limit, color=VERMILION, lw=1.2, label="limit, set on validation")
    axes.set(xlabel="squared feature distance to the nearest class", ylabel="")
    plain_log_ticks(axes.xaxis)
    axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    tidy(axes)
    return figure
