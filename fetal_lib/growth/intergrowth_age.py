"""INTERGROWTH-21st: gestational age from size, when there was no early scan.

Size gives age only as well as fetuses of one age are alike: the error grows from days in the
second trimester to weeks in the third. A fetus that is small is read as young.

References
----------
Papageorghiou AT et al. Ultrasound-based gestational-age estimation in late pregnancy. Ultrasound
Obstet Gynecol 2016; 48:719-726. DOI 10.1002/uog.15894 (HC; HC and FL)
The formula for the transcerebellar diameter is the same project's.
"""

from __future__ import annotations

import numpy as np

from fetal_lib.growth.units import Number, Range, checked, returned

HC_MM_RANGE: Range = (98, 346)  # where the estimate is within 14 to 40 weeks
FL_MM_RANGE: Range = (9, 80)
TCD_MM_RANGE: Range = (12, 55)  # beyond, the cubic flattens and then turns down


def ga_days_from_hc(hc_mm: Number) -> Number:
    """Estimate gestational age from head circumference.

    ``days = exp(0.05970 (ln HC)² + 6.409e-9 HC³ + 3.3258)``, HC in mm.

    Parameters
    ----------
    hc_mm : float or array, from 98 to 346.

    Returns
    -------
    float or array, days.

    Examples
    --------
    >>> round(ga_days_from_hc(175) / 7, 2)
    20.22
    """
    hc = checked("hc_mm", hc_mm, "mm", HC_MM_RANGE)
    return returned(np.exp(0.05970 * np.log(hc) ** 2 + 6.409e-9 * hc**3 + 3.3258))


def ga_days_from_hc_fl(hc_mm: Number, fl_mm: Number) -> Number:
    """Estimate gestational age from head circumference and femur length.

    ``days = exp(0.03243 (ln HC)² + 0.001644 FL ln HC + 3.813)``, both in mm.

    Parameters
    ----------
    hc_mm : float or array, from 98 to 346.
    fl_mm : float or array, from 9 to 80.

    Returns
    -------
    float or array, days.

    Examples
    --------
    >>> round(ga_days_from_hc_fl(172.5, 31.3) / 7, 1)
    19.9
    """
    hc = checked("hc_mm", hc_mm, "mm", HC_MM_RANGE)
    fl = checked("fl_mm", fl_mm, "mm", FL_MM_RANGE)
    return returned(np.exp(0.03243 * np.log(hc) ** 2 + 0.001644 * fl * np.log(hc) + 3.813))


def ga_weeks_from_tcd(tcd_mm: Number) -> Number:
    """Estimate gestational age from the transcerebellar diameter.

    ``weeks = 3.957113 + 8.154074 x - 0.076187 x³``, x in cm (converted here).

    Parameters
    ----------
    tcd_mm : float or array, from 12 to 55.

    Returns
    -------
    float or array, weeks.

    Examples
    --------
    >>> round(ga_weeks_from_tcd(20.5), 1)
    20.0
    """
    tcd_cm = checked("tcd_mm", tcd_mm, "mm", TCD_MM_RANGE) / 10
    return returned(3.957113 + 8.154074 * tcd_cm - 0.076187 * tcd_cm**3)
