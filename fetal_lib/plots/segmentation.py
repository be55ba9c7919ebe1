"""Pictures of several segmentation models side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.growth import intergrowth_weight
from fetal_lib.plots.agreement import agreement_figure
from fetal_lib.plots.heads import aspects_of, show_scan
from fetal_lib.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    new_figure,
    tidy,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY)
MARKERS = "osD^vPX"
DICE_TICKS = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 1)
WEIGHT_Z = {"10th": -1.2816, "50th": 0.0, "90th": 1.2816}
WEIGHT_WEEKS = (22, 40)
MACROSOMIA_G = 4000.0


def model_styles(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a marker for each model, in the order of the names."""
    return dict(zip(names, cycle(zip(COLOURS, MARKERS, strict=True)), strict=False))


def training_curves(histories: Mapping[str, Sequence[dict]]) -> Figure:
    """Show loss over epochs, and the Dice that is watched over epochs and over time.

    Parameters
    ----------
    histories : mapping of model to rows with ``epoch, val_loss, val_score, seconds``
    """
    from matplotlib.ticker import LogLocator

    figure, axes = new_figure(1, 3, height=2.9)
    styles = model_styles(histories)
    for name, rows in histories.items():
        colour, marker = styles[name]
        style = {"color": colour, "marker": marker, "ms": 2.5, "lw": 1.1}
        epoch = [row["epoch"] for row in rows]
        score = [row["val_score"] for row in rows]
        axes[0].plot(epoch, [row["val_loss"] for row in rows], label=name, **style)
        axes[1].plot(epoch, score, **style)
        axes[2].plot(np.cumsum([row["seconds"] for row in rows]), score, **style)
    axes[0].set(xlabel="epoch", ylabel="validation loss", yscale="log")
    axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_formatter("")
    axes[1].set(xlabel="epoch", ylabel="validation Dice")
    axes[2].set(xlabel="training time (s)", ylabel="validation Dice", xscale="log")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=7,
    )
    for ax in axes:
        tidy(ax)
    return figure


def model_grid(
    images: np.ndarray,
    masks: np.ndarray,
    probs: Mapping[str, np.ndarray],
    rows: Sequence[str],
    sizes_hw: np.ndarray | None = None,
) -> Figure:
    """Show the same images with every model's outline: a row an image, a column a model.

    Parameters
    ----------
    images, masks : ndarray, uint8 (N, H, W)
    probs : mapping of model to ndarray (N, H, W)
    rows : sequence of str, length N
        What each image is.
    sizes_hw : ndarray, int (N, 2), optional
        Sizes of the scans, which are shown in their own aspect.
    """
    aspects = aspects_of(sizes_hw, len(images))
    figure, axes = new_figure(len(images), len(probs), height=0.95 * len(images), squeeze=False)
    for i, line in enumerate(axes):
        for ax, (name, found) in zip(line, probs.items(), strict=True):
            show_scan(ax, images[i], masks[i], found[i], aspects[i])
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
    structures = list(next(iter(scores.values()))["structure"].unique())
    height = 0.42 * len(scores) + 1.1
    figure, axes = new_figure(1, len(structures), height=height, sharey=True, squeeze=False)
    styles, rng = model_styles(scores), np.random.default_rng(0)
    for ax, structure in zip(axes[0], structures, strict=True):
        parts = {n: frame[frame["structure"] == structure] for n, frame in scores.items()}
        for row, (name, part) in enumerate(parts.items()):
            colour, dices = styles[name][0], part["dice"].to_numpy(float)
            ax.boxplot(
                dices,
                positions=[row],
                orientation="horizontal",
                widths=0.62,
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": colour, "alpha": 0.35},
                medianprops={"color": "black", "lw": 1.4},
            )
            y = row + rng.uniform(-0.2, 0.2, len(dices))
            ax.scatter(dices, y, s=7, color=colour, alpha=0.7, lw=0, zorder=3)
        subjects = part["subject"].nunique()
        ax.set_title(f"{structure}: {len(part)} images of {subjects} subjects", fontsize=9)
        _stretch_towards_one(ax, min(frame["dice"].min() for frame in scores.values()))
        tidy(ax)
    axes[0, 0].set_yticks(range(len(scores)), list(scores), fontsize=8)
    axes[0, 0].invert_yaxis()
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
    if sampled is not None:
        few = f"one member, {sampled['n'].iloc[0]} images only"
        line = sampled[(sampled["sampler"] == "DDIM") & (sampled["members"] == 1)]
        long = sampled[sampled["sampler"] == "ancestral"]
        style = {"color": GREY, "mfc": "white", "lw": 1}
        axes[0].plot(line["GMAC"], line["Dice"], "o:", ms=3, label=f"DDIM, {few}", **style)
        axes[0].plot(long["GMAC"], long["Dice"], "*", ms=8, label=f"ancestral, {few}", **style)
    axes[0].set(ylabel="Dice")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=7,
    )
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
        return words_only(
            f"{len(kept)} of {len(scores)} structures were measured: too few to show agreement"
        )
    figure = agreement_figure(kept["true_mm"].to_numpy(), kept["pred_mm"].to_numpy())
    figure.axes[0].set(xlabel="reference (mm)", ylabel="measured (mm)")
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
    weeks = np.linspace(*WEIGHT_WEEKS, 91)
    figure, axes = new_figure(height=3.4)
    for name, z in WEIGHT_Z.items():
        line = intergrowth_weight.efw_at_z(weeks, z)
        axes.plot(weeks, line, color=BLUE, lw=1.6 if z == 0 else 0.9)
        axes.annotate(name, (40.1, line[-1]), fontsize=7, va="center", color=BLUE)
    axes.plot([], [], color=BLUE, label="INTERGROWTH-21st centiles")
    ages = kept["ga_days"] / 7
    axes.vlines(ages, kept["efw_true_g"], kept["efw_measured_g"], color=GREY, lw=0.8)
    axes.scatter(ages, kept["efw_true_g"], s=14, color=GREEN, label="by annotation", zorder=3)
    axes.scatter(
        ages,
        kept["efw_measured_g"],
        s=16,
        marker="x",
        color=ORANGE,
        label="by measurement",
        zorder=3,
    )
    axes.axhline(MACROSOMIA_G, color=VERMILION, ls="--", lw=0.9, label="4,000 g")
    axes.set(xlabel="gestational age (weeks)", ylabel="estimated weight (g)", xlim=(21.5, 41.5))
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
    return figure


def words_only(text: str) -> Figure:
    """Return a figure that says why there is nothing to see."""
    figure, axes = new_figure(height=1.2)
    axes.text(0.5, 0.5, text, ha="center", va="center", color=VERMILION)
    axes.set_axis_off()
    return figure
