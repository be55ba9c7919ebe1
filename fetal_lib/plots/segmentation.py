"""Pictures of several segmentation models side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.boxes import draw_boxes
from fetal_lib.plots.heads import show_scan
from fetal_lib.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    new_figure,
    plain_log_ticks,
    tidy,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY)
MARKERS = "osD^vPX"
CURVES = ("val_loss", "val_score", "val_score")
DICE_TICKS = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 1)


def model_styles(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a marker for each model, in the order of the names."""
    return dict(zip(names, cycle(zip(COLOURS, MARKERS, strict=True)), strict=False))


def training_curves(histories: Mapping[str, Sequence[dict]]) -> Figure:
    """Show loss over epochs, and the Dice that is watched over epochs and over time.

    Parameters
    ----------
    histories : mapping of model to rows with ``epoch, val_loss, val_score, seconds``
    """
    import pandas as pd
    from matplotlib.ticker import LogLocator

    rows = [{"model": name, **row} for name, history in histories.items() for row in history]
    table = pd.DataFrame(rows)
    table["time"] = table.groupby("model", sort=False)["seconds"].cumsum()
    figure, axes = new_figure(1, 3, height=2.9)
    for ax, x, y in zip(axes, ("epoch", "epoch", "time"), CURVES, strict=True):
        draw_lines(ax, table, x, y, legend=ax is axes[0])
    axes[0].set(xlabel="epoch", ylabel="validation loss", yscale="log")
    axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_formatter("")
    axes[1].set(xlabel="epoch", ylabel="validation Dice")
    axes[2].set(xlabel="training time (s)", ylabel="validation Dice", xscale="log")
    legend_below(figure, axes[0])
    return figure


def draw_lines(axes: Axes, table: pd.DataFrame, x: str, y: str, legend: bool = False) -> Axes:
    """Draw a line with markers for each ``model`` of a table, in the models' own styles."""
    import seaborn as sns

    styles = model_styles(table["model"].unique())
    look = {"hue": "model", "style": "model", "dashes": False, "lw": 1.1, "ms": 3, "mew": 0}
    look["palette"] = {name: colour for name, (colour, _) in styles.items()}
    look["markers"] = {name: marker for name, (_, marker) in styles.items()}
    sns.lineplot(table, x=x, y=y, **look, estimator=None, legend=legend, ax=axes)
    axes.set(xlabel="", ylabel="")
    return tidy(axes)


def legend_below(figure: Figure, axes: Axes) -> None:
    """Put the legend of one of the axes below the whole figure."""
    if axes.get_legend():
        axes.get_legend().remove()
    handles, labels = axes.get_legend_handles_labels()
    where = {"loc": "outside lower center", "ncols": 3, "frameon": False, "fontsize": 7}
    figure.legend(handles, labels, **where)


def model_grid(
    images: np.ndarray,
    masks: np.ndarray,
    probs: Mapping[str, np.ndarray],
    rows: Sequence[str],
    sizes_hw: np.ndarray,
) -> Figure:
    """Show the same images with every model's outline: a row an image, a column a model.

    Parameters
    ----------
    images, masks : ndarray, uint8 (N, H, W)
    probs : mapping of model to ndarray (N, H, W)
    rows : sequence of str, length N
        What each image is.
    sizes_hw : ndarray, int (N, 2)
        Sizes of the scans, which are shown in their own aspect.
    """
    aspects = sizes_hw[:, 1] / sizes_hw[:, 0]
    figure, axes = new_figure(len(images), len(probs), height=0.95 * len(images), squeeze=False)
    for i, line in enumerate(axes):
        for ax, (name, found) in zip(line, probs.items(), strict=True):
            show_scan(ax, images[i], masks[i], found[i], aspect=aspects[i])
            if i == 0:
                ax.set_title(name, fontsize=7)
        line[0].set_ylabel(rows[i], fontsize=7)
    return figure


def dice_boxes(scores: Mapping[str, pd.DataFrame]) -> Figure:
    """Show the Dice of every test image by every model, as box plots, a panel a structure.

    Parameters
    ----------
    scores : mapping of model to DataFrame
        ``subject, structure, dice``, a row an image.
    """
    import pandas as pd

    table = pd.concat([frame.assign(model=name) for name, frame in scores.items()])
    colours = {name: colour for name, (colour, _) in model_styles(scores).items()}
    structures = list(table["structure"].unique())
    size = {"height": 0.42 * len(scores) + 1.1, "sharey": True, "squeeze": False}
    figure, axes = new_figure(1, len(structures), **size)
    for ax, structure in zip(axes[0], structures, strict=True):
        part = table[table["structure"] == structure]
        draw_boxes(ax, part, "dice", "model", "model", colours)
        n_images, n_subjects = len(part) // len(scores), part["subject"].nunique()
        told = f"{n_images} images of {n_subjects} subjects"
        ax.set_title(f"{structure}:{' ' if len(structures) < 3 else chr(10)}{told}", fontsize=9)
        ax.tick_params(axis="y", labelsize=8)
        _stretch_towards_one(ax, table["dice"].min())
        tidy(ax)
    figure.supxlabel("Dice (axis stretched towards 1)", fontsize=9)
    return figure


def _stretch_towards_one(ax: Axes, lowest: float) -> None:
    """Give the upper end of a Dice axis the room that a linear one gives to its failures."""
    scale = (lambda dice: -np.log10(1.02 - np.minimum(dice, 1.01)), lambda x: 1.02 - 10.0**-x)
    ax.set_xscale("function", functions=scale)
    left = max(0.0, lowest - 0.05)
    ticks = [tick for tick in DICE_TICKS if tick >= left]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=7)
    ax.set_xlim(left - 0.01, 1.0)


def dice_over_cost(table: pd.DataFrame, sampled: pd.DataFrame | None = None) -> Figure:
    """Show Dice of each model over its operations and over its training time.

    Parameters
    ----------
    table : DataFrame
        ``model, dice, low, high, GMAC, train_s``.
    sampled : DataFrame, optional
        ``n, sampler, members, GMAC, Dice`` of one diffusion model's samplers, drawn as a curve
        whose label says on how few images, ``n``, it rests.
    """
    figure, axes = new_figure(1, 2, height=3.4, sharey=True)
    styles = model_styles(table["model"])
    for ax, column, label in zip(
        axes,
        ("GMAC", "train_s"),
        ("multiply-accumulates an image (10⁹)", "training (s)"),
        strict=True,
    ):
        for row in table.itertuples():
            spread = [[row.dice - row.low], [row.high - row.dice]]
            colour, marker = styles[row.model]
            style = {"color": colour, "fmt": marker, "capsize": 2, "label": row.model}
            ax.errorbar(getattr(row, column), row.dice, spread, **style)
        ax.set(xlabel=label)
        tidy(ax)
    axes[0].set_xscale("log")
    plain_log_ticks(axes[0].xaxis)
    if sampled is not None:
        few = f"one member, {sampled['n'].iloc[0]} images only"
        line = sampled[(sampled["sampler"] == "DDIM") & (sampled["members"] == 1)]
        long = sampled[sampled["sampler"] == "ancestral"]
        style = {"color": GREY, "mfc": "white", "lw": 1}
        axes[0].plot(line["GMAC"], line["Dice"], "o:", ms=3, label=f"DDIM, {few}", **style)
        axes[0].plot(long["GMAC"], long["Dice"], "*", ms=8, label=f"ancestral, {few}", **style)
    axes[0].set(ylabel="Dice")
    legend_below(figure, axes[0])
    return figure
