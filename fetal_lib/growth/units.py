"""The guard at every formula's door: a finite number, in its unit, in its range.

Most wrong answers from growth formulas are unit slips (centimetres for millimetres, days for
weeks), and a polynomial answers those without complaint. So each public function names the
unit in its argument, and refuses a value outside its range with the likely slip spelled out.
"""

from __future__ import annotations

import numpy as np

Number = float | np.ndarray
Range = tuple[float, float]

MM_SLIPS = ((10.0, "centimetres"), (1000.0, "metres"))
WEEK_SLIPS = ((1 / 7, "days"),)
DAY_SLIPS = ((7.0, "weeks"),)
GRAM_SLIPS = ((1000.0, "kilograms"),)
SLIPS = {"mm": MM_SLIPS, "weeks": WEEK_SLIPS, "days": DAY_SLIPS, "g": GRAM_SLIPS}


def checked(name: str, value: Number, unit: str, limits: Range) -> np.ndarray:
    """Return the value as a float array, or say what is wrong with it.

    Parameters
    ----------
    name : str, the argument's name, for the message.
    value : float or array.
    unit : "mm", "weeks", "days" or "g".
    limits : (low, high), both allowed.

    Returns
    -------
    float array of the value's shape.

    Raises
    ------
    ValueError
        When a value is no number, not finite, or out of range.

    Examples
    --------
    >>> checked("hc_mm", 17.2, "mm", (68, 360))
    Traceback (most recent call last):
    ValueError: hc_mm: received 17.2; it must be from 68 to 360 mm. 17.2 looks like centimetres:
    multiply by 10.
    """
    array = finite(name, value, f"a number of {unit}")
    low, high = limits
    bad = ~((array >= low) & (array <= high))
    if bad.any():
        first = float(array[bad].flat[0])
        found = f"{first:g}" if array.ndim == 0 else f"{bad.sum()} of {array.size}, first {first:g}"
        raise ValueError(
            f"{name}: received {found}; it must be from {low:g} to {high:g} {unit}. "
            + _advice(first, unit, limits)
        )
    return array


def _advice(value: float, unit: str, limits: Range) -> str:
    for factor, slip in SLIPS[unit]:
        if limits[0] <= value * factor <= limits[1]:
            how = f"multiply by {factor:g}" if factor > 1 else f"divide by {1 / factor:g}"
            return f"{value:g} looks like {slip}: {how}."
    return "The formula does not hold outside: report the size without it."


def finite(name: str, value: Number, what: str = "a number") -> np.ndarray:
    """Return the value as a float array, refusing text, NaN and infinity.

    Parameters
    ----------
    name : str, the argument's name, for the message.
    value : float or array.
    what : str, what it must be, for the message.
    """
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: received {value!r}; it must be {what}. Convert text before the call."
        ) from error
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name}: received {int((~np.isfinite(array)).sum())} of {array.size} values that are "
            f"NaN or infinite; each must be {what}. Drop those cases first."
        )
    return array


def returned(result: np.ndarray) -> Number:
    """Give back a float for a number, an array for an array."""
    return float(result) if np.ndim(result) == 0 else np.asarray(result)
