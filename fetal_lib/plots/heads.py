"""Pictures of ultrasound scans, masks and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.style import BLUE, GREEN, ORANGE, hide_ticks, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    mask : ndarray, shape (H, W), 0-255 or bool, optional
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
    if mask is not None and mask.any() and not mask.all():
        half = 0.5 if mask.dtype == bool else 127.5
        axes.contour(x, y, mask, levels=[half], colors=GREEN, linewidths=1.4)
    if probs is not None and (probs >= 0.5).any() and (probs < 0.5).any():
        axes.contour(x, y, probs, levels=[0.5], colors=ORANGE, linewidths=1.4, linestyles="--")
    return hide_ticks(axes)


def gallery(
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray] | None,
    titles: Sequence[str],
    sizes_hw: np.ndarray | Sequence[tuple[float, float]],
    probs: np.ndarray | None = None,
    n_columns: int = 4,
) -> Figure:
    """Show images in rows, with their reference and predictions if given.

    Parameters
    ----------
    images : sequence of ndarray, shape (H, W), uint8
    masks : sequence of ndarray, shape (H, W), 0-255 or bool, optional
    titles : sequence of str, length N
    sizes_hw : N pairs, or one for all
        Sizes of the scans, which are shown in their own aspect.
    probs : ndarray, shape (N, H, W), optional
    n_columns : int
    """
    heights, widths = np.transpose(sizes_hw)
    aspects = np.broadcast_to(widths / heights, len(images))
    n_rows = -(-len(images) // n_columns)
    height = n_rows * (5 / n_columns + 0.3)
    figure, axes = new_figure(n_rows, n_columns, height=height, squeeze=False)
    for i, ax in enumerate(axes.flat):
        if i >= len(images):
            ax.set_visible(False)
            continue
        mask, found = (None if part is None else part[i] for part in (masks, probs))
        show_scan(ax, images[i], mask, found, aspect=aspects[i])
        ax.set_title(titles[i], fontsize=8 if n_columns <= 4 else 7)
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
