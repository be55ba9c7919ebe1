"""The sizes of a structure in millimetres, read off a map of its probability.

A head gives HC, BPD and OFD (the axes of its ellipse, outer to outer), an abdomen AC, TAD and
APAD, a femur FL. Nothing but the map and the pixel size enters, except that an outline does not
say which of an abdomen's two axes is the transverse one: a line along it tells that.
"""

from __future__ import annotations

import math

import numpy as np

from fetal_lib.geometry.callipers import band_ends, line_length
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.fit import ellipse_from_probs

SIZES = {
    "head": ("hc_mm", "bpd_mm", "ofd_mm"),
    "abdomen": ("ac_mm", "tad_mm", "apad_mm"),
    "femur": ("fl_mm",),
}
"""The sizes of each structure; the first is the one that is charted."""


def sizes_mm(
    structure: str,
    probs: np.ndarray,
    size_hw: tuple[int, int],
    pixel_size_mm: float,
    transverse: np.ndarray | None = None,
) -> dict[str, float]:
    """Measure what a probability map (H, W) of a squashed scan shows.

    Parameters
    ----------
    structure : "head", "abdomen" or "femur".
    probs : float array (H, W), range [0, 1].
    size_hw : (height, width) of the scan before it was squashed.
    pixel_size_mm : float, of that scan.
    transverse : float array (2, 2), optional
        A line along an abdomen's TAD, in pixels of the scan: TAD is the axis nearest to it.
        Without it TAD and APAD are NaN.

    Returns
    -------
    dict of float: ``SIZES[structure]``, in mm; all NaN where nothing can be measured.

    Examples
    --------
    >>> head = Ellipse(400, 270, 200, 160, 0.3)
    >>> found = sizes_mm("head", head.mask((540, 800)), (540, 800), 0.1)
    >>> {name: round(value, 1) for name, value in found.items()}
    {'hc_mm': 113.4, 'bpd_mm': 32.0, 'ofd_mm': 40.0}
    """
    if structure not in SIZES:
        known = ", ".join(SIZES)
        raise ValueError(f"structure: received {structure!r}; it must be one of {known}.")
    try:
        if structure == "femur":
            return {"fl_mm": line_length(line_from_probs(probs, size_hw)) * pixel_size_mm}
        ellipse = ellipse_from_probs(probs).resized(np.shape(probs), size_hw)
    except ValueError:
        return dict.fromkeys(SIZES[structure], math.nan)
    return ellipse_sizes_mm(structure, ellipse, pixel_size_mm, transverse)


def ellipse_sizes_mm(
    structure: str, ellipse: Ellipse, pixel_size_mm: float, transverse: np.ndarray | None = None
) -> dict[str, float]:
    """Return the sizes of a head or an abdomen from its ellipse in pixels of the scan.

    The arguments are those of `sizes_mm`.
    """
    pair = (2 * ellipse.semi_minor, 2 * ellipse.semi_major)
    if structure == "abdomen":
        pair = _by_direction(ellipse, transverse)
    lengths = (ellipse.perimeter, *pair)
    return {name: v * pixel_size_mm for name, v in zip(SIZES[structure], lengths, strict=True)}


def line_from_probs(probs: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Return the ends (2, 2) of a band in the scan's pixels; it is cut at half on the scan's grid.

    Raises
    ------
    ValueError
        If there is no band.
    """
    import cv2

    size = tuple(int(n) for n in size_hw[::-1])
    grown = cv2.resize(np.asarray(probs, np.float32), size, interpolation=cv2.INTER_LINEAR)
    return band_ends(grown >= 0.5)


def _by_direction(ellipse: Ellipse, transverse: np.ndarray | None) -> tuple[float, float]:
    """Return the axis nearest to a line's direction, and the other; NaN without a line."""
    if transverse is None:
        return math.nan, math.nan
    x, y = np.subtract(*np.asarray(transverse, float)[::-1])
    across = abs(np.cos(np.arctan2(y, x) - ellipse.angle_rad)) < np.sqrt(0.5)
    axes = (2 * ellipse.semi_major, 2 * ellipse.semi_minor)
    return axes[::-1] if across else axes
