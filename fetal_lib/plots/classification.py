"""Figures of a classifier: confusion, ROC and precision-recall, per-class scores, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

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
    tidy,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
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
    figure, axes = new_figure(height=0.24 * len(counts) + 0.9)
    y, left = np.arange(len(counts))[::-1], np.zeros(len(counts))
    for part, colour in PART_COLOURS.items():
        values = counts[part].to_numpy(float)
        axes.barh(y, values, left=left, color=colour, label=part, height=0.75)
        left += values
    for at, value in zip(y, left, strict=True):
        axes.annotate(f"{value:.0f}", (value, at), (3, 0), textcoords="offset points",
                      va="center", fontsize=7)  # fmt: skip
    axes.set_yticks(y, counts["class"], fontsize=8)
    axes.set(xlabel="images", ylim=(-0.6, len(counts) - 0.4))
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    tidy(axes).grid(axis="y", visible=False)
    return figure


def training_curves(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Show cross-entropy of both parts and macro-F1 of validation over epochs, a model a colour.

    Parameters
    ----------
    histories : mapping of str to rows with ``epoch, loss, val_loss, val_macro_f1``; a model
        without rows is left out.
    """
    figure, (left, right) = new_figure(1, 2, height=2.9)
    trained = {name: rows for name, rows in histories.items() if rows}
    for (name, rows), colour in zip(trained.items(), COLOURS, strict=False):
        epoch = [row["epoch"] for row in rows]
        left.plot(epoch, [row["loss"] for row in rows], "--", color=colour, lw=1.1)
        left.plot(epoch, [row["val_loss"] for row in rows], color=colour, lw=1.4)
        right.plot(epoch, [row["val_macro_f1"] for row in rows], color=colour, lw=1.4, label=name)
    right.plot([], [], "--", color=GREY, lw=1.1, label="training (augmented)")
    left.set(xlabel="epoch", ylabel="cross-entropy")
    right.set(xlabel="epoch", ylabel="macro-F1, validation", ylim=(0, 1))
    right.legend(frameon=False, fontsize=7, loc="upper left")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        tidy(axes)
    return figure


def search_figure(trials: Sequence[Mapping]) -> Figure:
    """Show the score of each trial, the best so far, and scores over the learning rate."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure, (left, right) = new_figure(1, 2, height=2.6)
    values = np.array([row["value"] for row in trials])
    number = np.arange(1, len(values) + 1)
    left.step(
        number, np.maximum.accumulate(values), where="post", color=ORANGE, label="best so far"
    )
    left.scatter(number, values, s=18, color=BLUE, label="trial", zorder=3)
    left.set(xlabel="trial", ylabel="macro-F1, validation")
    left.set_xlim(0.5, len(values) + 0.5)
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False, fontsize=8)
    rates = [row["parameters"]["learning_rate"] for row in trials]
    kinds = [row["parameters"]["balance"] for row in trials]
    for kind, colour, marker in zip(sorted(set(kinds)), COLOURS, MARKERS, strict=False):
        chosen = [k == kind for k in kinds]
        right.scatter(np.array(rates)[chosen], values[chosen], s=22, color=colour, marker=marker,
                      label=f"balance: {kind}")  # fmt: skip
    right.set(xlabel="learning rate", xscale="log", xlim=(min(rates) / 2, max(rates) * 2))
    right.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    right.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}"))
    right.xaxis.set_minor_formatter(NullFormatter())
    right.legend(frameon=False, fontsize=7)
    tidy(left), tidy(right)
    return figure


def confusion_figure(confusion: np.ndarray, names: Sequence[str]) -> Figure:
    """Show a confusion matrix: counts as numbers, shares of the true class as shades.

    Parameters
    ----------
    confusion : ndarray, shape (K, K), int
        Rows are true classes.
    names : sequence of str, length K
    """
    n = confusion.sum(1, keepdims=True)
    share = confusion / np.maximum(n, 1)
    figure, axes = new_figure(height=5.6)
    shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, k in zip(*np.nonzero(confusion), strict=True):
        colour = "white" if share[i, k] > 0.55 else "black"
        axes.text(k, i, str(confusion[i, k]), ha="center", va="center", fontsize=7, color=colour)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=50, ha="right", rotation_mode="anchor", fontsize=7)
    labels = [f"{name} ({count})" for name, count in zip(names, n[:, 0], strict=True)]
    axes.set_yticks(ticks, labels, fontsize=7)
    axes.set(xlabel="predicted", ylabel="true (images)")
    figure.colorbar(shown, ax=axes, label="share of the true class", shrink=0.6)
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
        low, high = band.auc_ci95
        axes.text(0.97, 0.06, f"{band.auc:.3f}\n({low:.3f}-{high:.3f})\nn = {band.n}",
                  ha="right", fontsize=6.5)  # fmt: skip
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
    for axes, drawn in ((left, curves), (right, precision)):
        for (label, curve), colour in zip(drawn.items(), COLOURS, strict=False):
            where = {"drawstyle": "steps-post"} if axes is right else {}
            axes.plot(curve.x, curve.y, color=colour, lw=1.3, label=label, **where)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        axes.legend(
            fontsize=7,
            frameon=True,
            framealpha=0.9,
            loc="lower left" if axes is right else "lower right",
        )
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
        low = np.maximum(table["f1"] - table["f1_low"], 0)
        high = np.maximum(table["f1_high"] - table["f1"], 0)
        axes.errorbar(table["f1"], y + shift, xerr=[low, high], fmt=marker, ms=4, color=colour,
                      lw=1, label=name)  # fmt: skip
    labels = [f"{c} ({n})" for c, n in zip(first["class"], first["n"], strict=True)]
    axes.set_yticks(y, labels, fontsize=8)
    axes.set(xlabel="F1 on the test part (95 % interval over patients)", xlim=(-0.02, 1.02))
    axes.set_ylim(-0.6, len(first) - 0.4)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0))
    tidy(axes)
    return figure


def share_figure(table: pd.DataFrame, label: str) -> Figure:
    """Show a value of each predictor in [0, 1] with its interval, best at the top.

    Parameters
    ----------
    table : DataFrame
        ``model, value, low, high``.
    label : str
    """
    figure, axes = new_figure(height=0.36 * len(table) + 0.8)
    y = np.arange(len(table))[::-1]
    spread = [np.maximum(table["value"] - table["low"], 0),
              np.maximum(table["high"] - table["value"], 0)]  # fmt: skip
    axes.errorbar(table["value"], y, xerr=spread, fmt="o", color=BLUE, capsize=3)
    for at, number in zip(y, table["value"], strict=True):
        axes.annotate(f"{number:.2f}", (number, at), (0, 5), textcoords="offset points", fontsize=8)
    axes.set_yticks(y, table["model"], fontsize=8)
    axes.set(xlabel=label, xlim=(-0.02, 1.02), ylim=(-0.5, len(table) - 0.3))
    tidy(axes)
    return figure


def cost_figure(table: pd.DataFrame, score: Mapping[str, float]) -> Figure:
    """Show macro-F1 over parameters, operations and latency of the networks of a run.

    Parameters
    ----------
    table : DataFrame
        ``network, million MAC, latency (ms), parameters``.
    score : mapping of str to float
        Network to macro-F1.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure, panels = new_figure(1, 3, height=2.7, sharey=True)
    table = table.assign(**{"million parameters": table["parameters"] / 1e6})
    columns = ("million parameters", "million MAC", "latency (ms)")
    for axes, column in zip(panels, columns, strict=True):
        for (_, row), colour, marker in zip(table.iterrows(), COLOURS, MARKERS, strict=False):
            name, x = row["network"], row[column]
            axes.scatter(x, score[name], s=36, color=colour, marker=marker, label=name)
        axes.set(xscale="log", xlabel=column, ylim=(-0.03, 1.03))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.3g}"))
        axes.tick_params(axis="x", labelsize=7)
        axes.margins(x=0.3)
        tidy(axes)
    panels[0].set_ylabel("macro-F1, test")
    panels[0].legend(frameon=False, fontsize=7)
    return figure


def bars_by_view(axes: Axes, table: pd.DataFrame, names: Sequence[str]) -> Axes:
    """Draw macro-F1 with interval of each network (group) and view of the image (colour).

    Parameters
    ----------
    axes : Axes
    table : DataFrame
        ``network, image, macro_f1, low, high``.
    names : sequence of str
        Networks, for the ticks.
    """
    views = list(dict.fromkeys(table["image"]))
    width = 0.8 / len(views)
    for i, (view, colour) in enumerate(zip(views, COLOURS, strict=False)):
        rows = table[table["image"] == view]
        x = np.arange(len(rows)) + (i - (len(views) - 1) / 2) * width
        spread = [np.maximum(rows["macro_f1"] - rows["low"], 0),
                  np.maximum(rows["high"] - rows["macro_f1"], 0)]  # fmt: skip
        axes.bar(x, rows["macro_f1"], width * 0.92, color=colour, label=view)
        axes.errorbar(x, rows["macro_f1"], yerr=spread, fmt="none", color="black", lw=1)
    axes.set_xticks(range(len(names)), names)
    axes.set(ylabel="macro-F1, test", ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    tidy(axes).grid(axis="x", visible=False)
    return axes


def border_figure(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Show :func:`bars_by_view` as a figure of its own."""
    figure, axes = new_figure(height=2.9)
    bars_by_view(axes, table, names)
    return figure
