"""Curves of training: what rose and fell over the epochs of one fit or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from fetal_lib.plots.style import BLUE, ORANGE, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def learning_curves(
    histories: Mapping[str, Sequence[Sequence[dict]]],
    quantities: Mapping[str, str],
    log: bool = False,
) -> Figure:
    """Show quantities over epochs, a panel each and a line a fit; the validation part is dashed.

    Parameters
    ----------
    histories : mapping of a title to the histories of its fits
        Rows with ``epoch`` and, as far as there are, the quantity and ``val_`` + the quantity.
    quantities : mapping of str to str
        Name in the histories to label of the vertical axis.
    log : bool
        Whether vertical axes are logarithmic.
    """
    n = len(histories) * len(quantities)
    figure, axes = new_figure(1, n, height=2.8, squeeze=False)
    panels = product(histories.items(), quantities.items())
    for panel, ((title, fits), (quantity, label)) in zip(axes[0], panels, strict=True):
        for history in fits:
            _draw_fit(panel, history, quantity)
        panel.set(xlabel="epoch", ylabel=label)
        panel.set_title(title, fontsize=9)
        _label_ticks(panel, log)
        handles, labels = panel.get_legend_handles_labels()
        once = dict(zip(labels, handles, strict=True))
        panel.legend(once.values(), once, frameon=False, fontsize=8)
        tidy(panel)
    return figure


def _draw_fit(axes: Axes, history: Sequence[dict], quantity: str) -> None:
    parts = (("", BLUE, "-", "training part"), ("val_", ORANGE, "--", "validation part"))
    for prefix, colour, line, label in parts:
        rows = [row for row in history if prefix + quantity in row]
        values = [row[prefix + quantity] for row in rows]
        look = {"ls": line, "lw": 1.2, "marker": "." if len(rows) < 3 else None}
        if rows:
            axes.plot([row["epoch"] for row in rows], values, color=colour, label=label, **look)


def _label_ticks(axes: Axes, log: bool) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
