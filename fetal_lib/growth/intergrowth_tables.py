"""INTERGROWTH-21st: the coefficients of every size standard, and where each one holds.

Each standard gives the mean and the standard deviation in millimetres as functions of the exact
gestational age g in weeks; a z-score is (size - mean) / sd. The cisterna magna is log-normal:
its mean and sd are of ln mm.

References
----------
Papageorghiou AT et al. International standards for fetal growth based on serial ultrasound
measurements: the Fetal Growth Longitudinal Study of the INTERGROWTH-21st Project. Lancet 2014;
384:869-879. DOI 10.1016/S0140-6736(14)61490-2 (HC, AC, BPD, OFD, FL)
The standards of the brain's structures are the same project's, of 2020; their coefficients were
read in the project's public software, and their ranges (15 to 36 weeks) are kept narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fetal_lib.errors import did_you_mean
from fetal_lib.growth.units import Range

Curve = Callable[[np.ndarray], np.ndarray]
GA_WEEKS_RANGE: Range = (14, 40)
BRAIN_GA_WEEKS_RANGE: Range = (15, 36)
ln, exp = np.log, np.exp


@dataclass(frozen=True)
class Standard:
    """Hold one measure's standard.

    Attributes
    ----------
    title : str, the measure's name in words.
    mean, sd : function of weeks, in mm (of ln mm when ``is_log``).
    size_mm : (low, high), what a measurement may be at all; a guard, not a norm.
    ga_weeks : (low, high), where the standard holds.
    is_log : bool
    """

    title: str
    mean: Curve
    sd: Curve
    size_mm: Range
    ga_weeks: Range = GA_WEEKS_RANGE
    is_log: bool = False


MEASURES: dict[str, Standard] = {
    "HC": Standard(
        "head circumference",
        lambda g: -28.2849 + 1.69267 * g**2 - 0.397485 * g**2 * ln(g),
        lambda g: (
            1.98735 + 0.0136772 * g**3 - 0.00726264 * g**3 * ln(g) + 0.000976253 * g**3 * ln(g) ** 2
        ),
        size_mm=(45, 440),
    ),
    "AC": Standard(
        "abdominal circumference",
        lambda g: -81.3243 + 11.6772 * g - 0.000561865 * g**3,
        lambda g: -4.36302 + 0.121445 * g**2 - 0.0130256 * g**3 + 0.00282143 * g**3 * ln(g),
        size_mm=(46, 450),
    ),
    "BPD": Standard(
        "biparietal diameter",
        lambda g: 5.60878 + 0.158369 * g**2 - 0.00256379 * g**3,
        lambda g: exp(
            0.101242
            + 0.00150557 * g**3
            - 0.000771535 * g**3 * ln(g)
            + 0.0000999638 * g**3 * ln(g) ** 2
        ),
        size_mm=(13, 128),
    ),
    "OFD": Standard(
        "occipito-frontal diameter",
        lambda g: -12.4097 + 0.626342 * g**2 - 0.148075 * g**2 * ln(g),
        lambda g: exp(
            -0.880034 + 0.0631165 * g**2 - 0.0317136 * g**2 * ln(g) + 0.00408302 * g**2 * ln(g) ** 2
        ),
        size_mm=(16, 155),
    ),
    "FL": Standard(
        "femur length",
        lambda g: -39.9616 + 4.32298 * g - 0.0380156 * g**2,
        lambda g: exp(0.605843 - 42.0014 * g**-2 + 0.00000917972 * g**3),
        size_mm=(9, 90),
    ),
    "TCD": Standard(
        "transcerebellar diameter",
        lambda g: -13.10907 + 20.8941 * (g / 10) ** 0.5 + 0.5035914 * (g / 10) ** 3,
        lambda g: 0.4719837 + 0.0500382 * (g / 10) ** 3,
        size_mm=(8, 80),
    ),
    "ATRIUM": Standard(
        "atrium (posterior horn) of the lateral ventricle",
        lambda g: 4.389214 + 38.10015 / g + 2.0063e-6 * g**3,
        lambda g: 0.6707227 + 0.034258 * g,
        size_mm=(1, 100),
        ga_weeks=BRAIN_GA_WEEKS_RANGE,
    ),
    "ANTERIOR_HORN": Standard(
        "anterior horn of the lateral ventricle",
        lambda g: 6.396214 + 6.205e-5 * g**3,
        lambda g: np.full_like(g, 1.204454),
        size_mm=(1, 100),
        ga_weeks=BRAIN_GA_WEEKS_RANGE,
    ),
    "CISTERNA_MAGNA": Standard(
        "cisterna magna",
        lambda g: 2.098095 - 239.0659 * g**-2 - 1.547e-7 * g**3,
        lambda g: 0.2297936 + 8.1872 * g**-2,
        size_mm=(0.5, 60),
        ga_weeks=BRAIN_GA_WEEKS_RANGE,
        is_log=True,
    ),
    "POF": Standard(
        "parieto-occipital fissure",
        lambda g: 10.29428 - 122.8447 / g + 1.038e-5 * g**3,
        lambda g: 1.596042 - 257.2297 * g**-2,
        size_mm=(0.3, 40),
        ga_weeks=BRAIN_GA_WEEKS_RANGE,
    ),
    "SYLVIAN": Standard(
        "Sylvian fissure",
        lambda g: 80.27012 - 32.7877 * g**-0.5 - 100.1593 * g**-0.5 * ln(g),
        lambda g: 2.304501 - 353.814 * g**-2,
        size_mm=(0.3, 40),
        ga_weeks=BRAIN_GA_WEEKS_RANGE,
    ),
}


def standard(measure: str) -> Standard:
    """Look a standard up by the measure's short name, in any case.

    Raises
    ------
    ValueError
        When there is no such measure; the message names the nearest and all of them.

    Examples
    --------
    >>> standard("hc").title
    'head circumference'
    """
    key = str(measure).upper()
    if key not in MEASURES:
        hint = did_you_mean(key, MEASURES)
        raise ValueError(f"measure: received {measure!r}{hint} known: {', '.join(MEASURES)}")
    return MEASURES[key]
