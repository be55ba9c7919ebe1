"""Gestational age from the size of the brain alone: a cubic in the cube root of its volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DEGREE = 3


@dataclass(frozen=True)
class SizeRegression:
    """A polynomial from a size to days.

    Attributes
    ----------
    coefficients : float (4,), highest power first, of the standardised root.
    power : the size is raised to it first: 1/3 for a volume, 1/2 for an area.
    mean, sd : of the roots in training.
    lowest_days, highest_days : ages in training, outside which nothing is answered.
    """

    coefficients: np.ndarray
    power: float
    mean: float
    sd: float
    lowest_days: float
    highest_days: float

    def predict(self, size: np.ndarray) -> np.ndarray:
        """Return days for sizes in the unit of the training, float (N,)."""
        z = (np.asarray(size, float) ** self.power - self.mean) / self.sd
        return np.clip(np.polyval(self.coefficients, z), self.lowest_days, self.highest_days)


def fit_size_regression(
    size: np.ndarray, ga_days: np.ndarray, power: float = 1 / 3
) -> SizeRegression:
    """Fit days by size.

    Parameters
    ----------
    size : float (N,), above 0: volumes in mL, or areas.
    ga_days : float (N,)
    power : 1/3 for a volume, 1/2 for an area.

    Raises
    ------
    ValueError
        If there are fewer than 5 cases, lengths differ, or a size is not above 0.

    Examples
    --------
    >>> days = np.linspace(140, 270, 30)
    >>> model = fit_size_regression((days / 40) ** 3, days)
    >>> bool(np.abs(model.predict([(200 / 40) ** 3]) - 200) < 0.01)
    True
    """
    size, days = np.asarray(size, float), np.asarray(ga_days, float)
    if size.shape != days.shape or len(size) < DEGREE + 2 or not (size > 0).all():
        raise ValueError(
            f"size, ga_days: received {size.shape} and {days.shape}, smallest size "
            f"{size.min() if size.size else 'none'}; as many as ages, {DEGREE + 2} or more, all "
            "above 0 and known. Leave out cases whose brain has no mask."
        )
    root = size**power
    mean, sd = float(root.mean()), float(root.std()) or 1.0
    found = np.polyfit((root - mean) / sd, days, DEGREE)
    return SizeRegression(found, power, mean, sd, float(days.min()), float(days.max()))
