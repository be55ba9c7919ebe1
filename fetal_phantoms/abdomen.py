"""Ultrasound phantoms of the fetal abdomen in the plane of its circumference, made from a seed.

A phantom carries its own truth: the outer edge of the skin as a fitted ellipse and its perimeter
in mm, which follows the INTERGROWTH-21st standard of the week.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from fetal_phantoms.abdomen_anatomy import Trunk, draw_trunk
from fetal_phantoms.anatomy import HeadField, bone_depth, bone_profile
from fetal_phantoms.anomalies.scan import (
    Maps,
    canvas_places,
    field_and_scenery,
    put_section,
    received,
    sample,
    screen,
)
from fetal_phantoms.anomalies.section import head_section
from fetal_phantoms.biometry import BiometryPhantom, check_request
from fetal_phantoms.head_sampling import (
    Fetus,
    View,
    draw_circumference_px,
    draw_fetus,
    draw_view,
    truncated_normal,
)
from fetal_phantoms.marks import draw_marks

MAX_Z = 3.0


class AbdomenPhantom(BiometryPhantom):
    """Hold a made-up ultrasound image of a fetal abdomen; its ellipse is the skin's outer edge."""

    @property
    def ac_mm(self) -> float:
        """Perimeter of the ellipse in mm."""
        return self.circumference_mm


def make_abdomen(
    seed: int,
    ga_days: float | None = None,
    marks: bool = True,
    frame: int = 0,
    z: float | None = None,
) -> AbdomenPhantom:
    """Make the ultrasound phantom of a fetal abdomen.

    Parameters
    ----------
    seed : non-negative; the examination. The same seed gives the same fetus and probe.
    ga_days : gestational age in days, 98-280; None draws it as for heads.
    marks : whether the screen's bar, text, blanked boxes and callipers are drawn.
    frame : non-negative; repeat frames of the examination.
    z : size in standard deviations from the mean of the week, -3 to 3; None draws it.

    Returns
    -------
    AbdomenPhantom

    Raises
    ------
    ValueError
        If ga_days lies outside the size standard, z outside -3 to 3, or seed or frame is negative.

    References
    ----------
    Papageorghiou AT et al. Lancet 2014;384:869-879. doi:10.1016/S0140-6736(14)61490-2
    (abdominal circumference for age). Salomon LJ et al. ISUOG Practice Guidelines: ultrasound
    assessment of fetal biometry and growth. Ultrasound Obstet Gynecol 2019;53:715-723.
    doi:10.1002/uog.20272 (what the plane shows).

    Examples
    --------
    >>> phantom = make_abdomen(7, ga_days=140)
    >>> phantom.image.shape, phantom.image.dtype.name, bool(124 < phantom.ac_mm < 171)
    ((540, 800), 'uint8', True)
    """
    check_request(seed, frame, ga_days, "abdomen")
    if z is not None and not -MAX_Z <= z <= MAX_Z:
        raise ValueError(f"z is {z}; it must be from -3 to 3 standard deviations, or None")
    fetus = _draw_fetus(np.random.default_rng([seed, 31]), ga_days, z)
    rng = np.random.default_rng([seed, 32, frame])
    view = draw_view(rng, fetus)
    image = _scan(view, fetus, _draw_anatomy(seed, view, fetus), rng)
    if marks:
        image = draw_marks(image, np.random.default_rng([seed, 33, frame]))
    return AbdomenPhantom.of(image, view, fetus)


def _draw_fetus(rng: np.random.Generator, ga_days: float | None, z: float | None) -> Fetus:
    """Draw the trunk of a fetus as a rounder, smoother outline with skin in place of bone."""
    from fetal_lib.growth.intergrowth_size import size_mm

    fetus = draw_fetus(rng, ga_days)
    drawn = truncated_normal(rng, 0, 1, -MAX_Z, MAX_Z)
    ac_mm = float(size_mm("AC", fetus.ga_days / 7.0, z=drawn if z is None else z))
    pixel_size_mm = ac_mm / draw_circumference_px(ac_mm, rng)
    return replace(
        fetus,
        hc_mm=ac_mm,
        cephalic_index=truncated_normal(rng, 0.94, 0.035, 0.84, 0.995),
        relief=(1 + rng.uniform(0.3, 1.0) * (fetus.relief - 1)).astype(np.float32),
        bone_mm=fetus.bone_mm * rng.uniform(1.0, 2.2) / fetus.bone_mm.mean(),
        bone_db=0.6 * fetus.bone_db,
        pixel_size_mm=pixel_size_mm,
    )


def _draw_anatomy(seed: int, view: View, fetus: Fetus) -> Trunk:
    """Draw what lies inside the skin: the same for all frames of a fetus."""
    section = head_section(view.skull, fetus.pixel_size_mm, ("skin", "liver"))
    rng = np.random.default_rng([seed, 34])
    left = 1 if rng.random() < 0.5 else -1
    return draw_trunk(section, rng.uniform(0, 2 * math.pi), left, int(rng.integers(2**31)))


def _draw_skin(view: View, field: HeadField, maps: Maps, rng: np.random.Generator) -> Maps:
    """Return the maps with the skin on top: thin, brightest where it lies across the beam."""
    echo, loss, mirror = maps
    facing = np.maximum(field.cosine, 1e-3) ** np.float32(rng.uniform(0.8, 3.0))
    floor = rng.uniform(0.03, 0.3)
    level = rng.uniform(-21, -8) + view.skull.echo_db[field.index]
    level = level + 20 * np.log10((facing + floor) / (1 + floor))
    skin = 10 ** (level / np.float32(20)) * bone_profile(bone_depth(view.skull, field), 0.45, 0.4)
    share = np.float32(rng.uniform(0.15, 0.6))
    echo = 10 * np.log10(10 ** (echo / np.float32(10)) + (skin * (1 - share)) ** 2)
    return echo, loss, mirror + share * skin


def _draw_bones(
    view: View, trunk: Trunk, field: HeadField, maps: Maps, rng: np.random.Generator
) -> Maps:
    """Return the maps with spine and ribs: bright on the side of the probe, shadow behind."""
    echo, loss, mirror = maps
    bone = sample(trunk.bone, canvas_places(view, field), 1.0)
    level = 10 ** (rng.uniform(-12, -3) / 20)
    echo = 10 * np.log10(10 ** (echo / np.float32(10)) + (0.7 * level * bone) ** 2)
    front = np.maximum(np.diff(bone, axis=0, prepend=bone[:1]), 0)
    return echo, loss + bone * np.float32(rng.uniform(2.5, 7.0)), mirror + level * front


def _scan(view: View, fetus: Fetus, trunk: Trunk, rng: np.random.Generator) -> np.ndarray:
    """Return the frame as the screen shows it, uint8 (H, W)."""
    field, maps = field_and_scenery(view, fetus, rng)
    maps = put_section(view, fetus, trunk.section, field, maps, rng)
    maps = _draw_skin(view, field, maps, rng)
    maps = _draw_bones(view, trunk, field, maps, rng)
    inside = (field.distance < 0).astype(np.float32)
    envelope = received(view, fetus, maps, inside, rng)
    image = screen(view, fetus, envelope, rng)
    return cv2.GaussianBlur(image, (0, 0), 1.0) if rng.random() < 0.4 else image
