"""BPD to the outer or to the inner edge of the far skull: two conventions, a few millimetres apart.

INTERGROWTH-21st measures outer to outer, Hadlock's formulas of age and weight outer to inner. A
BPD of one convention in a formula of the other is wrong by more than a measurement's scatter.

References
----------
Wong L et al. Biparietal diameter measurements using the outer-to-outer versus outer-to-inner
measurement: a question of pedantry? Australas J Ultrasound Med 2018; 21:161-168.
DOI 10.1002/ajum.12091 (543 fetuses of 14 to 40 weeks)
"""

from __future__ import annotations

from fetal_lib.growth.units import Number, Range, checked, returned

OUTER_OUTER_MM_RANGE: Range = (20, 105)
OUTER_OUTER, OUTER_INNER = "outer-outer", "outer-inner"
CONVENTIONS = OUTER_OUTER, OUTER_INNER
INTERCEPT_MM, SLOPE = -0.403458, 0.9714153


def check_convention(convention: str) -> None:
    """Refuse what is no convention, with a ValueError."""
    if convention not in CONVENTIONS:
        known = " or ".join(CONVENTIONS)
        raise ValueError(f"convention: received {convention!r}; it must be {known}.")


def outer_inner_mm(bpd_mm: Number) -> Number:
    """Turn a BPD from outer to outer into one from outer to inner (Wong 2018).

    ``-0.403 + 0.971 BPD``: 1.1 mm less at 25 mm, 3.0 mm less at 90 mm.

    Parameters
    ----------
    bpd_mm : float or array, outer to outer, from 20 to 105.

    Raises
    ------
    ValueError
        Out of range (centimetres are recognised as such).

    Examples
    --------
    >>> round(outer_inner_mm(90.0), 1)
    87.0
    """
    outer = checked("bpd_mm", bpd_mm, "mm", OUTER_OUTER_MM_RANGE)
    return returned(INTERCEPT_MM + SLOPE * outer)


def outer_outer_mm(bpd_mm: Number) -> Number:
    """Turn a BPD from outer to inner into one from outer to outer: the inverse of Wong's line.

    Parameters
    ----------
    bpd_mm : float or array, outer to inner, from 19.1 to 101.5.

    Raises
    ------
    ValueError
        Out of range.

    Examples
    --------
    >>> round(outer_outer_mm(87.0), 1)
    90.0
    """
    limits = tuple(INTERCEPT_MM + SLOPE * mm for mm in OUTER_OUTER_MM_RANGE)
    inner = checked("bpd_mm", bpd_mm, "mm", limits)
    return returned((inner - INTERCEPT_MM) / SLOPE)
