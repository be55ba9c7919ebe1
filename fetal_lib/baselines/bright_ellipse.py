"""Find the skull without learning: a robust ellipse through bright ridges.

The skull is the brightest thin curve in the picture and closes (nearly) to an
ellipse around something darker. Ridge points are found by their brightness over
the local background, ellipses are drawn through random handfuls of them, and the
one that most ridge points lie on, all round, wins and is refined on its points.
"""

from __future__ import annotations

import numpy as np

from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.fit import fit_ellipse

WORKING_WIDTH = 200
N_RIDGE = 1500
N_SECTORS = 36


def ridge_points(image: np.ndarray) -> np.ndarray:
    """Return the points that stand out most from their surroundings.

    Parameters
    ----------
    image : ndarray, shape (H, W), uint8

    Returns
    -------
    ndarray, shape (N, 2), float64
        x, y in pixels.
    """
    import cv2

    grey = image.astype(np.float32)
    fine = cv2.GaussianBlur(grey, (0, 0), 1.5)
    coarse = cv2.GaussianBlur(grey, (0, 0), 8)
    contrast = fine - coarse
    thick = cv2.dilate(contrast, np.ones((3, 3)))
    strongest = (contrast >= thick) | (contrast > np.percentile(contrast, 97))
    threshold = np.sort(contrast[strongest])[-min(N_RIDGE, strongest.sum())]
    y, x = np.nonzero(strongest & (contrast >= max(threshold, 1.0)))
    return np.column_stack([x, y]).astype(float)


def fit_bright_ellipse(image: np.ndarray, seed: int = 0, n_draws: int = 1500) -> Ellipse:
    """Fit an ellipse to the skull without any training.

    Parameters
    ----------
    image : ndarray, shape (H, W), uint8
        A scan at its own size.
    seed : int
        Of the random handfuls.
    n_draws : int

    Returns
    -------
    Ellipse
        In pixels of the scan.

    Raises
    ------
    ValueError
        If the image has no bright ridges, or none lie on an ellipse.
    """
    import cv2

    scale = WORKING_WIDTH / image.shape[1]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points = ridge_points(small)
    if len(points) < 20:
        raise ValueError(f"image: {len(points)} bright ridge points, too few for an ellipse.")
    rng = np.random.default_rng(seed)
    best, best_score = None, 0.0
    for _ in range(n_draws):
        ellipse = _draw(points, rng, small.shape)
        if ellipse is None:
            continue
        score = _support(ellipse, points, small)
        if score > best_score:
            best, best_score = ellipse, score
    if best is None:
        raise ValueError("image: no ellipse of a head's size and shape goes through its ridges.")
    return _refined(best, points).resized(small.shape, image.shape)


def _draw(points: np.ndarray, rng: np.random.Generator, shape: tuple[int, int]) -> Ellipse | None:
    """Return an ellipse through six random points, or None when it is no head."""
    import cv2

    sample = points[rng.choice(len(points), 6, replace=False)]
    (x, y), axes, angle = cv2.fitEllipseDirect(sample.astype(np.float32))
    minor, major = sorted(axes)
    plausible = (
        np.isfinite([x, y, minor, major]).all()
        and 0.2 * shape[0] < minor
        and major < 1.2 * shape[1]
        and minor / max(major, 1e-9) > 0.6
        and 0 <= x < shape[1]
        and 0 <= y < shape[0]
    )
    if not plausible:
        return None
    turn = np.deg2rad(angle if axes[0] >= axes[1] else angle + 90)
    return Ellipse(x, y, major / 2, minor / 2, float((turn + np.pi / 2) % np.pi - np.pi / 2))


def _near(ellipse: Ellipse, points: np.ndarray, within: float) -> np.ndarray:
    radius = np.sqrt(np.maximum(ellipse.level(points[:, 0], points[:, 1]), 0))
    return np.abs(radius - 1) * np.sqrt(ellipse.semi_major * ellipse.semi_minor) < within


def _support(ellipse: Ellipse, points: np.ndarray, image: np.ndarray) -> float:
    """Return how many directions show a ridge, plus the contrast of ring to inside."""
    near = points[_near(ellipse, points, 1.5)]
    angle = np.arctan2(near[:, 1] - ellipse.center_y, near[:, 0] - ellipse.center_x)
    sectors = len(np.unique((angle + np.pi) // (2 * np.pi / N_SECTORS)))
    ring = _mean_along(image, ellipse.boundary(90))
    centre = np.array([ellipse.center_x, ellipse.center_y])
    inner = _mean_along(image, centre + 0.85 * (ellipse.boundary(90) - centre))
    return sectors / N_SECTORS + (ring - inner) / 100


def _mean_along(image: np.ndarray, points: np.ndarray) -> float:
    x, y = np.round(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    return float(image[y[inside], x[inside]].mean()) if inside.any() else 0.0


def _refined(ellipse: Ellipse, points: np.ndarray) -> Ellipse:
    for within in (4.0, 3.0, 2.0):
        near = points[_near(ellipse, points, within)]
        if len(near) < 12:
            break
        try:
            ellipse = fit_ellipse(near)
        except ValueError:
            break
    return ellipse
