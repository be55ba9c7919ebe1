"""Figures of a classifier: confusion, ROC and precision-recall, per-class scores, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.intervals import interval_words
from fetal_lib.metrics.roc import Band, Curve
from fetal_lib.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PART_COLOURS,
    PURPLE,
    SKY,
    VERMILION,
    new_figure,
    plain_log_ticks,
    tidy,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
MARKERS = ("o", "s", "^", "D")


def class_counts_figure(counts: pd.DataFrame) -> Figure:
    """Show the images of each class as stacked bars, one colour a part.

    Parameters
    ----------
    counts : DataFrame
        ``class`` and the parts ``train, val, test``; the commonest class first.
    """
    import seaborn as sns

    figure, axes = new_figure(height=0.24 * len(counts) + 0.9)
    long = counts.melt("class", list(PART_COLOURS), "part", "n")
    sns.histplot(long, y="class", weights="n", hue="part", hue_order=[*PART_COLOURS][::-1],
                 palette=PART_COLOURS, multiple="stack", shrink=0.75, alpha=1, lw=0,
                 ax=axes)  # fmt: skip
    for at, value in enumerate(counts[list(PART_COLOURS)].sum(axis=1)):
        axes.annotate(f"{value:.0f}", (value, at), (3, 0), textcoords="offset points",
                      va="center", fontsize=7)  # fmt: skip
    axes.set(xlabel="images", ylabel="", ylim=(len(counts) - 0.4, -0.6))
    axes.tick_params(axis="y", labelsize=8)
    sns.move_legend(axes, "lower right", reverse=True, title=None, frameon=False, fontsize=8)
    tidy(axes).grid(axis="y", visible=False)
    return figure


def training_curves(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Show cross-entropy of both parts and macro-F1 of validation over epochs, a model a colour.

    Parameters
    ----------
    histories : mapping of str to rows with ``epoch, loss, val_loss, val_macro_f1``; a model
        without rows is left out.
    """
    import pandas as pd
    import seaborn as sns

    figure, (left, right) = new_figure(1, 2, height=2.9)
    rows = pd.DataFrame([{"model": k} | dict(row) for k, v in histories.items() for row in v])
    if len(rows):
        names = rows["model"].unique()
        given = {"x": "epoch", "hue": "model", "palette": COLOURS[: len(names)]}
        sns.lineplot(rows, y="loss", ls="--", lw=1.1, legend=False, ax=left, **given)
        sns.lineplot(rows, y="val_loss", lw=1.4, legend=False, ax=left, **given)
        sns.lineplot(rows, y="val_macro_f1", lw=1.4, ax=right, **given)
    right.plot([], [], "--", color=GREY, lw=1.1, label="training (augmented)")
    left.set(xlabel="epoch", ylabel="cross-entropy")
    right.set(xlabel="epoch", ylabel="macro-F1, validation", ylim=(0, 1))
    right.legend(frameon=False, fontsize=7, loc="upper left")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        tidy(axes)
    return figure


def confusion_figure(confusion: np.ndarray, names: Sequence[str]) -> Figure:
    """Show a confusion matrix: counts as numbers, shares of the true class as shades.

    Parameters
    ----------
    confusion : ndarray, shape (K, K), int
        Rows are true classes.
    names : sequence of str, length K
    """
    import seaborn as sns

    n = confusion.sum(1, keepdims=True)
    figure, axes = new_figure(height=5.6)
    labels = [f"{name} ({count})" for name, count in zip(names, n[:, 0], strict=True)]
    sns.heatmap(confusion / np.maximum(n, 1), vmin=0, vmax=1, cmap="Blues", fmt="",
                annot=np.where(confusion, confusion.astype(str), ""), annot_kws={"fontsize": 7},
                xticklabels=names, yticklabels=labels, ax=axes,
                cbar_kws={"label": "share of the true class", "shrink": 0.6})  # fmt: skip
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.6)
    axes.tick_params(labelsize=7)
    axes.set_xticklabels(names, rotation=50, ha="right", rotation_mode="anchor")
    axes.set_yticklabels(labels, rotation=0)
    axes.set(xlabel="predicted", ylabel="true (images)")
    return figure


def roc_grid(bands: Mapping[str, Band]) -> Figure:
    """Show the ROC curve of each class against the rest, with its band, small beside each other.

    Parameters
    ----------
    bands : mapping of str to Band
        Title to curve.
    """
    n_columns = 4
    n_rows = -(-len(bands) // n_columns)
    figure, grid = new_figure(
        n_rows, n_columns, height=1.55 * n_rows + 0.4, sharex=True, sharey=True, squeeze=False
    )
    for axes, (title, band) in zip(grid.ravel(), bands.items(), strict=False):
        axes.fill_between(band.x, band.low, band.high, color=BLUE, alpha=0.2, lw=0)
        axes.plot(band.x, band.y, color=BLUE, lw=1.3)
        axes.plot([0, 1], [0, 1], ":", color=GREY, lw=0.8)
        text = f"{band.auc:.3f}\n({interval_words(*band.auc_ci95)})\nn = {band.n}"
        axes.text(0.97, 0.06, text, ha="right", fontsize=6.5)
        axes.set_title(title, fontsize=7)
        axes.tick_params(labelsize=7)
        tidy(axes)
    for axes in grid.ravel()[len(bands) :]:
        axes.set_axis_off()
    figure.supxlabel("1 - specificity", fontsize=8)
    figure.supylabel("sensitivity", fontsize=8)
    return figure


def mean_roc_figure(curves: Mapping[str, Curve], precision: Mapping[str, Curve]) -> Figure:
    """Show micro-averaged ROC and precision-recall curves of several models.

    Parameters
    ----------
    curves, precision : mapping of str to Curve
        Label to curve.
    """
    figure, (left, right) = new_figure(1, 2, height=3.1)
    panels = (
        (left, curves, "default", "lower right"),
        (right, precision, "steps-post", "lower left"),
    )
    for axes, drawn, style, place in panels:
        for (label, curve), colour in zip(drawn.items(), COLOURS, strict=False):
            axes.plot(curve.x, curve.y, color=colour, lw=1.3, label=label, drawstyle=style)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        axes.legend(fontsize=7, frameon=True, framealpha=0.9, loc=place)
        tidy(axes)
    left.plot([0, 1], [0, 1], ":", color=GREY, lw=0.8)
    left.set(xlabel="1 - specificity", ylabel="sensitivity")
    right.set(xlabel="recall", ylabel="precision")
    return figure


def class_scores_figure(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Show F1 of each class with its interval, a model a colour and marker.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Model to ``class, n, f1, f1_low, f1_high``, the same classes in the same order.
    """
    first = next(iter(tables.values()))
    figure, axes = new_figure(height=0.32 * len(first) + 0.9)
    y = np.arange(len(first))[::-1]
    shifts = np.linspace(0.22, -0.22, len(tables))
    for (name, table), shift, colour, marker in zip(
        tables.items(), shifts, COLOURS, MARKERS, strict=False
    ):
        spread = _spread(table["f1"], table["f1_low"], table["f1_high"])
        axes.errorbar(table["f1"], y + shift, xerr=spread, fmt=marker, ms=4, color=colour,
                      lw=1, label=name)  # fmt: skip
    labels = [f"{c} ({n})" for c, n in zip(first["class"], first["n"], strict=True)]
    axes.set_yticks(y, labels, fontsize=8)
    axes.set(xlabel="F1 on the test part (95 % interval over patients)", xlim=(-0.02, 1.02))
    axes.set_ylim(-0.6, len(first) - 0.4)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0))
    tidy(axes)
    return figure


def _spread(value: pd.Series, low: pd.Series, high: pd.Series) -> list[pd.Series]:
    """Return how far an interval reaches to both sides of a value, 0 where it lies beyond."""
    return [(value - low).clip(lower=0), (high - value).clip(lower=0)]


def cost_figure(table: pd.DataFrame, score: Mapping[str, float]) -> Figure:
    """Show macro-F1 over parameters, operations and latency of the networks of a run.

    Parameters
    ----------
    table : DataFrame
        ``network, million MAC, latency (ms), parameters``.
    score : mapping of str to float
        Network to macro-F1.
    """
    import seaborn as sns

    figure, panels = new_figure(1, 3, height=2.7, sharey=True)
    table = table.assign(**{"million parameters": table["parameters"] / 1e6})
    table = table.assign(score=table["network"].map(score))
    columns = ("million parameters", "million MAC", "latency (ms)")
    for axes, column in zip(panels, columns, strict=True):
        sns.scatterplot(table, x=column, y="score", hue="network", style="network", s=60,
                        palette=COLOURS[: len(table)], markers=MARKERS[: len(table)],
                        legend=axes is panels[0], ax=axes)  # fmt: skip
        axes.set(xscale="log", xlabel=column, ylim=(-0.03, 1.03))
        plain_log_ticks(axes.xaxis)
        axes.tick_params(axis="x", labelsize=7)
        axes.margins(x=0.3)
        tidy(axes)
    panels[0].set_ylabel("macro-F1, test")
    panels[0].legend(frameon=False, fontsize=7)
    return figure


def border_figure(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Show macro-F1 with interval of each network (group) and view of the image (colour).

    Parameters
    ----------
    table : DataFrame
        ``network, image, macro_f1, low, high``, the networks in order.
    names : sequence of str
        Networks, for the ticks.
    """
    import seaborn as sns

    figure, axes = new_figure(height=2.9)
    views = table["image"].unique()
    sns.barplot(table, x="network", y="macro_f1", hue="image", palette=COLOURS[: len(views)],
                saturation=1, gap=0.08, errorbar=None, ax=axes)  # fmt: skip
    for view, bars in zip(views, list(axes.containers), strict=True):
        rows = table[table["image"] == view]
        x = [bar.get_x() + bar.get_width() / 2 for bar in bars]
        spread = _spread(rows["macro_f1"], rows["low"], rows["high"])
        axes.errorbar(x, rows["macro_f1"], yerr=spread, fmt="none", color="black", lw=1)
    axes.set_xticks(range(len(names)), names)
    axes.set(xlabel="", ylabel="macro-F1, test", ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    tidy(axes).grid(axis="x", visible=False)
    return figure
