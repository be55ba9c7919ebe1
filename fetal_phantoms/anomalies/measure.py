"""Measure a drawn section as a sonographer would, from its polygons."""

from __future__ import annotations

import numpy as np

from fetal_phantoms.anomalies.fossa import bone_u
from fetal_phantoms.anomalies.section import Section
from fetal_phantoms.anomalies.ventricles import BEHIND, centers_within, widest_circle_mm

DIAMETERS = ("cyst", "mass", "clot", "cavity", "sac")


def ventricle_widths(section: Section, side: int) -> tuple[float, float]:
    """Return the widths of atrium and frontal horn of one side in mm."""
    path, outline = section.shapes[f"axis{side:+d}"], section.shapes[f"ventricle{side:+d}"]
    parts = path[:, 0] < BEHIND * section.semi_major, path[:, 0] > 0.25 * section.semi_major
    atrium, frontal = (
        widest_circle_mm(centers_within(path, outline, part), outline) for part in parts
    )
    return atrium, frontal


def cerebellum_and_cisterna(section: Section) -> tuple[float, float]:
    """Return the transcerebellar diameter and the depth of the cisterna magna in mm."""
    cerebellum, vermis = section.shapes["cerebellum"], section.shapes["vermis"]
    near = vermis[np.abs(vermis[:, 1]) < 0.2 * np.ptp(vermis[:, 1])]
    return float(np.ptp(cerebellum[:, 1])), float(near[:, 0].min() - bone_u(section))


def longest_mm(outline: np.ndarray) -> float:
    """Return the longest diameter of an outline in mm.

    >>> longest_mm(np.array([(0.0, 0.0), (3.0, 4.0), (1.0, 1.0)]))
    5.0
    """
    return float(np.hypot(*(outline[:, None] - outline[None]).transpose(2, 0, 1)).max())


def measure(section: Section) -> dict[str, float]:
    """Return the measures of what was drawn, mm; only those that its plane shows.

    ``atrium_mm`` and ``frontal_horn_mm`` are those of the wider side.
    """
    found: dict[str, float] = {}
    if "axis+1" in section.shapes:
        pairs = [ventricle_widths(section, side) for side in (-1, 1)]
        found["atrium_mm"], found["frontal_horn_mm"] = max(pairs)
        found["other_atrium_mm"] = min(pairs)[0]
    if "cerebellum" in section.shapes:
        found["tcd_mm"], found["cm_mm"] = cerebellum_and_cisterna(section)
    for name in DIAMETERS:
        if name in section.shapes:
            found[f"{name}_mm"] = longest_mm(section.shapes[name])
    if "vein" in section.shapes:
        found["vein_mm"] = float(np.ptp(section.shapes["vein"][:, 1]))
    return found
