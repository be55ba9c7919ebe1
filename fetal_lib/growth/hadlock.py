"""Hadlock's formulas: age from size (1984), size for age (1984), weight (1985, 1991).

The formulas are in centimetres; every function here takes and gives millimetres. Hadlock's mean
head is 4 to 12 mm larger than INTERGROWTH-21st's from 20 to 40 weeks: say which was used.

References
----------
Hadlock FP et al. Estimating fetal age: computer-assisted analysis of multiple fetal growth
parameters. Radiology 1984; 152:497-501. DOI 10.1148/radiology.152.2.6739822
Hadlock FP et al. Estimation of fetal weight with the use of head, body, and femur measurements.
Am J Obstet Gynecol 1985; 151:333-337. DOI 10.1016/0002-9378(85)90298-4
Hadlock FP, Harrist RB, Martinez-Poyer J. In utero analysis of fetal growth: a sonographic weight
standard. Radiology 1991; 181:129-133. DOI 10.1148/radiology.181.1.1887021
"""

from __future__ import annotations

import numpy as np

from fetal_lib.growth.units import Number, Range, checked, finite, returned

# HC's limits are those of the printed table; the others are where the age is 12 to 42 weeks.
SIZE_MM_RANGE: dict[str, Range] = {
    "HC": (68, 360),
    "BPD": (20, 100),
    "AC": (55, 380),
    "FL": (10, 80),
}
GA_WEEKS_RANGE: Range = (12, 42)
WEIGHT_GA_WEEKS_RANGE: Range = (10, 40)
WEIGHT_SD_FRACTION = 0.127
EFW_MM_RANGE: dict[str, Range] = {
    "HC": (68, 440),
    "BPD": (20, 128),
    "AC": (55, 450),
    "FL": (10, 90),
}
AGE_COEFFICIENTS = {  # weeks = c0 + c1 x + c2 x² + c3 x³, x in cm
    "HC": (8.96, 0.540, 0.0, 0.0003),
    "BPD": (9.54, 1.482, 0.1676, 0.0),
    "AC": (8.14, 0.753, 0.0036, 0.0),
    "FL": (10.35, 2.460, 0.170, 0.0),
}
HC_TWO_SD = ((144, 1.19), (219, 1.48), (280, 2.06), (325, 2.98), (360, 3.2))  # up to mm, weeks
EFW_NEEDS = {
    "H1": ("AC", "FL"),
    "H2": ("AC", "FL", "BPD"),
    "H3": ("AC", "FL", "HC"),
    "H4": ("AC", "FL", "BPD", "HC"),
}


def ga_weeks(measure: str, mm: Number) -> Number:
    """Estimate gestational age from one size (Hadlock 1984).

    Parameters
    ----------
    measure : "HC", "BPD", "AC" or "FL".
    mm : float or array, within ``SIZE_MM_RANGE[measure]``.

    Returns
    -------
    float or array, weeks.

    Raises
    ------
    ValueError
        For another measure, or a size out of range (centimetres are recognised as such).

    Examples
    --------
    >>> round(ga_weeks("HC", 175), 2)
    20.02
    """
    key = str(measure).upper()
    if key not in AGE_COEFFICIENTS:
        raise ValueError(
            f"measure: received {measure!r}; it must be one of {', '.join(AGE_COEFFICIENTS)}."
        )
    cm = checked("mm", mm, "mm", SIZE_MM_RANGE[key]) / 10
    c0, c1, c2, c3 = AGE_COEFFICIENTS[key]
    return returned(c0 + c1 * cm + c2 * cm**2 + c3 * cm**3)


def ga_two_sd_weeks_from_hc(hc_mm: Number) -> Number:
    """Give the published spread of the age from head circumference, two standard deviations.

    Parameters
    ----------
    hc_mm : float or array, within ``SIZE_MM_RANGE["HC"]``.

    Returns
    -------
    float or array, weeks.

    Examples
    --------
    >>> ga_two_sd_weeks_from_hc(175)
    1.48
    """
    hc = checked("hc_mm", hc_mm, "mm", SIZE_MM_RANGE["HC"])
    upper, spread = np.array(HC_TWO_SD).T
    return returned(spread[np.searchsorted(upper, hc)])


def hc_mm(ga_weeks: Number) -> Number:
    """Compute the mean head circumference at an age (Hadlock 1984; SD 10 mm).

    Parameters
    ----------
    ga_weeks : float or array, from 12 to 42.

    Examples
    --------
    >>> round(hc_mm(20), 1)
    176.8
    """
    g = checked("ga_weeks", ga_weeks, "weeks", GA_WEEKS_RANGE)
    return returned(10 * (-11.48 + 1.56 * g - 0.0002548 * g**3))


def efw_g(
    ac_mm: Number,
    fl_mm: Number,
    bpd_mm: Number | None = None,
    hc_mm: Number | None = None,
    formula: str | None = None,
) -> Number:
    """Estimate fetal weight (Hadlock 1985).

    Parameters
    ----------
    ac_mm, fl_mm, bpd_mm, hc_mm : float or array
        AC from 55 to 450, FL from 10 to 90, BPD from 20 to 128, HC from 68 to 440.
    formula : "H1" (AC, FL), "H2" (and BPD), "H3" (and HC), "H4" (all four), or None for the
        one that uses all that is given.

    Returns
    -------
    float or array, grams.

    Raises
    ------
    ValueError
        For a size out of range, an unknown formula, or one whose sizes are not all given.

    Examples
    --------
    >>> round(efw_g(ac_mm=340, fl_mm=70, bpd_mm=90, hc_mm=330), 1)
    3150.5
    """
    given = {"AC": ac_mm, "FL": fl_mm, "BPD": bpd_mm, "HC": hc_mm}
    given = {measure: value for measure, value in given.items() if value is not None}
    fitting = (name for name, needs in EFW_NEEDS.items() if set(needs) == set(given))
    formula = formula or next(fitting, None)
    if formula not in EFW_NEEDS or not set(EFW_NEEDS[formula]) <= set(given):
        rule = "; ".join(f"{name} needs {', '.join(needs)}" for name, needs in EFW_NEEDS.items())
        raise ValueError(f"formula: received {formula!r} with {', '.join(given)}; {rule}.")
    cm = {
        measure: checked(f"{measure.lower()}_mm", given[measure], "mm", EFW_MM_RANGE[measure]) / 10
        for measure in EFW_NEEDS[formula]
    }
    return returned(10 ** _log10_weight(formula, **cm))


def _log10_weight(
    formula: str,
    AC: np.ndarray,
    FL: np.ndarray,
    BPD: np.ndarray | None = None,
    HC: np.ndarray | None = None,
) -> np.ndarray:
    if formula == "H1":
        return 1.304 + 0.05281 * AC + 0.1938 * FL - 0.004 * AC * FL
    if formula == "H2":
        return 1.335 - 0.0034 * AC * FL + 0.0316 * BPD + 0.0457 * AC + 0.1623 * FL
    if formula == "H3":
        return 1.326 - 0.00326 * AC * FL + 0.0107 * HC + 0.0438 * AC + 0.158 * FL
    interactions = -0.00386 * AC * FL + 0.00061 * BPD * AC
    return 1.3596 + interactions + 0.0064 * HC + 0.0424 * AC + 0.174 * FL


def weight_g(ga_weeks: Number, z: Number = 0.0) -> Number:
    """Compute the weight at an age and a z-score (Hadlock 1991; SD 12.7 % of the mean).

    Parameters
    ----------
    ga_weeks : float or array, from 10 to 40.
    z : float or array; -1.2816 is the 10th centile.

    Returns
    -------
    float or array, grams.

    Examples
    --------
    >>> round(weight_g(28))
    1210
    """
    g = checked("ga_weeks", ga_weeks, "weeks", WEIGHT_GA_WEEKS_RANGE)
    mean = np.exp(0.578 + 0.332 * g - 0.00354 * g**2)
    return returned(mean * (1 + WEIGHT_SD_FRACTION * finite("z", z)))
