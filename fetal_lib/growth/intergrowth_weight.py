"""INTERGROWTH-21st: estimated fetal weight, and its skewed distribution at each age.

The logarithm of weight follows a power-normal law with skewness λ, location μ and scale σ, all
functions of age: ``ln W = μ (1 + λ σ z)^(1/λ)``.

References
----------
Stirnemann J et al. International estimated fetal weight standards of the INTERGROWTH-21st
Project. Ultrasound Obstet Gynecol 2017; 49:478-486. DOI 10.1002/uog.17347
"""

from __future__ import annotations

import numpy as np

from fetal_lib.growth.intergrowth_tables import MEASURES
from fetal_lib.growth.units import Number, Range, checked, finite, returned

EFW_GA_WEEKS_RANGE: Range = (22, 40)
EFW_G_RANGE: Range = (100, 7000)


def efw_g(ac_mm: Number, hc_mm: Number) -> Number:
    """Estimate fetal weight from abdominal and head circumference.

    ``ln W = 5.084820 - 54.06633 A³ - 95.80076 A³ ln A + 3.136370 H`` with A = AC / 100 and
    H = HC / 100, both in cm (converted here).

    Parameters
    ----------
    ac_mm, hc_mm : float or array, millimetres.

    Returns
    -------
    float or array, grams.

    Examples
    --------
    >>> round(efw_g(ac_mm=340, hc_mm=330), 1)
    3155.5
    """
    a = checked("ac_mm", ac_mm, "mm", MEASURES["AC"].size_mm) / 1000
    h = checked("hc_mm", hc_mm, "mm", MEASURES["HC"].size_mm) / 1000
    log_weight = 5.084820 - 54.06633 * a**3 - 95.80076 * a**3 * np.log(a) + 3.136370 * h
    return returned(np.exp(log_weight))


def _skew_location_scale(g: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    skew = -4.257629 - 2162.234 * g**-2 + 0.0002301829 * g**3
    location = 4.956737 + 0.0005019687 * g**3 - 0.0001227065 * g**3 * np.log(g)
    scale = 1e-4 * (-6.997171 + 0.057559 * g**3 - 0.01493946 * g**3 * np.log(g))
    return np.where(np.abs(skew) < 1e-6, 1e-6, skew), location, scale


def efw_at_z(ga_weeks: Number, z: Number = 0.0) -> Number:
    """Compute the weight at an age and a z-score.

    Parameters
    ----------
    ga_weeks : float or array, from 22 to 40.
    z : float or array, from -5 to 5; -1.2816 is the 10th centile.

    Returns
    -------
    float or array, grams.

    Examples
    --------
    >>> round(efw_at_z(28))
    1097
    """
    skew, location, scale = _skew_location_scale(
        checked("ga_weeks", ga_weeks, "weeks", EFW_GA_WEEKS_RANGE)
    )
    z = finite("z", z)
    if (np.abs(z) > 5).any():
        raise ValueError(
            f"z: received {float(z.flat[np.argmax(np.abs(z))]):g}; it must be from -5 to 5, where "
            "the distribution is defined at every age. Give standard deviations, not a centile."
        )
    return returned(np.exp(location * np.exp(np.log1p(skew * scale * z) / skew)))


def efw_z(weight_g: Number, ga_weeks: Number) -> Number:
    """Compute the z-score of a weight at its age.

    Parameters
    ----------
    weight_g : float or array, grams, estimated with this module's ``efw_g``.
    ga_weeks : float or array, from 22 to 40.

    Examples
    --------
    >>> round(efw_z(951, 28), 2)
    -1.28
    """
    weight = checked("weight_g", weight_g, "g", EFW_G_RANGE)
    ga = checked("ga_weeks", ga_weeks, "weeks", EFW_GA_WEEKS_RANGE)
    skew, location, scale = _skew_location_scale(ga)
    return returned(np.expm1(skew * np.log(np.log(weight) / location)) / (skew * scale))


def efw_centile(weight_g: Number, ga_weeks: Number) -> Number:
    """Compute the centile (0 to 100) of a weight at its age. Parameters as for ``efw_z``.

    Below the 10th is small for gestational age, which alone is not growth restriction; below the
    3rd is, by the Delphi consensus of 2016 (doi:10.1002/uog.15884).

    Examples
    --------
    >>> round(efw_centile(951, 28))
    10
    """
    from scipy.special import ndtr

    return returned(100 * ndtr(efw_z(weight_g, ga_weeks)))
