"""Ultrasound phantoms of sixteen classes of fetal brain, made from a seed.

Each class is drawn by what defines it, on a head, ventricles and cerebellum that follow the
INTERGROWTH-21st standards of its week. They are caricatures: a classifier that knows them has
learnt the definitions, not what disease looks like.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fetal_lib.geometry.fit import fit_ellipse
from fetal_phantoms.anatomy import outline_points
from fetal_phantoms.anomalies.head_plane import draw_plane
from fetal_phantoms.anomalies.labels import (
    CEREBELLAR_PLANE,
    LABELS,
    PLANE_SHARES,
    PLANES,
    VENTRICULAR_PLANE,
)
from fetal_phantoms.anomalies.measure import measure
from fetal_phantoms.anomalies.patient import (
    MAX_GA_DAYS,
    MIN_GA_DAYS,
    Patient,
    draw_patient,
    draw_view,
)
from fetal_phantoms.anomalies.scan import image_maps, scan_head
from fetal_phantoms.anomalies.section import inset
from fetal_phantoms.head_sampling import View
from fetal_phantoms.marks import draw_marks

IMAGE_SIZE = (400, 540)
MIN_SIDE, MAX_SIDE = 96, 1200
LEAST_MARKED_ROWS = 224  # the bar and the text need so many; what is too much is cut


@dataclass(frozen=True)
class AnomalyPhantom:
    """Hold a made-up ultrasound image of a fetal brain and its truth.

    Attributes
    ----------
    image : uint8 (H, W).
    label : the class.
    lesion : bool (H, W), where the finding is; empty for normal.
    head : bool (H, W), inside the outer edge of the skull.
    ga_days : gestational age in days.
    pixel_size_mm : mm per pixel, the same in both directions.
    measures : mm by name. Always hc_mm, bpd_mm, ofd_mm; atrium_mm, other_atrium_mm and
        frontal_horn_mm in the transventricular plane where there are two ventricles; tcd_mm and
        cm_mm in the transcerebellar; cyst_mm, mass_mm, clot_mm, cavity_mm, sac_mm, gap_mm and
        vein_mm where there is one. All are taken from the drawn outlines.
    anatomy : uint8 (H, W), codes of ``TISSUES``.
    plane : transventricular or transcerebellar.
    """

    image: np.ndarray
    label: str
    lesion: np.ndarray
    head: np.ndarray
    ga_days: float
    pixel_size_mm: float
    measures: dict[str, float]
    anatomy: np.ndarray
    plane: str


def check_request(
    seed: int,
    label: str,
    ga_days: float | None,
    plane: str | None,
    frame: int,
    image_size: tuple[int, int],
) -> None:
    """Refuse what cannot be drawn, saying why."""
    if seed < 0 or frame < 0:
        raise ValueError(f"seed is {seed} and frame {frame}; both must be 0 or more")
    if label not in LABELS:
        raise ValueError(f"label is {label!r}; it must be one of {', '.join(LABELS)}")
    if ga_days is not None and not MIN_GA_DAYS <= ga_days <= MAX_GA_DAYS:
        raise ValueError(
            f"ga_days is {ga_days}; the standards of atrium and cisterna magna cover "
            f"{MIN_GA_DAYS:.0f}-{MAX_GA_DAYS:.0f} days (19-36 weeks) here: give the age in days"
        )
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in image_size):
        raise ValueError(
            f"image_size is {image_size}; (height, width) must be from {MIN_SIDE} to {MAX_SIDE}"
        )
    seen = [VENTRICULAR_PLANE] * (PLANE_SHARES[label] < 1)
    seen += [CEREBELLAR_PLANE] * (PLANE_SHARES[label] > 0)
    if plane is not None and plane not in seen:
        raise ValueError(
            f"plane is {plane!r}; {label} is seen in {' or '.join(seen)}: name it, or give None"
        )


def _choose_plane(label: str, rng: np.random.Generator) -> str:
    return PLANES[int(rng.random() < PLANE_SHARES[label])]


def make_anomaly(
    seed: int,
    label: str,
    ga_days: float | None = None,
    marks: bool = True,
    plane: str | None = None,
    frame: int = 0,
    image_size: tuple[int, int] = IMAGE_SIZE,
) -> AnomalyPhantom:
    """Make the ultrasound phantom of a fetal brain of one class.

    Parameters
    ----------
    seed : non-negative; the pregnancy. The same seed gives the same age, head size, probe and
        magnification whatever the label.
    label : one of ``LABELS``:
        normal, mild_ventriculomegaly, moderate_ventriculomegaly, severe_ventriculomegaly,
        arachnoid_cyst, cerebellar_hypoplasia, encephalocele, porencephaly, colpocephaly,
        intracranial_hemorrhage, arnold_chiari_malformation, mega_cisterna_magna, hydranencephaly,
        intracranial_tumor, holoprosencephaly, vein_of_galen.
    ga_days : gestational age in days, 133-252; None draws it.
    marks : whether the screen's bar, text, blanked boxes and callipers are drawn over the image;
        they know neither label nor anatomy.
    plane : transventricular or transcerebellar, in which the class is seen; None draws it.
    frame : non-negative; further images of the same pregnancy.
    image_size : (height, width) in pixels.

    Returns
    -------
    AnomalyPhantom

    Raises
    ------
    ValueError
        If an argument is out of range, or the plane does not show the class.

    References
    ----------
    Papageorghiou AT et al. Lancet 2014;384:869-879. doi:10.1016/S0140-6736(14)61490-2
    (head circumference). The classes' limits: ``fetal_phantoms.anomalies.labels``.

    Examples
    --------
    >>> phantom = make_anomaly(3, "severe_ventriculomegaly", ga_days=154)
    >>> phantom.image.shape, phantom.measures["atrium_mm"] >= 15, bool(phantom.lesion.any())
    ((400, 540), True, True)
    """
    image_size = (int(image_size[0]), int(image_size[1]))
    check_request(seed, label, ga_days, plane, frame, image_size)
    plane = plane or _choose_plane(label, np.random.default_rng([seed, 9, frame]))
    patient = draw_patient(seed, label, ga_days, image_size)
    section = draw_plane(patient, plane)
    rng = np.random.default_rng([seed, 2, frame])
    view = draw_view(rng, patient, image_size)
    image = scan_head(view, patient.fetus, section, rng)
    if marks:
        image = _marked(image, np.random.default_rng([seed, 3, frame]))
    anatomy, lesion = image_maps(view, section)
    return AnomalyPhantom(
        image=image,
        label=label,
        lesion=lesion > 0,
        head=_head_mask(view),
        ga_days=patient.fetus.ga_days,
        pixel_size_mm=patient.fetus.pixel_size_mm,
        measures={**_head_size(patient, view), **measure(section)},
        anatomy=anatomy,
        plane=plane,
    )


def _marked(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image of any height with the screen's marks."""
    missing = max(0, LEAST_MARKED_ROWS - image.shape[0])
    return draw_marks(np.pad(image, ((0, missing), (0, 0))), rng)[: image.shape[0]]


def _head_mask(view: View) -> np.ndarray:
    mask = np.zeros(view.shape, np.uint8)
    points = inset(outline_points(view.skull, view.pose), 0.5)  # OpenCV paints the rim too
    points = np.round(points * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 1, shift=4)
    return mask > 0


def _head_size(patient: Patient, view: View) -> dict[str, float]:
    """Return hc_mm, bpd_mm and ofd_mm of the fitted ellipse, and gap_mm of a skull defect."""
    pixel = patient.fetus.pixel_size_mm
    fitted = fit_ellipse(outline_points(view.skull, view.pose)[::4])
    found = {
        "hc_mm": fitted.perimeter * pixel,
        "bpd_mm": 2 * fitted.semi_minor * pixel,
        "ofd_mm": 2 * fitted.semi_major * pixel,
    }
    return found if patient.gap is None else {**found, "gap_mm": patient.gap[1]}
