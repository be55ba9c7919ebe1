"""Gestational age in words: completed weeks and days, trimesters."""

from __future__ import annotations

import re

import numpy as np

from fetal_lib.growth.units import Number, Range, checked

GA_DAYS_RANGE: Range = (49, 308)  # 7+0 to 44+0; below, a number of weeks could pass for days
SECOND_TRIMESTER_DAYS = 14 * 7
THIRD_TRIMESTER_DAYS = 28 * 7


def format_weeks_days(ga_days: float) -> str:
    """Write an age as completed weeks + completed days.

    Parameters
    ----------
    ga_days : float, from 49 to 308; a part of a day is not counted.

    Raises
    ------
    ValueError
        When it is out of range (weeks are recognised as such) or not finite.

    Examples
    --------
    >>> format_weeks_days(143.7)
    '20+3'
    """
    days = int(np.floor(checked("ga_days", ga_days, "days", GA_DAYS_RANGE).item() + 1e-6))
    return f"{days // 7}+{days % 7}"


def parse_weeks_days(text: str) -> int:
    """Read an age written as weeks + days.

    Parameters
    ----------
    text : str, like "20+3".

    Returns
    -------
    int, days.

    Raises
    ------
    ValueError
        When it is not of that form, has more than six days, or is not from 49 to 308.

    Examples
    --------
    >>> parse_weeks_days("20+3")
    143
    """
    found = re.fullmatch(r"\s*(\d{1,2})\s*\+\s*([0-6])\s*", str(text))
    if not found:
        raise ValueError(
            f"text: received {text!r}; an age is written as weeks+days with 0 to 6 days. "
            'Write for example "20+3".'
        )
    weeks, days = map(int, found.groups())
    return int(checked("text", 7 * weeks + days, "days", GA_DAYS_RANGE))


def trimester(ga_days: Number) -> int | np.ndarray:
    """Tell the trimester: 1 before 14+0, 2 before 28+0, 3 from then on.

    Parameters
    ----------
    ga_days : float or array, from 49 to 308.

    Returns
    -------
    int, or int array: 1, 2 or 3.

    Examples
    --------
    >>> trimester(143), trimester(np.array([97.9, 98, 196])).tolist()
    (2, [1, 2, 3])
    """
    days = checked("ga_days", ga_days, "days", GA_DAYS_RANGE)
    number = 1 + (days >= SECOND_TRIMESTER_DAYS).astype(int) + (days >= THIRD_TRIMESTER_DAYS)
    return int(number) if number.ndim == 0 else number
