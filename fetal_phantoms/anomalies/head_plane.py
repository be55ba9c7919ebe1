"""Put anatomy and finding of a patient together in one of the two planes."""

from __future__ import annotations

import numpy as np

from fetal_phantoms.anomalies.cerebrum import (
    draw_cavum,
    draw_cortex,
    draw_midline,
    draw_parieto_occipital,
    draw_thalami,
)
from fetal_phantoms.anomalies.fossa import draw_fossa
from fetal_phantoms.anomalies.labels import PLANES, VENTRICULAR_PLANE
from fetal_phantoms.anomalies.lesions import PAINTERS, encephalocele
from fetal_phantoms.anomalies.malformations import MALFORMATIONS
from fetal_phantoms.anomalies.patient import LEMON_RAD, Patient
from fetal_phantoms.anomalies.section import Section, band, ellipse, head_section
from fetal_phantoms.anomalies.ventricles import draw_ventricle


def draw_plane(patient: Patient, plane: str) -> Section:
    """Draw the section of a patient's head in a plane; the same each time."""
    seed, number = patient.seed, PLANES.index(plane)
    body = np.random.default_rng([seed, 7, number])
    own = np.random.default_rng([seed, 8, number])
    section = head_section(patient.skull, patient.fetus.pixel_size_mm)
    plan = patient.plan
    draw_cortex(section, plan, body)
    if patient.label in MALFORMATIONS:
        MALFORMATIONS[patient.label](section, plan, plane, own)
    else:
        _hemispheres(section, patient, plane, body)
    if plane != VENTRICULAR_PLANE:
        draw_fossa(section, plan, body)
    if patient.label in PAINTERS:
        PAINTERS[patient.label](section, plan, plane, own)
    if patient.gap is not None:
        encephalocele(section, plan, patient.gap, np.random.default_rng([seed, 8]))
    if plan.lemon:
        _mark_lemon(section)
    return section


def _hemispheres(section: Section, patient: Patient, plane: str, rng: np.random.Generator) -> None:
    """Draw midline, cavum, thalami and ventricles as far as the plane shows them."""
    plan, upper = patient.plan, plane == VENTRICULAR_PLANE
    front = rng.uniform(0.46, 0.54)
    spans = [(front, 0.93), *([(-0.93, -rng.uniform(0.12, 0.25))] * upper)]
    if rng.random() < 0.85 or not upper:
        draw_thalami(section, plan, rng)
    draw_midline(section, plan, spans, rng)
    if plan.has_cavum:
        draw_cavum(section, plan, rng)
    if upper:
        draw_parieto_occipital(section, plan, rng)
        for side in (-1, 1):
            draw_ventricle(section, plan, side, rng)
        return
    for side in (-1, 1):  # the tips of the frontal horns
        at = 0.4 * section.semi_major, side * (0.2 * section.semi_minor + 0.5)
        tip = ellipse(at, (0.13 * section.semi_major, plan.frontal / 2), side * 0.3, 40)
        section.fill(tip, "ventricle", -4.0, 0.9)


def _mark_lemon(section: Section) -> None:
    """Mark the dented stretches of the skull as part of the finding."""
    turn = np.arctan2(section.inner[:, 1], section.inner[:, 0])
    for side in (-1, 1):
        dent = np.abs(turn - side * LEMON_RAD * 0.9) < 0.3
        path = section.inner[dent][np.argsort(turn[dent])] * 1.03
        strip = band(path[::4], np.full(len(path[::4]), 0.09 * section.semi_minor))
        section.mark(strip)
