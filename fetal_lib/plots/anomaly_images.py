"""Pictures of fetal brains under a network's maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.heads import show_scan
from fetal_lib.plots.style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def cam_gallery(
    images: Sequence[np.ndarray],
    maps: Sequence[np.ndarray],
    titles: Sequence[str],
    lesions: Sequence[np.ndarray] | None = None,
    aspect: float = 800 / 540,
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
        show_scan(grid[0, i], images[i], lesion, aspect=aspect).set_title(title, fontsize=7)
        show_scan(grid[1, i], images[i], lesion, aspect=aspect)
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
