"""Pictures that question segmentation models: robustness, heat-maps, deletion and insertion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.heads import show_scan
from fetal_lib.plots.segmentation import draw_lines
from fetal_lib.plots.style import BLUE, VERMILION, new_figure, tidy, words_only

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

N_PANELS = 4


def robustness_curves(table: pd.DataFrame, value: str, label: str) -> Figure:
    """Show a score of each model over the strength of each change, a panel a change.

    Parameters
    ----------
    table : DataFrame
        ``model, change, level`` and the score.
    value : str
        Column of the score.
    label : str
        Of the vertical axes.
    """
    changes = list(table["change"].unique())
    n_rows = -(-(len(changes) + 1) // N_PANELS)
    figure, axes = new_figure(n_rows, N_PANELS, height=2.1 * n_rows, sharey=True)
    for ax, change in zip(axes.flat, changes, strict=False):
        draw_lines(ax, table[table["change"] == change], "level", value, legend=ax is axes.flat[0])
        ax.set_xlabel(change, fontsize=8)
        ax.tick_params(labelsize=7)
    where = {"frameon": False, "fontsize": 7, "loc": "center"}
    axes.flat[-1].legend(*axes.flat[0].get_legend_handles_labels(), **where)
    axes.flat[0].get_legend().remove()
    for ax in axes[:, 0]:
        ax.set_ylabel(label, fontsize=8)
    for ax in axes.flat[len(changes) :]:
        ax.set_axis_off()
    return figure


def replacement_curves(table: pd.DataFrame) -> Figure:
    """Show how an explained number moves as pixels are hidden (left) or shown (right).

    Parameters
    ----------
    table : DataFrame
        ``model, way`` (deletion or insertion), ``order`` (map or random), ``share, change``.
    """
    import seaborn as sns

    models = list(table["model"].unique())
    if not models:
        return words_only("no structure was found in these images: nothing to hide or to show")
    size = {"height": 2.3 * len(models), "sharey": "row", "squeeze": False}
    figure, axes = new_figure(len(models), 2, **size)
    table = table.assign(order=table["order"] + " order")
    look = {"color": BLUE, "lw": 1.5, "errorbar": None}
    look["dashes"] = {"map order": "", "random order": (1, 1.5)}
    for line, name in zip(axes, models, strict=True):
        for ax, way in zip(line, ("deletion", "insertion"), strict=True):
            part = table[(table["model"] == name) & (table["way"] == way)]
            sns.lineplot(part, x="share", y="change", style="order", **look, ax=ax)
            ax.set_title(f"{name}, {way}", fontsize=9)
            shown = "hidden" if way == "deletion" else "shown"
            ax.set(xlabel=f"share of pixels {shown}", ylabel="")
            ax.legend(frameon=False, fontsize=8).set_visible(ax is axes[0, 0])
            tidy(ax)
        line[0].set_ylabel("change of the scalar")
    return figure


def map_grid(
    images: np.ndarray,
    masks: np.ndarray,
    maps: Mapping[str, Sequence[np.ndarray]],
    titles: Sequence[str],
    sizes_hw: np.ndarray,
) -> Figure:
    """Show scans in the first row and, below, a row for each kind of map, each with its own bar.

    Parameters
    ----------
    images, masks : ndarray, uint8 (N, H, W)
    maps : mapping of kind to N maps (h, w), not negative
    titles : sequence of str, length N
    sizes_hw : ndarray, int (N, 2)
        Sizes of the scans, which are shown in their own aspect.
    """
    aspects = sizes_hw[:, 1] / sizes_hw[:, 0]
    figure, axes = new_figure(
        1 + len(maps), len(images), height=1.35 * (1 + len(maps)), squeeze=False
    )
    for i, ax in enumerate(axes[0]):
        show_scan(ax, images[i], masks[i], aspect=aspects[i])
        ax.set_title(titles[i], fontsize=8)
    height = images.shape[1]
    for line, (kind, found) in zip(axes[1:], maps.items(), strict=True):
        for i, ax in enumerate(line):
            box = (0, aspects[i] * height, height, 0)
            show_scan(ax, images[i], aspect=aspects[i])
            if np.ptp(found[i]) == 0:
                ax.set_title("the map is constant", fontsize=7, color=VERMILION)
                continue
            shown = ax.imshow(found[i], cmap="inferno", alpha=0.6, extent=box)
            bar = figure.colorbar(shown, ax=ax, shrink=0.8, format="%.2g")
            bar.ax.tick_params(labelsize=6)
        line[0].set_ylabel(kind, fontsize=8)
    return figure
