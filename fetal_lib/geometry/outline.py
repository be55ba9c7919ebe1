"""HC18's annotations: a thin ring, drawn along the outer edge of the skull.

The ring's centre line is the boundary. A ring may be cut by the image border or have gaps, so
the ellipse is fitted to the ring's pixels and the disc is filled from it where it must be.
"""

from __future__ import annotations

import numpy as np

from fetal_lib.geometry.contour import enclosed
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.fit import fit_ellipse_robust


def ellipse_from_outline(outline: np.ndarray) -> Ellipse:
    """Fit an ellipse to the pixels of a drawn ring.

    Parameters
    ----------
    outline : uint8 or bool array (H, W), non-zero on the ring.

    Returns
    -------
    Ellipse in pixels, through the centres of the ring's pixels.

    Raises
    ------
    ValueError
        When there is no ring, too little of it, or the drawing is filled.

    Examples
    --------
    >>> head = Ellipse(60, 50, 40, 30, 0.3)
    >>> x, y = np.round(head.boundary(2000)).astype(int).T
    >>> ring = np.zeros((100, 120), np.uint8)
    >>> ring[y, x] = 255
    >>> round(ellipse_from_outline(ring).perimeter / head.perimeter, 2)
    1.0
    """
    outline = np.asarray(outline)
    if outline.ndim != 2:
        raise ValueError(
            f"outline: received shape {outline.shape}; it must be one image (H, W). "
            "Read the annotation as gray."
        )
    points = np.argwhere(outline)[:, ::-1].astype(float)
    if len(points) < 12:
        raise ValueError(
            f"outline: received {len(points)} non-zero pixels; a ring needs at least 12. "
            "Check that the file is the annotation, not the image."
        )
    ellipse = fit_ellipse_robust(points)
    off = float(np.median(np.abs(ellipse.distance(points))))
    if off > max(2.0, 0.05 * ellipse.semi_minor):
        raise ValueError(
            f"outline: received {len(points)} non-zero pixels whose median distance to the fitted "
            f"ellipse is {off:.1f} px; a ring lies within 5 % of its short semi-axis. "
            "A filled mask is no outline: draw its edge alone."
        )
    return ellipse


def fill_outline(outline: np.ndarray) -> np.ndarray:
    """Fill a drawn ring to a mask.

    A closed ring is filled as drawn, with those of its own pixels whose centre lies in the
    fitted ellipse, so that the mask is neither half a pixel too large nor too small. A ring
    that is open (a gap, or cut by the image border) is filled as its fitted ellipse.

    Parameters
    ----------
    outline : uint8 or bool array (H, W), non-zero on the ring.

    Returns
    -------
    bool array (H, W)

    Raises
    ------
    ValueError
        As for ``ellipse_from_outline``.
    """
    ellipse = ellipse_from_outline(outline)
    ring = np.asarray(outline) != 0
    disc = ellipse.mask(ring.shape)
    interior = enclosed(ring)
    is_closed = interior.sum() >= 0.9 * (disc & ~ring).sum()
    return interior | (disc & ring) if is_closed else disc
