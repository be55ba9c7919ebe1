"""What each class changes in a fetus of a given week: numbers, not pictures.

A normal fetus is drawn from the INTERGROWTH-21st standards of the atrium, cerebellum and
cisterna magna; a class changes those measures that define it and leaves the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fetal_lib.growth.intergrowth_size import mean_mm, size_mm
from fetal_phantoms.head_sampling import truncated_normal

ATRIUM_MM = {  # what is drawn; the classes' limits are 10, 12 and 15 mm
    "mild_ventriculomegaly": (10.1, 11.9),
    "moderate_ventriculomegaly": (12.3, 14.7),
    "severe_ventriculomegaly": (15.3, 30.0),
}
NORMAL_ATRIUM_MM = (3.5, 9.4)
NORMAL_CISTERNA_MM = (2.4, 9.0)
MEGA_CISTERNA_MM = (10.6, 17.0)
SMALL_CEREBELLUM_SHARE = (0.48, 0.74)  # of the mean of its week: all below -2 SD


@dataclass
class Plan:
    """Hold the measures that a head is drawn to; lengths in mm, sides by sign of v.

    Attributes
    ----------
    label, ga_weeks : class and age.
    atrium : {-1: mm, 1: mm}, width of the atria.
    frontal : width of the frontal horns.
    tcd, cisterna : transcerebellar diameter, depth of the cisterna magna.
    side : side of a one-sided finding, the one far from the probe.
    far : unit vector (u, v) that points away from the probe.
    bow : how far the midline is pushed towards -side.
    lemon : relative depth of the dents beside the forehead.
    has_cavum, banana : parts of the anatomy.
    """

    label: str
    ga_weeks: float
    atrium: dict[int, float]
    frontal: float
    tcd: float
    cisterna: float
    side: int = 1
    far: tuple[float, float] = (0.0, 1.0)
    bow: float = 0.0
    lemon: float = 0.0
    has_cavum: bool = True
    banana: bool = False
    widened: set[int] = field(default_factory=set)


def _limited(measure: str, weeks: float, limits: tuple, rng: np.random.Generator) -> float:
    """Draw a size from its standard until it lies within limits."""
    for _ in range(1000):
        size = float(size_mm(measure, weeks, z=truncated_normal(rng, 0, 1, -2.5, 2.5)))
        if limits[0] <= size <= limits[1]:
            break
    return float(np.clip(size, *limits))


def normal_plan(ga_weeks: float, rng: np.random.Generator) -> Plan:
    """Draw the measures of a healthy fetus of 18-36 weeks.

    >>> plan = normal_plan(22.0, np.random.default_rng(0))
    >>> plan.label, max(plan.atrium.values()) < 10, 20 < plan.tcd < 27
    ('normal', True, True)
    """
    wide = _limited("ATRIUM", ga_weeks, NORMAL_ATRIUM_MM, rng)
    other = float(np.clip(wide - abs(rng.normal(0, 0.6)), NORMAL_ATRIUM_MM[0], wide))
    sides = (-1, 1) if rng.random() < 0.5 else (1, -1)
    return Plan(
        label="normal",
        ga_weeks=ga_weeks,
        atrium=dict(zip(sides, (wide, other), strict=True)),
        frontal=rng.uniform(1.6, 3.2),
        tcd=float(size_mm("TCD", ga_weeks, z=truncated_normal(rng, 0, 1, -1.9, 1.9))),
        cisterna=_limited("CISTERNA_MAGNA", ga_weeks, NORMAL_CISTERNA_MM, rng),
    )


def room_mm(semi_minor: float) -> float:
    """Return the widest atrium that a hemisphere of an inner half width holds, mm."""
    return 0.7 * semi_minor - 0.5


def _widen(plan: Plan, limits: tuple, semi_minor: float, rng: np.random.Generator) -> None:
    """Make the atria as wide as a class says, one or both."""
    top = max(limits[0] + 0.5, min(limits[1], room_mm(semi_minor)))
    wide = min(rng.uniform(limits[0], top), limits[1])
    plan.atrium[plan.side], plan.widened = wide, {plan.side}
    plan.bow = max(0.0, wide - room_mm(semi_minor)) / 0.85  # a small head's midline gives way
    if rng.random() < 0.65 and plan.bow == 0:
        plan.atrium[-plan.side] = max(wide * rng.uniform(0.82, 1.0), 0.9 * limits[0])
        plan.widened |= {-plan.side} if plan.atrium[-plan.side] >= 10 else set()


def _ventriculomegaly(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    _widen(plan, ATRIUM_MM[plan.label], semi_minor, rng)
    plan.frontal += max(0.0, plan.atrium[plan.side] - 8) * rng.uniform(0.3, 0.6)


def _colpocephaly(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    _widen(plan, (12.0, 19.0), semi_minor, rng)
    plan.frontal = rng.uniform(1.2, 2.4)
    plan.has_cavum = rng.random() < 0.35  # often without corpus callosum


def _small_cerebellum(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    plan.tcd = float(mean_mm("TCD", plan.ga_weeks)) * rng.uniform(*SMALL_CEREBELLUM_SHARE)
    z = rng.uniform(1.6, 3.2)
    plan.cisterna = float(np.clip(size_mm("CISTERNA_MAGNA", plan.ga_weeks, z=z), 6.5, 15.0))


def _mega_cisterna(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    plan.cisterna = rng.uniform(*MEGA_CISTERNA_MM)


def _chiari(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    plan.banana, plan.cisterna = True, rng.uniform(0.5, 1.8)
    plan.lemon = rng.uniform(0.075, 0.125)
    plan.tcd *= rng.uniform(0.78, 0.95)
    if rng.random() < 0.7:
        _widen(plan, (10.0, 14.5), semi_minor, rng)


def _no_cavum(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    plan.has_cavum = False


def _tumor(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    plan.bow = rng.uniform(0.06, 0.2) * semi_minor


def _cyst(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    plan.bow = rng.uniform(0.0, 0.14) * semi_minor


def _hemorrhage(plan: Plan, semi_minor: float, rng: np.random.Generator) -> None:
    plan.atrium[plan.side] = min(rng.uniform(7.5, 13.0), room_mm(semi_minor))


CHANGES = {
    "mild_ventriculomegaly": _ventriculomegaly,
    "moderate_ventriculomegaly": _ventriculomegaly,
    "severe_ventriculomegaly": _ventriculomegaly,
    "colpocephaly": _colpocephaly,
    "cerebellar_hypoplasia": _small_cerebellum,
    "mega_cisterna_magna": _mega_cisterna,
    "arnold_chiari_malformation": _chiari,
    "holoprosencephaly": _no_cavum,
    "hydranencephaly": _no_cavum,
    "intracranial_tumor": _tumor,
    "arachnoid_cyst": _cyst,
    "intracranial_hemorrhage": _hemorrhage,
}


def change(plan: Plan, label: str, semi_minor: float, rng: np.random.Generator) -> None:
    """Change a normal plan, in place, to that of a class; no ventricle outgrows its hemisphere."""
    plan.label = label
    if label in CHANGES:
        CHANGES[label](plan, semi_minor, rng)
