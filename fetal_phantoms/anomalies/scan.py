"""Scan a drawn section: the frame that the screen shows.

The order is that of ``fetal_phantoms.head_render``, whose skull, gain, haze and grey map are
used; what differs is that the inside of the body comes from a section drawn in millimetres, and
that gain, haze and noise are those of frames that are kept for looking at the brain: gain set on
the brain, no rib over it, images compounded. Frames for measuring the head only are darker inside.

References
----------
Malinger G et al. ISUOG Practice Guidelines (updated): sonographic examination of the fetal central
nervous system. Part 1. Ultrasound Obstet Gynecol 2020;56:476-484. doi:10.1002/uog.22145
"""

from __future__ import annotations

import cv2
import numpy as np

from fetal_phantoms.anatomy import HeadField, soft_step
from fetal_phantoms.anomalies.section import CELLS, SHAPE, Section
from fetal_phantoms.head_render import (
    Maps,
    draw_bone,
    field_and_scenery,
    gain_db,
    grey_map,
    reverberation,
)
from fetal_phantoms.head_sampling import Fetus, View
from fetal_phantoms.ultrasound import (
    cumulative_loss_db,
    psf_sigma_samples,
    smooth_noise,
    speckle_envelope,
)

FLUID_LOSS_DB_MM = 0.02
LEAST_NET_DB = -4.0  # of gain less loss, mean inside the head: a sonographer turns it up
MOST_DROPOUT_DB = 8.0  # of a line below the middle ones: the probe is moved off a rib


def canvas_places(view: View, field: HeadField) -> tuple[np.ndarray, np.ndarray]:
    """Return column and row of the section's canvas at the samples of a head field."""
    across = np.float32(CELLS * view.skull.semi_minor / view.skull.semi_major)
    column = field.along * np.float32(CELLS) + np.float32((SHAPE[1] - 1) / 2)
    return column, field.across * across + np.float32((SHAPE[0] - 1) / 2)


def sample(canvas: np.ndarray, places: tuple, soft_px: float = 0.0) -> np.ndarray:
    """Return a canvas at places (column, row), 0 beyond it; nearest where it is uint8."""
    if soft_px > 0:
        canvas = cv2.GaussianBlur(canvas, (0, 0), soft_px)
    how = cv2.INTER_NEAREST if canvas.dtype == np.uint8 else cv2.INTER_LINEAR
    return cv2.remap(canvas, *places, how, borderMode=cv2.BORDER_CONSTANT, borderValue=0)


def put_section(
    view: View, fetus: Fetus, section: Section, field: HeadField, maps: Maps,
    rng: np.random.Generator,
) -> Maps:  # fmt: skip
    """Return the maps with the soft parts of a section in the place of the body."""
    echo, loss, mirror = maps
    places = canvas_places(view, field)
    level, fluid = sample(section.level, places, 1.6), sample(section.fluid, places, 1.2)
    share = soft_step(-field.distance, 3.0)
    if section.outside.any():
        beyond = cv2.GaussianBlur(section.outside.astype(np.float32), (0, 0), 1.2)
        share = np.maximum(share, sample(beyond, places))
    grain = rng.uniform(2, 9) / fetus.pixel_size_mm / view.sector.sample_px
    texture = smooth_noise(echo.shape, (grain * 0.6, grain), rng)
    base, contrast = rng.uniform(-39, -31), rng.uniform(1.0, 1.5)
    solid = base + contrast * level + rng.uniform(0.6, 2.2) * texture
    solid += _glints(view, fetus.pixel_size_mm, rng)
    inside = solid + fluid * (base - np.float32(rng.uniform(17, 26)) - solid)
    tissue_loss = np.float32(rng.uniform(0.2, 0.6) * fetus.probe.tissue_loss_db_mm)
    inside_loss = tissue_loss + fluid * (FLUID_LOSS_DB_MM - tissue_loss)
    wall = np.abs(np.diff(fluid, axis=0, append=fluid[-1:]))  # upright to the beam it is bright
    shine = 10 ** (rng.uniform(-21, -11) / 20) * wall
    shine += 10 ** (rng.uniform(-14, -5) / 20) * _membranes(section, places, rng)
    return (
        echo + share * (inside - echo),
        loss + share * (inside_loss - loss),
        mirror * (1 - share) + share * shine,
    )


def _membranes(section: Section, places: tuple, rng: np.random.Generator) -> np.ndarray:
    """Return the amplitude of thin membranes: patchy, stronger where they lie across the beam."""
    lines = sample(section.lines, places, 0.9)
    patchy = smooth_noise(lines.shape, (18, rng.uniform(12, 40)), rng)
    lines = lines * np.clip(np.float32(rng.uniform(0.7, 0.95)) + 0.35 * patchy, 0.1, 1.2)
    down, aside = cv2.Sobel(lines, cv2.CV_32F, 0, 1), cv2.Sobel(lines, cv2.CV_32F, 1, 0)
    down, aside = cv2.boxFilter(down**2, -1, (5, 5)), cv2.boxFilter(aside**2, -1, (5, 5))
    return lines * (0.5 + 0.5 * down / (down + aside + np.float32(1e-6)))


def _glints(view: View, pixel_size_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return the echo (dB) of the many small interfaces in tissue that lie across the beam."""
    shape = view.sector.n_samples, view.sector.n_lines
    sample_mm = view.sector.sample_px * pixel_size_mm
    line_mm = view.sector.line_rad * view.focus_mm * 1.8
    grain = 0.7 / sample_mm, rng.uniform(1.5, 3.5) / line_mm
    crowd = smooth_noise(shape, (9.0 / sample_mm, 14.0 / line_mm), rng)
    rare = np.maximum(smooth_noise(shape, grain, rng) - np.float32(rng.uniform(1.1, 1.9)), 0)
    return np.float32(rng.uniform(3, 8)) * rare * np.clip(0.7 + 0.6 * crowd, 0, 1.6)


def _turned_up(gain: np.ndarray, loss_db: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the gain, raised where lines or the depths of the body were lost in the dark."""
    gain = np.maximum(gain, np.median(gain, axis=1, keepdims=True) - MOST_DROPOUT_DB)
    net = float(((gain - loss_db) * inside).sum() / max(float(inside.sum()), 1.0))
    if net >= LEAST_NET_DB:
        return gain
    rows = inside.mean(axis=1, keepdims=True)
    rows = cv2.GaussianBlur(rows / max(float(rows.max()), 1e-6), (0, 0), 20.0)
    return gain + (LEAST_NET_DB - net) * rows


def received(
    view: View, fetus: Fetus, maps: Maps, inside: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the envelope that comes back on the scan lines, (n_samples, n_lines).

    `inside` is float32 0-1 where the body is: reverberation and gain follow it.
    """
    echo, loss, mirror = maps
    sample_mm = view.sector.sample_px * fetus.pixel_size_mm
    loss = cv2.GaussianBlur(np.float32(loss), (0, 0), sigmaX=rng.uniform(1, 3), sigmaY=0.5)
    loss_db = cumulative_loss_db(loss, sample_mm)
    gain = _turned_up(gain_db(view, loss_db, rng), loss_db, inside)
    net = 10 ** ((gain - loss_db) / np.float32(20))
    amplitude = 10 ** (echo / np.float32(20)) * net
    haze = reverberation(inside, sample_mm, rng)
    amplitude += np.float32(rng.uniform(0.15, 0.6)) * net * haze
    amplitude += 10 ** ((gain * rng.uniform(0.2, 0.8) + rng.uniform(-88, -70)) / 20)
    sigma = psf_sigma_samples(fetus.probe, view.sector, fetus.pixel_size_mm, view.focus_mm)
    return speckle_envelope(amplitude, sigma, rng, int(rng.integers(2, 5)), mirror * net)


def screen(view: View, fetus: Fetus, envelope: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an envelope as the screen shows it, uint8 (H, W)."""
    if rng.random() < 0.6:  # smoothing after detection, as speckle reduction does
        envelope = cv2.GaussianBlur(envelope, (0, 0), float(rng.uniform(0.5, 1.0)))
    grey = grey_map(envelope, fetus.probe.dynamic_range_db, rng)
    image = view.sector.scan_convert(grey)
    if rng.random() < 0.5:
        blurred = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 1.4)))
        image = np.where(image > 0, blurred, image)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def scan_head(view: View, fetus: Fetus, section: Section, rng: np.random.Generator) -> np.ndarray:
    """Return the frame of a head, uint8 (H, W)."""
    field, maps = field_and_scenery(view, fetus, rng)
    maps = put_section(view, fetus, section, field, maps, rng)
    maps = draw_bone(view.skull, field, maps, rng)
    hidden = field.distance < -view.skull.thickness[field.index]
    return screen(view, fetus, received(view, fetus, maps, hidden.astype(np.float32), rng), rng)


def image_maps(view: View, section: Section) -> tuple[np.ndarray, np.ndarray]:
    """Return tissue codes and the finding in the image's own pixels, uint8 (H, W) each."""
    height, width = view.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    dx, dy = x - np.float32(view.pose.center_x), y - np.float32(view.pose.center_y)
    cosine, sine = np.float32(np.cos(view.pose.angle_rad)), np.float32(np.sin(view.pose.angle_rad))
    scale = np.float32(CELLS / view.skull.semi_major)
    column = (dx * cosine + dy * sine) * scale + np.float32((SHAPE[1] - 1) / 2)
    row = (dy * cosine - dx * sine) * scale + np.float32((SHAPE[0] - 1) / 2)
    return tuple(sample(canvas, (column, row)) for canvas in (section.tissue, section.lesion))
