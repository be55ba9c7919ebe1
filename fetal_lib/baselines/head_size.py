"""Head circumference without looking at the head: the mean, and the pixel size.

A sonographer zooms until the head fills the picture, so the pixel size alone
says a good deal about the head. Any model is to be read against these two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PixelSizeRegression:
    """A polynomial in the pixel size.

    Attributes
    ----------
    coefficients : tuple of float
        Of the highest power first, as of pixel size squared, pixel size, and one; mm.
    """

    coefficients: tuple[float, ...]

    def predict(self, pixel_size_mm: np.ndarray) -> np.ndarray:
        """Return head circumference in mm, shape (N,), for pixel sizes in mm."""
        return np.polyval(self.coefficients, np.asarray(pixel_size_mm, dtype=float))


def fit_pixel_size_regression(pixel_size_mm: np.ndarray, hc_mm: np.ndarray) -> PixelSizeRegression:
    """Fit head circumference by a quadratic in the pixel size, by least squares.

    A set of two pixel sizes is given a line, one of a single size its mean.

    Parameters
    ----------
    pixel_size_mm, hc_mm : ndarray, shape (N,)
        Of the training part.

    Returns
    -------
    PixelSizeRegression

    Examples
    --------
    >>> size = np.array([0.1, 0.2, 0.3, 0.4])
    >>> fit_pixel_size_regression(size, 1000 * size).predict([0.25]).round(3).item()
    250.0
    """
    size, hc = np.asarray(pixel_size_mm, float), np.asarray(hc_mm, float)
    degree = min(2, len(np.unique(size)) - 1)
    return PixelSizeRegression(tuple(np.polyfit(size, hc, degree)))
