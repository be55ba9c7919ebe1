"""Pictures of fetal brains: one of each class, through filters, and under a network's maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.style import GREEN, hide_ticks, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ASPECT = 800 / 540


def show_brain(
    axes: Axes, image: np.ndarray, lesion: np.ndarray | None = None, aspect: float = ASPECT
) -> Axes:
    """Show a squashed image in its own aspect, with the anomaly outlined.

    Parameters
    ----------
    axes : Axes
    image : ndarray, shape (H, W), uint8
    lesion : ndarray, shape (H, W), bool, optional
        Drawn green.
    aspect : float
        Width over height of the image before it was squashed.
    """
    height, width = image.shape
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=(0, aspect * height, height, 0))
    if lesion is not None and lesion.any() and not lesion.all():
        x, y = (np.arange(width) + 0.5) * aspect * height / width, np.arange(height) + 0.5
        axes.contour(x, y, lesion.astype(float), levels=[0.5], colors=GREEN, linewidths=1.1)
    return hide_ticks(axes)


def brain_gallery(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    lesions: Sequence[np.ndarray] | None = None,
    aspect: float = ASPECT,
    n_columns: int = 4,
) -> Figure:
    """Show images in rows, with titles.

    Parameters
    ----------
    images : sequence of ndarray, shape (H, W), uint8
    titles : sequence of str
    lesions : sequence of ndarray, shape (H, W), bool, optional
    aspect : float
    n_columns : int
    """
    n_rows = -(-len(images) // n_columns)
    height = n_rows * (7.2 / n_columns / aspect + 0.28)
    figure, grid = new_figure(n_rows, n_columns, height=height, squeeze=False)
    for i, axes in enumerate(grid.ravel()):
        if i >= len(images):
            axes.set_axis_off()
            continue
        show_brain(axes, images[i], None if lesions is None else lesions[i], aspect)
        axes.set_title(titles[i], fontsize=7)
    return figure


def filter_gallery(images: Mapping[str, np.ndarray], aspect: float = ASPECT) -> Figure:
    """Show one image through several filters; the mapping gives the titles."""
    return brain_gallery(list(images.values()), list(images), None, aspect, n_columns=len(images))


def cam_gallery(
    images: Sequence[np.ndarray],
    maps: Sequence[np.ndarray],
    titles: Sequence[str],
    lesions: Sequence[np.ndarray] | None = None,
    aspect: float = ASPECT,
) -> Figure:
    """Show images above the same images under their maps, the anomaly outlined.

    Parameters
    ----------
    images : sequence of ndarray, shape (H, W), uint8
    maps : sequence of ndarray, shape (H, W), >= 0
        All on one colour scale, from 0 to the largest value of all; not stretched one by one.
    titles : sequence of str
    lesions : sequence of ndarray, shape (H, W), bool, optional
    aspect : float
    """
    n = len(images)
    figure, grid = new_figure(2, n, height=2 * (6.4 / n / aspect) + 0.55, squeeze=False)
    top = max(float(np.max(one)) for one in maps) or 1.0
    for i in range(n):
        lesion = None if lesions is None else lesions[i]
        title = titles[i].replace(" ", "\n", 1)
        show_brain(grid[0, i], images[i], lesion, aspect).set_title(title, fontsize=7)
        show_brain(grid[1, i], images[i], lesion, aspect)
        height = images[i].shape[0]
        box = (0, aspect * height, height, 0)
        shown = grid[1, i].imshow(
            maps[i],
            cmap="magma",
            alpha=0.55,
            vmin=0,
            vmax=top,
            extent=box,
            interpolation="bilinear",
        )
    figure.colorbar(shown, ax=grid[1, :].tolist(), shrink=0.8, label="Grad-CAM")
    return figure
