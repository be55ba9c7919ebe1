"""Pictures of head images, masks and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.style import BLUE, GREEN, ORANGE, hide_ticks, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_COLUMNS = 4


def show_scan(
    axes: Axes,
    image: np.ndarray,
    mask: np.ndarray | None = None,
    probs: np.ndarray | None = None,
    *,
    aspect: float,
) -> Axes:
    """Show a squashed image in its scan's aspect, with reference and prediction outlined.

    Parameters
    ----------
    axes : Axes
    image : ndarray, shape (H, W), uint8
    mask : ndarray, shape (H, W), 0-255, optional
        Reference; drawn green.
    probs : ndarray, shape (H, W), in [0, 1], optional
        Prediction; its half-probability contour is drawn orange and dashed.
    aspect : float
        Width over height of the scan.
    """
    height, width = image.shape
    box = (0, aspect * height, height, 0)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=box)
    x, y = (np.arange(width) + 0.5) * aspect * height / width, np.arange(height) + 0.5
    if mask is not None and mask.any():
        axes.contour(x, y, mask, levels=[127.5], colors=GREEN, linewidths=1.4)
    if probs is not None and (probs >= 0.5).any() and (probs < 0.5).any():
        axes.contour(x, y, probs, levels=[0.5], colors=ORANGE, linewidths=1.4, linestyles="--")
    return hide_ticks(axes)


def gallery(
    images: np.ndarray,
    masks: np.ndarray,
    titles: Sequence[str],
    sizes_hw: np.ndarray,
    probs: np.ndarray | None = None,
) -> Figure:
    """Show images with their reference, and predictions if given.

    Parameters
    ----------
    images, masks : ndarray, shape (N, H, W), uint8
    titles : sequence of str, length N
    sizes_hw : ndarray, int (N, 2)
        Sizes of the scans, which are shown in their own aspect.
    probs : ndarray, shape (N, H, W), optional
    """
    aspects = sizes_hw[:, 1] / sizes_hw[:, 0]
    n_rows = -(-len(images) // N_COLUMNS)
    figure, axes = new_figure(n_rows, N_COLUMNS, height=1.55 * n_rows, squeeze=False)
    for i, ax in enumerate(axes.flat):
        if i >= len(images):
            ax.set_visible(False)
            continue
        show_scan(ax, images[i], masks[i], None if probs is None else probs[i], aspect=aspects[i])
        ax.set_title(titles[i], fontsize=8)
    return figure


def pixel_histograms(images: np.ndarray, masks: np.ndarray) -> Figure:
    """Show how grey values are spread, inside and outside the head, and head area.

    Parameters
    ----------
    images, masks : ndarray, shape (N, H, W), uint8
    """
    import pandas as pd
    import seaborn as sns

    figure, (left, right) = new_figure(1, 2, height=2.8)
    head, edges = masks >= 128, np.linspace(0, 1, 65)
    parts = {"inside head": images[head], "outside": images[~head]}
    at = (edges[1:] + edges[:-1]) / 2
    table = pd.concat(
        pd.DataFrame({"part": name, "n": np.histogram(values / 255, edges)[0], "at": at})
        for name, values in parts.items()
    )  # counts: a table of millions of pixels would take gigabytes
    look = {"binwidth": 1 / 64, "binrange": (0, 1), "stat": "density", "common_norm": False}
    look["palette"] = dict(zip(parts, (BLUE, ORANGE), strict=True))
    sns.histplot(
        table, x="at", weights="n", hue="part", **look, element="step", fill=False, ax=left
    )
    left.set(xlabel="grey value", ylabel="density (log scale)", yscale="log")
    left.get_legend().set(frame_on=False, title=None)
    sns.histplot(x=head.mean((1, 2)), bins=25, color=BLUE, edgecolor="white", alpha=1, ax=right)
    right.set(xlabel="share of the image that is head", ylabel="images")
    tidy(left), tidy(right)
    return figure


def learning_curves(history: Sequence[dict], quantity: str, label: str) -> Figure:
    """Show a quantity of the training and validation part over epochs.

    Parameters
    ----------
    history : sequence of dict
        Rows with ``epoch``, ``quantity`` and optionally ``val_`` + ``quantity``.
    quantity : str
    label : str
        For the vertical axis.
    """
    figure, axes = new_figure(height=2.8)
    epoch = [row["epoch"] for row in history]
    axes.plot(epoch, [r[quantity] for r in history], "-o", ms=3, color=BLUE, label="training")
    if f"val_{quantity}" in history[0]:
        values = [row[f"val_{quantity}"] for row in history]
        axes.plot(epoch, values, "-s", ms=3, color=ORANGE, label="validation")
    axes.set(xlabel="epoch", ylabel=label)
    if quantity == "loss":
        axes.set_yscale("log")
    axes.legend(frameon=False)
    tidy(axes)
    return figure
