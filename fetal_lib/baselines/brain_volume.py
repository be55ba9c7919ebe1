"""Gestational age from the size of the brain alone.

Either by a norm, with nothing to fit: `volume_days`. Or by a cubic in the cube root of the
volume that is fitted to a training set: `fit_size_regression`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_lib.growth.intergrowth_age import HC_MM_RANGE, ga_days_from_hc

DEGREE = 3
HC_BY_DIAMETER = 3.45
"""Head circumference by the diameter of a ball of the intracranial volume, in the phantoms."""


def volume_days(volume_ml: np.ndarray | float) -> np.ndarray:
    """Return the age at which a head holds a brain with its fluid of a volume.

    The volume is that of a head whose circumference is 3.45 times the diameter of a ball of that
    volume, as in the phantoms of 21 to 38 weeks (3.446 to 3.460); the age is that of INTERGROWTH
    for the circumference. Nothing is taken off for the skull: the outline of brain with fluid on
    MRI has 0.99 of the norm's circumference in the six templates of 29 to 34 weeks of the spina
    bifida atlas.

    Parameters
    ----------
    volume_ml : float or array, mL; sizes outside the norm (12 to 528 mL) get the age at its end.

    Returns
    -------
    float64, days.

    Examples
    --------
    >>> volume_days([80, 200, 400]).round()
    array([147., 190., 245.])
    """
    diameter = np.cbrt(6000.0 * np.asarray(volume_ml, float) / np.pi)
    return np.asarray(ga_days_from_hc(np.clip(HC_BY_DIAMETER * diameter, *HC_MM_RANGE)))


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
