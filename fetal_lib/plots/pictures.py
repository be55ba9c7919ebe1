"""A sheet of pictures in rows, each row with its name: galleries of images or of slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.style import hide_ticks, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def picture_sheet(
    rows: Mapping[str, Sequence[np.ndarray]],
    titles: Sequence[str] | Mapping[str, Sequence[str]] = (),
    row_inches: float = 1.5,
    width: float = 7.2,
) -> Figure:
    """Show rows of grey pictures, each scaled by its own brightest 0.5 %.

    Parameters
    ----------
    rows : mapping of str to sequence of ndarray, shape (H, W)
        Name of the row, and its pictures, left to right.
    titles : sequence of str, or mapping
        Above the columns; or above every picture of a row, by the row's name.
    row_inches, width : float
        Height of a row and width of the sheet, in inches.

    Raises
    ------
    ValueError
        If there is no picture.
    """
    n_columns = max((len(pictures) for pictures in rows.values()), default=0)
    if n_columns == 0:
        raise ValueError("rows: received no picture; give at least one row with one picture.")
    figure, axes = new_figure(
        len(rows), n_columns, height=row_inches * len(rows) + 0.2, width=width, squeeze=False
    )
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        for ax in line[len(pictures) :]:
            ax.set_axis_off()
        for ax, picture in zip(line, pictures, strict=False):
            top = max(float(np.quantile(picture, 0.995)), 1e-6)
            ax.imshow(picture, cmap="gray", vmin=0, vmax=top)
            ax.spines[:].set_visible(False)
            hide_ticks(ax)
        line[0].set_ylabel(name, fontsize=8)
    by_row = titles if isinstance(titles, Mapping) else {next(iter(rows)): titles}
    for line, name in zip(axes, rows, strict=True):
        for ax, title in zip(line, by_row.get(name, ()), strict=False):
            ax.set_title(title, fontsize=8)
    return figure


def three_planes(volume: np.ndarray) -> list[np.ndarray]:
    """Return the middle axial, coronal and sagittal slice of a RAS volume, head up.

    Parameters
    ----------
    volume : ndarray, shape (X, Y, Z), x to the right, y to the front, z up

    Returns
    -------
    list of ndarray
        Shapes (Y, X), (Z, X) and (Z, Y). Right is on the right; the face looks up in the
        axial slice and to the right in the sagittal one.

    Examples
    --------
    >>> [picture.shape for picture in three_planes(np.zeros((2, 3, 4)))]
    [(3, 2), (4, 2), (4, 3)]
    """
    x, y, z = (side // 2 for side in volume.shape)
    slices = volume[:, :, z], volume[:, y, :], volume[x, :, :]
    return [np.flipud(one.T) for one in slices]


def on_canvas(picture: np.ndarray, side: int) -> np.ndarray:
    """Put a picture on the middle of a square of zeros, cut where it is larger.

    Parameters
    ----------
    picture : ndarray, shape (H, W)
    side : int
        In pixels.

    Examples
    --------
    >>> on_canvas(np.ones((1, 3)), 2).tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    """
    canvas = np.zeros((side, side), picture.dtype)
    height, width = (min(side, n) for n in picture.shape)
    y, x = ((n - m) // 2 for n, m in zip(picture.shape, (height, width), strict=True))
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = picture[y : y + height, x : x + width]
    return canvas
