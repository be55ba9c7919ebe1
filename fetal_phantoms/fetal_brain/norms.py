"""Volumes of the fetal brain by gestational age, as the SVRTK charts give them.

Each chart is a parabola, mean = a g² + b g + c in mL with g in weeks. They are read from 21
weeks on. Below, where a parabola is no more than an extrapolation (some turn upwards, some
go below zero), the proportions of 21 weeks are kept and all structures shrink together at the
pace at which the parenchyma grows then, 29 % a week.
"""

from __future__ import annotations

import math

MIN_GA_DAYS, MAX_GA_DAYS = 133.0, 273.0  # 19 to 39 weeks
FIRST_CHART_WEEK = 21.0

# mL: a, b, c
CHARTS = {
    "total": (0.05607726, 18.384226, -360.048),
    "parenchyma": (0.358001, -5.217114, -14.584),
    "cortex": (0.3052, -11.828, 123.0),
    "white": (0.0223, 7.3471, -145.28),
    "deep_gray": (0.0149, -0.0475, -3.5148),
    "each_lateral_ventricle": (-0.00329, 0.3112, -3.99901),
    "cerebellum": (0.0451, -1.6575, 16.314),
    "brainstem": (0.0038, 0.086, -2.1428),
    "extra_axial_csf": (-0.2358, 17.993, -250.0),
    "cavum": (-0.0044, 0.2808, -3.76),
}
SD_CHARTS = {
    "total": (-0.000714, 1.16416, -16.644),
    "parenchyma": (0.0446046, -1.464604, 14.24),
    "cortex": (0.01647, -0.47701, 3.76905),
}
PARENCHYMA = ("cortex", "white", "deep_gray", "cerebellum", "brainstem")
OTHER_VENTRICLES_SHARE = 0.14  # third and fourth, of the lateral ones; no chart gives them


def check_ga_days(ga_days: float) -> float:
    """Return the age as a float, or refuse one that no phantom has, with a ValueError."""
    try:
        value = float(ga_days)
    except (TypeError, ValueError):
        value = math.nan
    if not MIN_GA_DAYS <= value <= MAX_GA_DAYS:
        raise ValueError(
            f"ga_days is {ga_days!r}; fetal brain phantoms cover {MIN_GA_DAYS:.0f}-"
            f"{MAX_GA_DAYS:.0f} days (19-39 weeks): give the age in days, within that range"
        )
    return value


def chart(name: str, ga_weeks: float, sd: bool = False) -> float:
    """Return one chart's mean, or its SD, in mL: the parabola as published.

    Parameters
    ----------
    name : a key of ``CHARTS``:
        total, parenchyma, cortex, white, deep_gray, each_lateral_ventricle, cerebellum,
        brainstem, extra_axial_csf, cavum.
        With ``sd`` one of total, parenchyma, cortex.
    ga_weeks : exact weeks.
    sd : whether the spread between fetuses is asked for.

    Examples
    --------
    >>> [round(chart("parenchyma", week)) for week in (24, 28, 32, 36, 38)]
    [66, 120, 185, 262, 304]
    """
    a, b, c = (SD_CHARTS if sd else CHARTS)[name]
    return a * ga_weeks**2 + b * ga_weeks + c


def expected_volumes(ga_days: float) -> dict[str, float]:
    """Return the volumes that are expected at an age, in mL.

    The charts of the five tissues add up to 2-6 % more than the chart of the parenchyma, which
    comes from another set of scans; half of that is taken from the tissues.

    Parameters
    ----------
    ga_days : 133-273.

    Returns
    -------
    dict
        ``cortex, white, deep_gray, cerebellum, brainstem, extra_axial_csf, lateral_ventricles``
        (both), ``cavum, other_ventricles``; their sum is the intracranial volume.

    Raises
    ------
    ValueError
        If the age is out of range.

    References
    ----------
    Uus AU et al. BOUNTI: brain volumetry and automated parcellation for 3D fetal MRI. bioRxiv
    2023. doi:10.1101/2023.04.18.537347; the charts are those of the SVRTK project's reports.

    Examples
    --------
    >>> volumes = expected_volumes(28 * 7)
    >>> round(volumes["cortex"], 1), round(volumes["lateral_ventricles"], 1)
    (30.5, 4.3)
    """
    weeks = check_ga_days(ga_days) / 7.0
    read = max(weeks, FIRST_CHART_WEEK)
    volumes = {name: chart(name, read) for name in (*PARENCHYMA, "extra_axial_csf", "cavum")}
    tissue = sum(volumes[name] for name in PARENCHYMA)
    agreed = math.sqrt(chart("parenchyma", read) / tissue)
    volumes |= {name: volumes[name] * agreed for name in PARENCHYMA}
    volumes["lateral_ventricles"] = 2.0 * chart("each_lateral_ventricle", read)
    volumes["other_ventricles"] = OTHER_VENTRICLES_SHARE * volumes["lateral_ventricles"]
    shrunk = math.exp(_growth_rate(FIRST_CHART_WEEK) * (weeks - read))
    return {name: ml * shrunk for name, ml in volumes.items()}


def _growth_rate(ga_weeks: float) -> float:
    """Return the relative growth of the parenchyma a week."""
    a, b, _ = CHARTS["parenchyma"]
    return (2.0 * a * ga_weeks + b) / chart("parenchyma", ga_weeks)
