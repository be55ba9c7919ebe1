"""INTERGROWTH-21st: size for gestational age, as z-scores and centiles.

A z-score is (size - mean) / sd, both at the exact gestational age; the coefficients and their
sources are in ``fetal_lib.growth.intergrowth_tables``.

References
----------
Papageorghiou AT et al. International standards for fetal growth based on serial ultrasound
measurements: the Fetal Growth Longitudinal Study of the INTERGROWTH-21st Project. Lancet 2014;
384:869-879. DOI 10.1016/S0140-6736(14)61490-2
"""

from __future__ import annotations

import numpy as np

from fetal_lib.growth.intergrowth_tables import Standard, standard
from fetal_lib.growth.units import Number, checked, finite, returned


def mean_mm(measure: str, ga_weeks: Number) -> Number:
    """Compute the mean size at an age: the 50th centile of every measure.

    Parameters
    ----------
    measure : str
        A key of ``MEASURES``: HC, AC, BPD, OFD, FL, TCD, ATRIUM, ANTERIOR_HORN,
        CISTERNA_MAGNA, POF, SYLVIAN.
    ga_weeks : float or array, exact weeks, in the standard's range.

    Returns
    -------
    float or array, mm (for CISTERNA_MAGNA the geometric mean).

    Raises
    ------
    ValueError
        For an unknown measure or an age out of range (days are recognised as such).

    Examples
    --------
    >>> round(mean_mm("HC", 20), 1)
    172.5
    """
    return size_mm(measure, ga_weeks, z=0.0)


def sd_mm(measure: str, ga_weeks: Number) -> Number:
    """Compute the standard deviation of size at an age, mm. Parameters as for ``mean_mm``.

    Raises
    ------
    ValueError
        Also for CISTERNA_MAGNA, whose sd is of ln mm: use ``z_score`` or ``size_mm``.

    Examples
    --------
    >>> round(sd_mm("HC", 20), 1)
    7.4
    """
    found = standard(measure)
    if found.is_log:
        raise ValueError(
            f"measure: received {measure!r}; its standard deviation is of ln mm, not of mm. "
            "Use z_score, or size_mm with z=-1 and z=1."
        )
    return returned(found.sd(checked("ga_weeks", ga_weeks, "weeks", found.ga_weeks)))


def size_mm(measure: str, ga_weeks: Number, z: Number = 0.0) -> Number:
    """Compute the size at an age and a z-score. Parameters as for ``mean_mm``.

    Parameters
    ----------
    z : float or array, standard deviations; -1.2816 is the 10th centile.

    Examples
    --------
    >>> round(size_mm("HC", 20, z=-1.8808), 1)
    158.5
    """
    found = standard(measure)
    ga = checked("ga_weeks", ga_weeks, "weeks", found.ga_weeks)
    size = found.mean(ga) + finite("z", z) * found.sd(ga)
    return returned(np.exp(size) if found.is_log else size)


def z_score(measure: str, mm: Number, ga_weeks: Number) -> Number:
    """Compute how many standard deviations a size lies from the mean of its age.

    Parameters
    ----------
    measure : str
        A key of ``MEASURES``: HC, AC, BPD, OFD, FL, TCD, ATRIUM, ANTERIOR_HORN,
        CISTERNA_MAGNA, POF, SYLVIAN.
    mm : float or array, the size in millimetres.
    ga_weeks : float or array, exact weeks, in the standard's range.

    Returns
    -------
    float or array.

    Raises
    ------
    ValueError
        For an unknown measure, an age out of range, or a size that no fetus has, or that would
        be more than five standard deviations off in mm but normal in centimetres.

    Examples
    --------
    >>> round(z_score("HC", 160, 20), 2)
    -1.68
    """
    found = standard(measure)
    size = checked("mm", mm, "mm", found.size_mm)
    ga = checked("ga_weeks", ga_weeks, "weeks", found.ga_weeks)
    z = _z(found, size, ga)
    slipped = (np.abs(z) > 5) & (np.abs(_z(found, 10 * size, ga)) < 4)
    if slipped.any():
        first = float(np.broadcast_to(size, slipped.shape)[slipped].flat[0])
        raise ValueError(
            f"mm: received {first:g} for {found.title}, more than 5 standard deviations from the "
            f"mean of its age; it must be in mm. {first:g} looks like centimetres: multiply by 10."
        )
    return returned(z)


def _z(found: Standard, size: np.ndarray, ga: np.ndarray) -> np.ndarray:
    return ((np.log(size) if found.is_log else size) - found.mean(ga)) / found.sd(ga)


def centile(measure: str, mm: Number, ga_weeks: Number) -> Number:
    """Compute the centile (0 to 100) of a size at its age. Parameters as for ``z_score``.

    Examples
    --------
    >>> round(centile("HC", 172.5, 20))
    50
    """
    from scipy.special import ndtr

    return returned(100 * ndtr(z_score(measure, mm, ga_weeks)))
