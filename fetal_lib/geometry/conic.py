"""Conics as six numbers: the direct least-squares ellipse fit and its way back to axes.

A conic is the set ``A x² + B xy + C y² + D x + E y + F = 0``. The fit is Halíř and Flusser's
numerically stable form of Fitzgibbon's method, in double precision on centred and scaled points.
It is written out here, and tested against scikit-image and OpenCV, because OpenCV takes single
precision only and scikit-image's version costs 5 ms a fit and 0.7 s at import.

References
----------
Fitzgibbon A, Pilu M, Fisher RB. Direct least square fitting of ellipses. IEEE TPAMI 1999;
21(5):476-480. DOI 10.1109/34.765658
Halíř R, Flusser J. Numerically stable direct least squares fitting of ellipses. WSCG 1998.
"""

from __future__ import annotations

import numpy as np

AXES = tuple[float, float, float, float, float]


def fit_conic(points_xy: np.ndarray) -> np.ndarray:
    """Fit the ellipse-type conic of least algebraic distance.

    Parameters
    ----------
    points_xy : float array (N, 2), N >= 5, already centred and scaled to order one.

    Returns
    -------
    float array (6,): A, B, C, D, E, F with 4AC - B² > 0.

    Raises
    ------
    ValueError
        When the points allow no ellipse (on a line, or fewer than five different ones).
    """
    x, y = points_xy[:, 0], points_xy[:, 1]
    quadratic = np.stack([x * x, x * y, y * y], axis=1)  # (N, 3)
    linear = np.stack([x, y, np.ones_like(x)], axis=1)  # (N, 3)
    mixed = quadratic.T @ linear
    flat = linear.T @ linear
    if np.linalg.cond(flat) > 1e12:
        raise ValueError("the points lie on one line")
    to_linear = -np.linalg.solve(flat, mixed.T)
    scatter = quadratic.T @ quadratic + mixed @ to_linear
    reduced = np.stack([scatter[2] / 2, -scatter[1], scatter[0] / 2])
    vectors = np.real(np.linalg.eig(reduced)[1])
    is_ellipse = 4 * vectors[0] * vectors[2] - vectors[1] ** 2
    best = vectors[:, int(np.argmax(is_ellipse))]
    if is_ellipse.max() <= 1e-12:
        raise ValueError("no conic through these points is an ellipse")
    return np.concatenate([best, to_linear @ best])


def conic_to_axes(conic: np.ndarray) -> AXES:
    """Read centre (x, y), semi-axes (major, minor) and angle in radians off an ellipse-type conic.

    A ValueError says that the conic is not a real ellipse.
    """
    a, b, c, d, e, f = conic
    form = np.array([[a, b / 2], [b / 2, c]])
    center = -0.5 * np.linalg.solve(form, [d, e])
    level = -(f + 0.5 * (d * center[0] + e * center[1]))
    if not np.isfinite(level) or level == 0:
        raise ValueError("the conic is a single point")
    inverse_squares, axes = np.linalg.eigh(form / level)
    if not inverse_squares[0] > 0:
        raise ValueError("the conic is not a real ellipse")
    semi_major, semi_minor = 1 / np.sqrt(inverse_squares)
    angle_rad = np.arctan2(axes[1, 0], axes[0, 0])
    return (*map(float, center), float(semi_major), float(semi_minor), float(angle_rad))


def shape_to_axes(shape: np.ndarray) -> tuple[float, float, float]:
    """Read semi-axes and angle off the shape matrix ``R diag(a², b²) Rᵀ`` of an ellipse.

    An affine map M turns the shape matrix S into ``M S Mᵀ``, so this is the exact way to
    stretch an ellipse whose axes are oblique to the stretch.

    >>> shape_to_axes(np.diag([4.0, 9.0]))[:2]
    (3.0, 2.0)
    """
    squares, axes = np.linalg.eigh(shape)
    semi_minor, semi_major = np.sqrt(squares)
    return float(semi_major), float(semi_minor), float(np.arctan2(axes[1, 1], axes[0, 1]))
