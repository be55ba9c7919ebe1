"""Pictures of volumes: three planes, tissues over the scan, and maps over a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.style import BLUE, GREEN, ORANGE, hide_ticks, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLANES = ("sagittal", "coronal", "axial")
TISSUE_COLOURS = {1: BLUE, 2: ORANGE, 3: GREEN}
TISSUE_NAMES = {1: "CSF", 2: "gray matter", 3: "white matter"}


def plane(volume: np.ndarray, axis: int, at: int | None = None) -> np.ndarray:
    """Return a slice of a volume in RAS order, upright: up or front is the first row.

    Parameters
    ----------
    volume : (X, Y, Z)
    axis : 0 sagittal, 1 coronal, 2 axial.
    at : index along the axis; the middle without it.

    Examples
    --------
    >>> volume = np.zeros((2, 3, 4)); volume[0, 2, 3] = 1
    >>> plane(volume, 2, 3).tolist()
    [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    at = volume.shape[axis] // 2 if at is None else at
    return np.take(volume, at, axis=axis).T[::-1]


def show_plane(
    axes: Axes,
    volume: np.ndarray,
    axis: int,
    at: int | None = None,
    labels: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
    alpha: float = 0.45,
) -> Axes:
    """Draw one slice of a scan, with tissues in colour over it; return the axes."""
    from matplotlib.colors import ListedColormap

    low, high = limits or (float(volume.min()), float(np.percentile(volume, 99.7)))
    axes.imshow(plane(volume, axis, at), cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    if labels is not None:
        cut = plane(labels, axis, at)
        colours = ListedColormap([TISSUE_COLOURS[k] for k in (1, 2, 3)])
        shown = np.ma.masked_equal(cut, 0)
        axes.imshow(shown, cmap=colours, vmin=0.5, vmax=3.5, alpha=alpha, interpolation="nearest")
    return hide_ticks(axes)


def orthogonal_views(
    volumes: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray] | None = None,
    shift: float = 0.0,
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Show volumes in three planes through their middle, a column each.

    Parameters
    ----------
    volumes : mapping of title to (X, Y, Z), RAS; shapes may differ.
    labels : mapping of the same titles to tissue labels, optional.
    shift : off the middle along the first axis, as a share of it: the midline shows little cortex.
    limits : mapping of some titles to the values shown as black and white.
    """
    x, y, z = next(iter(volumes.values())).shape
    ratios = [y / x, z / x, z / y]
    n = len(volumes)
    column = min(2.0, 6.9 / n)
    size = {"height": 0.5 + column * sum(ratios), "width": 0.3 + column * n}
    figure, axes = new_figure(3, n, squeeze=False, height_ratios=ratios, **size)
    for column, (title, volume) in enumerate(volumes.items()):
        part = None if labels is None else labels.get(title)
        for row, axis in enumerate((2, 1, 0)):
            at = int(volume.shape[axis] * (0.5 + (shift if axis == 0 else 0)))
            show_plane(axes[row, column], volume, axis, at, part, (limits or {}).get(title))
        axes[0, column].set_title(title, fontsize=8)
    for row, axis in enumerate((2, 1, 0)):
        axes[row, 0].set_ylabel(PLANES[axis], fontsize=8)
    return figure


def tissue_gallery(
    scans: Sequence[np.ndarray], columns: Mapping[str, Sequence[np.ndarray]], titles: Sequence[str]
) -> Figure:
    """Show an axial slice of scans in rows: the scan, then labels of each kind over it.

    Parameters
    ----------
    scans : (X, Y, Z) each.
    columns : mapping of a name to labels of each scan.
    titles : one a scan.
    """
    from matplotlib.patches import Patch

    n = len(scans)
    x, y, _ = scans[0].shape
    height = n * (7.0 / (1 + len(columns)) * y / x + 0.08) + 0.5
    figure, axes = new_figure(n, 1 + len(columns), height=height, squeeze=False)
    for row, scan in enumerate(scans):
        show_plane(axes[row, 0], scan, 2)
        axes[row, 0].set_ylabel(titles[row], fontsize=8)
        for column, parts in enumerate(columns.values(), start=1):
            show_plane(axes[row, column], scan, 2, labels=parts[row], alpha=0.75)
    for column, name in enumerate(("scan", *columns)):
        axes[0, column].set_title(name, fontsize=8)
    handles = [Patch(color=TISSUE_COLOURS[k], label=TISSUE_NAMES[k]) for k in (1, 2, 3)]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def mean_maps(
    background: np.ndarray, maps: Mapping[str, np.ndarray], unit: str = "years"
) -> Figure:
    """Show maps over a mean brain in three planes, each map on its own scale.

    Values below 15 % of the largest are not drawn. A map that is zero everywhere is shown empty,
    and its title says so.
    """
    n = len(maps)
    figure, axes = new_figure(n, 3, height=2.1 * n + 0.2, squeeze=False)
    for row, (title, values) in enumerate(maps.items()):
        top = float(np.abs(values).max())
        for column, axis in enumerate((2, 1, 0)):
            show_plane(axes[row, column], background, axis)
            cut = plane(values, axis)
            shown = np.ma.masked_less(np.abs(cut), 0.15 * top if top else np.inf)
            image = axes[row, column].imshow(
                shown, cmap="magma", vmin=0, vmax=top or 1.0, alpha=0.7
            )
            axes[0, column].set_title(PLANES[axis], fontsize=8)
        axes[row, 0].set_ylabel(title if top else f"{title}: zero everywhere", fontsize=8)
        figure.colorbar(image, ax=axes[row, :], shrink=0.8, label=unit)
    return figure
