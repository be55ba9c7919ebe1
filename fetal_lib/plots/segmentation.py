"""Pictures of several segmentation models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.agreement import agreement_figure
from fetal_lib.plots.heads import show_scan
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
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY)
MARKERS = "osD^vPX"
ASPECT = 800 / 540


def loss_curves(histories: Mapping[str, Sequence[dict]]) -> Figure:
    """Show the validation loss of each model over epochs.

    Parameters
    ----------
    histories : mapping of model to rows with ``epoch`` and ``val_loss``
        Losses of different kinds go to different panels: plain networks left, diffusion right.
    """
    groups = [
        {n: h for n, h in histories.items() if n.startswith("med_seg_diff") == diffusion}
        for diffusion in (False, True)
    ]
    groups = [g for g in groups if g]
    figure, axes = new_figure(1, len(groups), height=2.9, squeeze=False)
    styles = dict(zip(histories, zip(COLOURS, MARKERS, strict=True), strict=False))
    for ax, group in zip(axes[0], groups, strict=True):
        for name, history in group.items():
            colour, marker = styles[name]
            epoch = [row["epoch"] for row in history]
            values = [row["val_loss"] for row in history]
            ax.plot(epoch, values, color=colour, marker=marker, ms=3, lw=1.2, label=name)
        ax.set(xlabel="epoch", ylabel="validation loss")
        ax.legend(frameon=False, fontsize=7)
        tidy(ax)
    return figure


def model_grid(
    images: np.ndarray, masks: np.ndarray, probs: Mapping[str, np.ndarray], rows: Sequence[str]
) -> Figure:
    """Show the same images with every model's outline: a row an image, a column a model.

    Parameters
    ----------
    images, masks : ndarray, uint8 (N, H, W)
    probs : mapping of model to ndarray (N, H, W)
    rows : sequence of str, length N
        What each image is.
    """
    figure, axes = new_figure(len(images), len(probs), height=0.95 * len(images), squeeze=False)
    for i, line in enumerate(axes):
        for ax, (name, found) in zip(line, probs.items(), strict=True):
            show_scan(ax, images[i], masks[i], found[i])
            if i == 0:
                ax.set_title(name.replace("_", " "), fontsize=7)
        line[0].set_ylabel(rows[i], fontsize=7)
    return figure


def dice_over_cost(table: pd.DataFrame) -> Figure:
    """Show Dice of each model over its operations and over its training time.

    Parameters
    ----------
    table : DataFrame
        ``model, dice, low, high, GMAC, train_s``.
    """
    figure, axes = new_figure(1, 2, height=3.2, sharey=True)
    for ax, column, label in zip(
        axes,
        ("GMAC", "train_s"),
        ("multiply-accumulates an image (10⁹)", "training (s)"),
        strict=True,
    ):
        for k, row in enumerate(table.itertuples()):
            spread = [[row.dice - row.low], [row.high - row.dice]]
            style = {"color": COLOURS[k % len(COLOURS)], "fmt": MARKERS[k % len(MARKERS)]}
            ax.errorbar(getattr(row, column), row.dice, spread, capsize=2, label=row.model, **style)
        ax.set(xlabel=label)
        tidy(ax)
    axes[0].set(ylabel="Dice", xscale="log")
    axes[1].legend(frameon=False, fontsize=7)
    return figure


def circumference_agreement(scores: pd.DataFrame) -> Figure:
    """Show measured over reference circumference and the Bland-Altman plot, or say that none was.

    Parameters
    ----------
    scores : DataFrame
        ``true_mm, pred_mm``; rows without a measurement are left out.
    """
    kept = scores.dropna(subset=["true_mm", "pred_mm"])
    if len(kept) < 3:
        figure, axes = new_figure(height=1.2)
        text = f"{len(kept)} of {len(scores)} structures were measured: too few to show agreement"
        axes.text(0.5, 0.5, text, ha="center", va="center", color=VERMILION)
        axes.set_axis_off()
        return figure
    figure = agreement_figure(kept["true_mm"].to_numpy(), kept["pred_mm"].to_numpy())
    figure.axes[0].set(xlabel="reference (mm)", ylabel="measured (mm)")
    return figure


def robustness_figure(table: pd.DataFrame) -> Figure:
    """Show Dice of each model under each change, as a grid of numbers.

    Parameters
    ----------
    table : DataFrame
        ``model, change, dice``.
    """
    grid = table.pivot(index="model", columns="change", values="dice")
    grid = grid.loc[table["model"].unique(), table["change"].unique()]
    figure, axes = new_figure(height=0.42 * len(grid) + 1.2)
    shown = axes.imshow(grid, cmap="viridis", vmin=0.5, vmax=1.0, aspect="auto")
    for (i, j), value in np.ndenumerate(grid.to_numpy()):
        colour = "white" if value < 0.8 else "black"
        axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(grid.shape[1]), grid.columns, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(grid)), grid.index, fontsize=8)
    figure.colorbar(shown, ax=axes, label="Dice", shrink=0.8)
    return figure


def map_grid(
    images: np.ndarray, masks: np.ndarray, maps: Mapping[str, Sequence[np.ndarray]]
) -> Figure:
    """Show scans in the first row and, below, a row for each kind of map, each with its own bar.

    Parameters
    ----------
    images, masks : ndarray, uint8 (N, H, W)
    maps : mapping of kind to N maps (h, w), not negative
    """
    figure, axes = new_figure(
        1 + len(maps), len(images), height=1.6 * (1 + len(maps)), squeeze=False
    )
    for i, ax in enumerate(axes[0]):
        show_scan(ax, images[i], masks[i])
        ax.set_title(f"test image {i + 1}", fontsize=8)
    height = images.shape[1]
    box = (0, ASPECT * height, height, 0)
    for line, (kind, found) in zip(axes[1:], maps.items(), strict=True):
        for i, ax in enumerate(line):
            ax.imshow(images[i], cmap="gray", vmin=0, vmax=255, extent=box)
            hide_ticks(ax)
            if np.ptp(found[i]) == 0:
                ax.set_title("the map is constant", fontsize=7, color=VERMILION)
                continue
            shown = ax.imshow(found[i], cmap="inferno", alpha=0.6, extent=box)
            figure.colorbar(shown, ax=ax, shrink=0.8).ax.tick_params(labelsize=6)
        line[0].set_ylabel(kind, fontsize=8)
    return figure
