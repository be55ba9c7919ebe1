"""Fitting an ellipse: to points, to the edge of a mask, to the edge of a probability map."""

from __future__ import annotations

import numpy as np

from fetal_lib.geometry.conic import conic_to_axes, fit_conic
from fetal_lib.geometry.contour import region_edge
from fetal_lib.geometry.ellipse import Ellipse


def fit_ellipse(points_xy: np.ndarray) -> Ellipse:
    """Fit an ellipse to points by direct least squares.

    Parameters
    ----------
    points_xy : float array (N, 2), N >= 5: x, y.

    Returns
    -------
    Ellipse in the coordinates of the points.

    Raises
    ------
    ValueError
        When there are too few points, one is not finite, or they lie on a line.

    Examples
    --------
    >>> fit = fit_ellipse(Ellipse(400, 270, 200, 160, 0.3).boundary(40))
    >>> round(fit.semi_major, 6), round(fit.angle_rad, 6)
    (200.0, 0.3)
    """
    points = np.asarray(points_xy, float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 5:
        raise ValueError(
            f"points_xy: received an array of shape {points.shape}; an ellipse needs at least "
            "five points as (N, 2). Give x, y rows."
        )
    if not np.isfinite(points).all():
        raise ValueError("points_xy: received NaN or infinity; every x, y must be finite.")
    center, scale = points.mean(0), points.std()
    try:
        if scale == 0:
            raise ValueError("all points are the same")
        x, y, semi_major, semi_minor, angle = conic_to_axes(fit_conic((points - center) / scale))
    except (ValueError, np.linalg.LinAlgError) as error:
        raise ValueError(
            f"points_xy: received {len(points)} points that give no ellipse ({error}). "
            "Give points from around a closed outline."
        ) from error
    x, y = x * scale + center[0], y * scale + center[1]
    return Ellipse(x, y, semi_major * scale, semi_minor * scale, angle)


def fit_ellipse_robust(points_xy: np.ndarray, n_rounds: int = 15) -> Ellipse:
    """Fit the best-agreeing 70 % of the points, then all that agree with that fit.

    The first part is least trimmed squares by concentration steps: fit, keep the nearest 70 %,
    fit again. A point within one pixel is never dropped, so clean data are fitted at once. The
    second part takes back whatever is within three robust standard deviations (1.4826 × the
    median distance). A bump or a notch along 15 % of the outline leaves no trace; along 25 %
    it does.

    Parameters
    ----------
    points_xy : float array (N, 2), in pixels.
    n_rounds : int, most concentration steps.

    References
    ----------
    Rousseeuw PJ, Van Driessen K. Computing LTS regression for large data sets. Data Mining and
    Knowledge Discovery 2006; 12:29-45. DOI 10.1007/s10618-005-0024-4
    """
    points = np.asarray(points_xy, float)
    ellipse, kept = fit_ellipse(points), np.ones(len(points), bool)
    for _ in range(n_rounds):
        off = np.abs(ellipse.distance(points))
        keep = off <= max(1.0, float(np.quantile(off, 0.7)))
        if np.array_equal(keep, kept) or keep.sum() < 5:
            break
        ellipse, kept = fit_ellipse(points[keep]), keep
    off = np.abs(ellipse.distance(points))
    return fit_ellipse(points[off <= max(1.0, 3 * 1.4826 * float(np.median(off)))])


def ellipse_from_probs(probs: np.ndarray, level: float = 0.5) -> Ellipse:
    """Fit an ellipse to the sub-pixel edge of the largest region of a probability map.

    Parameters
    ----------
    probs : float array (H, W), range [0, 1].
    level : float in (0, 1), the iso-value taken as edge.

    Returns
    -------
    Ellipse in pixels. A region cut by the image border is fitted on the edge that is seen.

    Raises
    ------
    ValueError
        For a wrong shape, NaN, a level out of range, no region, or one too small for an ellipse.
    """
    if not 0 < level < 1:
        raise ValueError(f"level: received {level!r}; it must be between 0 and 1. Use 0.5.")
    return _ellipse_of_map("probs", np.asarray(probs, float), level)


def _ellipse_of_map(name: str, probs: np.ndarray, level: float) -> Ellipse:
    if probs.ndim != 2 or not np.isfinite(probs).all():
        raise ValueError(
            f"{name}: received shape {probs.shape}, {int((~np.isfinite(probs)).sum())} values not "
            "finite; it must be one finite map (H, W). Drop the batch and channel axes."
        )
    edge = region_edge(probs, level)
    if len(edge) < 12:
        raise ValueError(
            f"{name}: received a map of {int((probs >= level).sum())} pixels at or above {level} "
            f"with {len(edge)} edge points in the largest region; an ellipse needs at least 12. "
            "Look at the image: the head may not have been found."
        )
    return fit_ellipse_robust(edge)


def ellipse_from_mask(mask: np.ndarray) -> Ellipse:
    """Fit an ellipse to the edge of the largest region of a mask.

    Parameters
    ----------
    mask : bool (or 0 and non-zero) array (H, W)

    Returns
    -------
    Ellipse in pixels: the inverse of ``Ellipse.mask``.

    Raises
    ------
    ValueError
        As for ``ellipse_from_probs``.

    Examples
    --------
    >>> head = Ellipse(400, 270, 200, 160, 0.3)
    >>> bool(abs(ellipse_from_mask(head.mask((540, 800))).perimeter / head.perimeter - 1) < 2e-4)
    True
    """
    return _ellipse_of_map("mask", (np.asarray(mask) != 0).astype(float), 0.5)
