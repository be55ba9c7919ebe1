"""Figures of brain age: who the subjects are, volumes by age, predictions, gaps, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.regression import mae, r2
from fetal_lib.plots.boxes import draw_boxes
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
    from matplotlib.figure import Figure

SEX = {"F": ("women", VERMILION), "M": ("men", BLUE), "": ("unknown", GREY)}
TISSUES = {"csf": ("CSF", BLUE), "gray": ("gray matter", ORANGE), "white": ("white matter", GREEN)}


def age_sex_histograms(age_years: np.ndarray, sex: np.ndarray) -> Figure:
    """Show how many women and men there are of each age, and in all.

    Parameters
    ----------
    age_years : float (N,)
    sex : (N,), F or M; anything else counts as unknown.
    """
    import pandas as pd
    import seaborn as sns

    names = [SEX.get(one, SEX[""])[0] for one in sex]
    colours = {name: colour for name, colour in SEX.values() if name in names}
    table = pd.DataFrame({"age": age_years, "sex": names})
    bins = np.arange(age_years.min() // 5 * 5, age_years.max() + 5.1, 5)
    look = {"data": table, "hue": "sex", "palette": colours}
    figure, (left, right) = new_figure(1, 2, height=2.7, width_ratios=(3, 1))
    order = list(colours)
    sns.histplot(
        **look, x="age", bins=bins, multiple="stack", hue_order=order[::-1], alpha=1, lw=0, ax=left
    )
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 3}
    sns.move_legend(left, **place, title=None, frameon=False, fontsize=8, reverse=True)
    sns.countplot(**look, x="sex", order=order, hue_order=order, saturation=1, ax=right)
    left.set(xlabel="age (years)", ylabel="subjects")
    right.set(xlabel="", ylabel="subjects")
    right.yaxis.get_major_locator().set_params(integer=True)
    right.tick_params(axis="x", labelsize=8)
    for axes in (left, right):
        tidy(axes).set_axisbelow(True)
    return figure


def volumes_by_age(
    age_years: np.ndarray, volumes_ml: Mapping[str, np.ndarray], shares: Mapping[str, np.ndarray]
) -> Figure:
    """Show volumes of each tissue, and shares of their sum, against age.

    Parameters
    ----------
    age_years : float (N,)
    volumes_ml, shares : ``csf``, ``gray`` and ``white`` to float (N,).
    """
    figure, axes = new_figure(1, 2, height=3.0)
    for panel, values, label in (
        (axes[0], volumes_ml, "volume (mL)"),
        (axes[1], shares, "share of the three"),
    ):
        for name, (title, colour) in TISSUES.items():
            panel.scatter(age_years, values[name], s=9, alpha=0.6, lw=0, color=colour, label=title)
        panel.set(xlabel="age (years)", ylabel=label)
        tidy(panel)
    axes[0].legend(frameon=False, fontsize=8, ncols=3, loc="upper right", handletextpad=0.1)
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low, high + 0.15 * (high - low))
    return figure


def dice_boxes(groups: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Show the Dice of each tissue for each network and kind of labels, as box plots.

    Parameters
    ----------
    groups : mapping of a name to a mapping of a tissue to values (N,).
    """
    import pandas as pd

    colours = {title.replace(" matter", ""): colour for title, colour in TISSUES.values()}
    figure, axes = new_figure(1, len(groups), height=2.9, sharey=True, squeeze=False)
    for panel, (title, tissues) in zip(axes[0], groups.items(), strict=True):
        named = {name: tissues[key] for key, name in zip(TISSUES, colours, strict=True)}
        table = pd.DataFrame(named).melt(var_name="tissue", value_name="dice")
        draw_boxes(panel, table, "tissue", "dice", "tissue", colours)
        panel.set_title(title, fontsize=8)
        tidy(panel)
    axes[0, 0].set_ylabel("Dice")
    return figure


def predicted_against_true(
    age_years: np.ndarray, predictions: Mapping[str, np.ndarray], n_columns: int = 3
) -> Figure:
    """Show predicted against true age, a panel a model, with MAE and R² in the title.

    The frame holds all but the wildest predictions; a triangle at its edge is one beyond it.

    Parameters
    ----------
    age_years : float (N,)
    predictions : mapping of a model's name to float (N,).
    """
    n_columns = 2 if len(predictions) == 4 else n_columns
    n_rows = -(-len(predictions) // n_columns)
    figure, axes = new_figure(
        n_rows, n_columns, height=2.3 * n_rows + 0.3, sharex=True, sharey=True, squeeze=False
    )
    low, high = age_years.min() - 5, age_years.max() + 5
    for panel, (name, pred) in zip(axes.flat, predictions.items(), strict=False):
        panel.plot([low, high], [low, high], color=GREY, lw=1)
        panel.scatter(age_years, pred, s=9, alpha=0.6, lw=0, color=BLUE)
        error, explained = mae(age_years, pred), r2(age_years, pred)
        panel.set_title(f"{name}\nMAE {error:.1f} y, R² {explained:.2f}", fontsize=8)
        tidy(panel)
    for empty in range(len(predictions), axes.size):
        axes.flat[empty].set_visible(False)
        axes.flat[empty - n_columns].tick_params(labelbottom=True)
    span = np.concatenate(list(predictions.values()))
    floor, top = np.quantile(span, [0.005, 0.995])
    floor, top = min(low, floor - 3), max(high, top + 3)
    axes[0, 0].set_ylim(floor, top)
    for panel, pred in zip(axes.flat, predictions.values(), strict=False):
        for beyond, edge, marker in ((pred < floor, floor, "v"), (pred > top, top, "^")):
            where = age_years[beyond], np.full(beyond.sum(), edge)
            panel.scatter(*where, s=18, marker=marker, color=VERMILION, lw=0, clip_on=False)
    figure.supxlabel("age (years)", fontsize=9)
    figure.supylabel("predicted age (years)", fontsize=9)
    return figure


def gap_figure(age_years: np.ndarray, variants: Mapping[str, np.ndarray]) -> Figure:
    """Show the brain-age gap against age, with its regression line, a panel a variant."""
    import seaborn as sns

    figure, axes = new_figure(1, len(variants), height=2.8, sharey=True, squeeze=False)
    for panel, (name, pred) in zip(axes[0], variants.items(), strict=True):
        gap = pred - age_years
        panel.axhline(0, color=GREY, lw=0.8)
        dots = {"s": 9, "alpha": 0.6, "linewidths": 0, "color": BLUE}
        line = {"color": VERMILION, "lw": 1.5}
        sns.regplot(x=age_years, y=gap, ci=None, scatter_kws=dots, line_kws=line, ax=panel)
        slope, _ = np.polyfit(age_years, gap, 1)
        panel.set(xlabel="age (years)", ylabel="")
        panel.set_title(f"{name}\nslope {slope:+.2f} y/y", fontsize=8)
        tidy(panel)
    axes[0, 0].set_ylabel("predicted - true (years)")
    return figure


def decades_figure(tables: Mapping[str, object]) -> Figure:
    """Show the MAE of each decade with its interval, a line a model.

    Parameters
    ----------
    tables : mapping of a model's name to a DataFrame with ``decade, n, MAE (y), 95 % low, high``.
    """
    figure, axes = new_figure(height=3.0)
    colours, marks = (BLUE, ORANGE, GREEN, PURPLE, SKY), "osD^v"
    for k, (name, table) in enumerate(tables.items()):
        x = np.arange(len(table)) + 0.12 * (k - (len(tables) - 1) / 2)
        value = table["MAE (y)"].to_numpy()
        spread = [value - table["95 % low"].to_numpy(), table["95 % high"].to_numpy() - value]
        spread = np.nan_to_num(np.maximum(spread, 0))
        look = {"fmt": marks[k % 5], "color": colours[k % 5], "ms": 5}
        axes.errorbar(x, value, yerr=spread, capsize=2, label=name, **look)
    names = [f"{d}\n(n={n})" for d, n in zip(table["decade"], table["n"], strict=True)]
    axes.set(xticks=np.arange(len(table)), xticklabels=names, ylabel="MAE (years)", ylim=(0, None))
    axes.set_xlabel("age (years)")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    tidy(axes)
    return figure
