"""One examination: its sizes, and all that may be said from them by published formulas.

Ages and weights follow from the sizes alone. A centile needs an age that is known from elsewhere:
at the age that was read from itself every size would look normal.

An interval here is what the intervals of the sizes make of it, of several sizes to first order.
Sizes of one plane are of one ellipse, so that their errors are added up; those of different planes
are taken to be independent. The scatter of a formula itself, above all of weights, is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fetal_lib.growth import hadlock, intergrowth_age, intergrowth_size, intergrowth_weight
from fetal_lib.growth.bpd_convention import (
    OUTER_INNER,
    OUTER_OUTER,
    check_convention,
    outer_inner_mm,
    outer_outer_mm,
)

PLANE_OF = {
    "BPD": "head",
    "OFD": "head",
    "HC": "head",
    "TAD": "abdomen",
    "APAD": "abdomen",
    "AC": "abdomen",
    "FL": "femur",
}
RATIOS = {
    "HC/AC": ("HC", "AC"),
    "FL/AC": ("FL", "AC"),
    "FL/BPD": ("FL", "BPD"),
    "FL/HC": ("FL", "HC"),
    "cephalic index (BPD/OFD)": ("BPD", "OFD"),
}
SMALL_CENTILE, LARGE_CENTILE, VERY_SMALL_CENTILE = 10.0, 90.0, 3.0
MACROSOMIA_G = 4000.0
SGA, LGA, HEAVY = "SGA (< 10th centile)", "LGA (> 90th centile)", "EFW > 4000 g"
VERY_SMALL = "{} < 3rd centile: enough for growth restriction by the Delphi consensus of 2016"
AGE_UNKNOWN = "the gestational age is not known from elsewhere"
BY_HADLOCK, BY_INTERGROWTH = "Hadlock 1984", "INTERGROWTH-21st"


@dataclass(frozen=True)
class Size:
    """A size in millimetres, with the bounds of its interval where it has one."""

    mm: float
    low_mm: float = math.nan
    high_mm: float = math.nan


@dataclass(frozen=True)
class Quantity:
    """One line of a report.

    Attributes
    ----------
    group : "size", "age", "weight", "centile" or "ratio".
    name : str, of the size or of the sizes that it was computed from.
    value, low, high : float, NaN where there is none.
    unit : "mm", "days", "g", "" for ratios and centiles.
    source : str, the formula's or the standard's name.
    reason : str, why there is no value; empty where there is one.
    """

    group: str
    name: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    reason: str = ""


@dataclass(frozen=True)
class Examination:
    """What was measured in one examination, and what follows from it.

    Attributes
    ----------
    quantities : tuple of Quantity
    flags : tuple of str, what the sizes allow to say of growth; empty without a known age.
    ga_days : float, the age known from elsewhere, NaN without one.
    """

    quantities: tuple[Quantity, ...]
    flags: tuple[str, ...]
    ga_days: float = math.nan

    def find(self, group: str, name: str, source: str = "") -> Quantity:
        """Return one line; ``KeyError`` where there is none of that name."""
        for line in self.quantities:
            if (line.group, line.name) == (group, name) and line.source.startswith(source):
                return line
        raise KeyError(f"{group} {name} {source}".strip())

    def rows(self) -> list[dict[str, Any]]:
        """Return a dictionary a line, for a table or JSON; None stands for no number."""
        return [
            {key: None if value != value else value for key, value in asdict(line).items()}
            for line in self.quantities
        ]


def examine(
    sizes: Mapping[str, Size], ga_days: float = math.nan, convention: str | None = None
) -> Examination:
    """Compute ages, weights, centiles and ratios of one examination.

    Parameters
    ----------
    sizes : mapping
        By "BPD", "OFD", "HC", "TAD", "APAD", "AC", "FL"; those that were measured.
    ga_days : float
        Gestational age from the first trimester or the cycle; NaN when it is not known.
    convention : str, optional
        How BPD was measured, ``"outer-outer"`` or ``"outer-inner"``: it is turned into what each
        formula was made for, outer to inner for Hadlock's, outer to outer for INTERGROWTH-21st's.
        Without it BPD enters all as it is.

    Returns
    -------
    Examination
        With a line for all that could be computed, and the reason where it could not.

    Raises
    ------
    ValueError
        For the name of a size that is none, or another convention.

    Examples
    --------
    >>> found = examine({"HC": Size(330), "AC": Size(340), "FL": Size(70), "BPD": Size(90)})
    >>> round(found.find("weight", "AC, FL, BPD, HC").value, 1)
    3150.5
    """
    for name in sizes:
        if name not in PLANE_OF:
            raise ValueError(f"sizes: {name!r} is no size; known are {', '.join(PLANE_OF)}.")
    lines = [_as_measured(name, sizes.get(name)) for name in PLANE_OF]
    inner, outer = (
        _in_convention(sizes, convention, other) for other in (OUTER_INNER, OUTER_OUTER)
    )
    lines += _ages(inner) + _weights(inner) + _ratios(sizes)
    centiles = _centiles(outer, ga_days)
    return Examination(tuple(lines + centiles), _flags(lines, centiles), float(ga_days))


def _in_convention(
    sizes: Mapping[str, Size], measured: str | None, wanted: str
) -> Mapping[str, Size]:
    """Return the sizes with BPD in another convention; as it is where the conversion ends."""
    if measured is not None:
        check_convention(measured)
    if measured in (None, wanted) or "BPD" not in sizes:
        return sizes
    turned = outer_inner_mm if wanted == OUTER_INNER else outer_outer_mm
    ends = {}
    for end, mm in asdict(sizes["BPD"]).items():
        try:
            ends[end] = float(turned(mm)) if math.isfinite(mm) else mm
        except ValueError:
            return sizes
    return {**sizes, "BPD": replace(sizes["BPD"], **ends)}


def _as_measured(name: str, size: Size | None) -> Quantity:
    if size is None or not math.isfinite(size.mm):
        return Quantity("size", name, *[math.nan] * 3, "mm", "", "not measured")
    return Quantity("size", name, size.mm, size.low_mm, size.high_mm, "mm", "measured")


def _ages(sizes: Mapping[str, Size]) -> list[Quantity]:
    lines = [
        _computed(
            "age", (m,), "days", BY_HADLOCK, lambda mm, m=m: 7 * hadlock.ga_weeks(m, mm), sizes
        )
        for m in hadlock.AGE_COEFFICIENTS
    ]
    usable = tuple(line.name for line in lines if not line.reason)
    if len(usable) > 1:
        mean = lambda *mm: 7 * np.mean([hadlock.ga_weeks(m, x) for m, x in zip(usable, mm)])  # noqa: E731, B905
        lines.append(_computed("age", usable, "days", f"{BY_HADLOCK}, mean", mean, sizes))
    by_head, by_both = intergrowth_age.ga_days_from_hc, intergrowth_age.ga_days_from_hc_fl
    lines.append(_computed("age", ("HC",), "days", BY_INTERGROWTH, by_head, sizes))
    lines.append(_computed("age", ("HC", "FL"), "days", BY_INTERGROWTH, by_both, sizes))
    return lines


def _weights(sizes: Mapping[str, Size]) -> list[Quantity]:
    lines = []
    for formula, needs in hadlock.EFW_NEEDS.items():
        weight = lambda *mm, f=formula, names=needs: hadlock.efw_g(  # noqa: E731
            **{f"{m.lower()}_mm": x for m, x in zip(names, mm, strict=True)}, formula=f
        )
        lines.append(_computed("weight", needs, "g", "Hadlock 1985", weight, sizes))
    by_circumferences = intergrowth_weight.efw_g
    lines.append(_computed("weight", ("AC", "HC"), "g", BY_INTERGROWTH, by_circumferences, sizes))
    return lines


def _ratios(sizes: Mapping[str, Size]) -> list[Quantity]:
    return [
        _computed("ratio", needs, "", "", lambda a, b: a / b, sizes, name)
        for name, needs in RATIOS.items()
    ]


def _centiles(sizes: Mapping[str, Size], ga_days: float) -> list[Quantity]:
    weeks, lines = ga_days / 7, []
    tasks: list[tuple[tuple[str, ...], Callable[..., float], str]] = [
        ((m,), lambda mm, m=m: intergrowth_size.centile(m, mm, weeks), m)
        for m in ("BPD", "OFD", "HC", "AC", "FL")
    ]
    by_weight = lambda ac, hc: intergrowth_weight.efw_centile(  # noqa: E731
        intergrowth_weight.efw_g(ac, hc), weeks
    )
    tasks.append((("AC", "HC"), by_weight, "EFW"))
    for needs, function, name in tasks:
        if math.isfinite(ga_days):
            lines.append(_computed("centile", needs, "", BY_INTERGROWTH, function, sizes, name))
        else:
            nothing = [math.nan] * 3
            lines.append(Quantity("centile", name, *nothing, "", BY_INTERGROWTH, AGE_UNKNOWN))
    return lines


def _computed(
    group: str,
    needs: Sequence[str],
    unit: str,
    source: str,
    function: Callable[..., float],
    sizes: Mapping[str, Size],
    name: str = "",
) -> Quantity:
    name, nothing = name or ", ".join(needs), [math.nan] * 3
    missing = [m for m in needs if m not in sizes or not math.isfinite(sizes[m].mm)]
    if missing:
        return Quantity(group, name, *nothing, unit, source, f"{', '.join(missing)} not measured")
    try:
        value = float(function(*(sizes[m].mm for m in needs)))
    except ValueError as error:
        return Quantity(group, name, *nothing, unit, source, str(error).split(" The formula")[0])
    low, high = _interval(function, value, [sizes[m] for m in needs], [PLANE_OF[m] for m in needs])
    if group == "centile":
        low, high = max(low, 0.0), min(high, 100.0)
    return Quantity(group, name, value, low, high, unit, source)


def _interval(
    function: Callable[..., float], value: float, sizes: Sequence[Size], planes: Sequence[str]
) -> tuple[float, float]:
    """Return the bounds; NaN where a size has none, or one lies outside the formula's range."""
    by_plane: dict[str, float] = {}
    for i, (size, plane) in enumerate(zip(sizes, planes, strict=True)):
        ends = []
        for bound in (size.low_mm, size.high_mm):
            at_bound = [other.mm for other in sizes]
            at_bound[i] = bound
            try:
                ends.append(float(function(*at_bound)))
            except ValueError:
                return math.nan, math.nan
        if len(sizes) == 1:
            return min(ends), max(ends)
        by_plane[plane] = by_plane.get(plane, 0.0) + abs(ends[1] - ends[0]) / 2
    half = math.hypot(*by_plane.values())
    return value - half, value + half


def size_flags(weight_g: float, centile: float) -> str:
    """Word what a weight and its centile allow to say.

    Examples
    --------
    >>> size_flags(4100.0, 95.0)
    'LGA (> 90th centile); EFW > 4000 g'
    """
    found = {SGA: centile < SMALL_CENTILE, LGA: centile > LARGE_CENTILE}
    found[HEAVY] = weight_g > MACROSOMIA_G
    return "; ".join(flag for flag, holds in found.items() if holds)


def _flags(lines: Sequence[Quantity], centiles: Sequence[Quantity]) -> tuple[str, ...]:
    centile = {line.name: line.value for line in centiles}
    weights = {line.source: line.value for line in lines if line.group == "weight"}
    said = size_flags(weights[BY_INTERGROWTH], centile["EFW"])
    flags = [flag for flag in said.split("; ") if flag]
    return (
        *flags,
        *(VERY_SMALL.format(name) for name in ("AC", "EFW") if centile[name] < VERY_SMALL_CENTILE),
    )
