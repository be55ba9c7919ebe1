"""Turn a drawn fetus and view into the frame that the screen shows."""

from __future__ import annotations

import math

import cv2
import numpy as np

from fetal_phantoms import surroundings
from fetal_phantoms.anatomy import (
    HeadField,
    Skull,
    bone_depth,
    bone_profile,
    brain_map,
    head_field,
    sample_brain,
    soft_step,
)
from fetal_phantoms.head_sampling import Fetus, View
from fetal_phantoms.ultrasound import (
    cumulative_loss_db,
    log_compress,
    psf_sigma_samples,
    smooth_noise,
    speckle_envelope,
)

Maps = tuple[np.ndarray, np.ndarray, np.ndarray]  # echo (dB), loss (dB/mm), mirror amplitude


def draw_scenery(view: View, fetus: Fetus, rng: np.random.Generator) -> surroundings.Scenery:
    """Return the tissue, fluid and distractors around the head's place."""
    pose, skull = view.pose, view.skull
    loss = fetus.probe.tissue_loss_db_mm
    scene = surroundings.tissue(view.shape, fetus.pixel_size_mm, loss, rng)
    center = (pose.center_x, pose.center_y)
    if rng.random() < 0.45:
        surroundings.placenta(scene, rng, view.shape[1], view.shape[0])
    early = fetus.ga_days < 126
    if rng.random() < (0.75 if early else 0.35):
        grow = rng.uniform(1.05, 2.6 if early else 1.5)
        shift = rng.normal(0, 0.35 * (grow - 1.0) * skull.semi_major, 2)
        reach = grow * skull.semi_major, grow * skull.semi_minor * rng.uniform(0.75, 1.1)
        at = center[0] + shift[0], center[1] + shift[1]
        surroundings.fluid_cavity(scene, at, reach, rng)
    if rng.random() < 0.4:
        surroundings.fluid_pockets(scene, rng)
    n = int(rng.poisson(2.2))
    surroundings.add_distractors(scene, center, skull.semi_major, n, rng)
    return scene


def field_and_scenery(view: View, fetus: Fetus, rng: np.random.Generator) -> tuple[HeadField, Maps]:
    """Return where the samples lie, and the maps of the mother's tissues around the body."""
    sector, pixel = view.sector, np.float32(fetus.pixel_size_mm)
    x, y = sector.grid()
    echo, loss, mirror = draw_scenery(view, fetus, rng).sample(x, y)
    depth_mm = (sector.ranges() - np.float32(view.face_px)) * pixel
    beam_mm = sector.angles() * fetus.probe.radius_mm
    wall_mm = rng.uniform(0.15, 0.9) * view.focus_mm
    echo += surroundings.wall_layers(depth_mm, beam_mm, wall_mm, rng)
    return head_field(view.skull, view.pose, x, y, sector.angles()), (echo, loss, mirror)


def reverberation(inside: np.ndarray, sample_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return the haze under the near skull as amplitude, (n_samples, n_lines)."""
    depth_mm = np.cumsum(inside, axis=0, dtype=np.float32) * np.float32(sample_mm)
    level_db = rng.uniform(-48, -27)
    fade = np.exp(-depth_mm / np.float32(rng.uniform(5, 30)))
    if rng.random() < 0.18:
        period, depth = rng.uniform(1.5, 5.0), rng.uniform(0.2, 0.8)
        fade = fade * (1 + depth * np.cos(depth_mm * np.float32(2 * np.pi / period)))
    lateral = 10 ** (rng.uniform(1, 6) / 20 * smooth_noise(inside.shape, (1e4, 60), rng))
    return inside * fade * lateral * np.float32(10 ** (level_db / 20))


def _draw_head(
    view: View, fetus: Fetus, field: HeadField, maps: Maps, rng: np.random.Generator
) -> Maps:
    """Return echo (dB), loss (dB/mm) and mirror amplitude with the head put in."""
    echo, loss, mirror = maps
    pixel, skull = fetus.pixel_size_mm, view.skull
    if rng.random() < 0.4:  # scalp and the skin around it
        scalp_px = rng.uniform(0.8, 3.0) / pixel
        skin = rng.uniform(0.3, 1.0) * soft_step(scalp_px - field.distance, scalp_px)
        echo = echo + skin * (np.float32(rng.uniform(-44, -28)) - echo)
    inside = soft_step(-field.distance, 3.0)
    brain = sample_brain(brain_map(np.random.default_rng(fetus.brain_seed), fetus.ga_days / 7.0,
                                   fetus.facing), field)  # fmt: skip
    grain = rng.uniform(2, 12) / pixel / view.sector.sample_px
    texture = smooth_noise(echo.shape, (grain * 0.6, grain), rng)
    base = rng.uniform(-46, -29)
    brain = (
        base
        + rng.uniform(0.6, 1.5) * brain
        + rng.uniform(1.0, 7.0 if fetus.ga_days < 116 else 4.5) * texture
    )
    rim = rng.uniform(0, 10) * soft_step(field.distance + rng.uniform(4, 9) / pixel, 3.0 / pixel)
    echo = echo + inside * (brain - rim - echo)
    brain_loss = np.float32(rng.uniform(0.2, 0.7) * fetus.probe.tissue_loss_db_mm)
    loss = loss + inside * (brain_loss - loss)
    mirror = mirror * (1 - inside)
    return draw_bone(skull, field, (echo, loss, mirror), rng)


def draw_bone(skull: Skull, field: HeadField, maps: Maps, rng: np.random.Generator) -> Maps:
    """Return echo, loss and mirror with the skull on top: brightest where the beam meets it
    upright.
    """
    echo, loss, mirror = maps
    depth = bone_depth(skull, field)
    sharp, floor = rng.uniform(0.8, 4.5), rng.uniform(0.01, 0.25)
    facing = np.maximum(field.cosine, 1e-3) ** np.float32(sharp)
    level = rng.uniform(-4, 4) if rng.random() < 0.75 else rng.uniform(-16, -4)
    level = level + skull.echo_db[field.index]
    level = level + 20 * np.log10((facing + floor) / (1 + floor))
    band = bone_profile(depth, rng.uniform(0.45, 0.67), rng.uniform(0.42, 0.64))
    bone = 10 ** (level / np.float32(20)) * band
    share = np.float32(rng.uniform(0.15, 0.8))  # of the echo that is mirror-like
    echo = 10 * np.log10(10 ** (echo / np.float32(10)) + (bone * (1 - share)) ** 2)
    wall = (depth > 0) & (depth < 1)
    return echo, loss + wall * np.float32(rng.uniform(0.3, 3.0)), mirror + share * bone


def gain_db(view: View, loss_db: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return time-gain compensation and uneven lateral gain in dB, (n_samples, n_lines)."""
    middle = loss_db[:, loss_db.shape[1] // 4 : 3 * loss_db.shape[1] // 4].mean(axis=1)
    middle = cv2.GaussianBlur(middle.astype(np.float32)[:, None], (0, 0), 25.0)
    tgc = middle * np.float32(rng.uniform(0.85, 1.08))
    tgc = tgc + rng.uniform(0, 5) * smooth_noise((loss_db.shape[0], 2), (140, 2), rng)[:, :1]
    side = rng.uniform(0, 4) * smooth_noise((2, loss_db.shape[1]), (2, 90), rng)[:1]
    angle = view.sector.angles() / np.float32(view.sector.half_angle_rad)
    for _ in range(int(rng.poisson(0.8))):  # poor contact and rib shadows
        at, width = rng.uniform(-1.1, 1.1), rng.uniform(0.03, 0.3)
        side = side - rng.uniform(3, 22) * np.exp(-(((angle - at) / width) ** 2))
    return tgc + side - rng.uniform(0, 12) * angle**4


def _envelope(view: View, fetus: Fetus, rng: np.random.Generator) -> np.ndarray:
    """Return the received envelope on the scan lines, (n_samples, n_lines)."""
    sector, probe, pixel = view.sector, fetus.probe, fetus.pixel_size_mm
    field, maps = field_and_scenery(view, fetus, rng)
    echo, loss, mirror = _draw_head(view, fetus, field, maps, rng)
    sample_mm = sector.sample_px * pixel
    beam = 0.5 + probe.lateral_fwhm_mm(view.focus_mm) / pixel / (sector.line_rad * sector.far)
    loss = cv2.GaussianBlur(np.float32(loss), (0, 0), sigmaX=rng.uniform(1, 3) * beam, sigmaY=0.5)
    loss_db = cumulative_loss_db(loss, sample_mm)
    gain = gain_db(view, loss_db, rng)
    net = 10 ** ((gain - loss_db) / np.float32(20))
    amplitude = 10 ** (echo / np.float32(20)) * net
    hidden = field.distance < -view.skull.thickness[field.index]
    amplitude = amplitude + net * reverberation(hidden.astype(np.float32), sample_mm, rng)
    amplitude += 10 ** ((gain * rng.uniform(0.2, 0.8) + rng.uniform(-84, -60)) / 20)
    sigma = psf_sigma_samples(probe, sector, pixel, view.focus_mm)
    envelope = speckle_envelope(amplitude, sigma, rng, int(rng.integers(1, 4)), mirror * net)
    if rng.random() < 0.7:  # smoothing after detection, as speckle reduction does
        size = rng.uniform(0.5, 1.6, 2)
        envelope = cv2.GaussianBlur(envelope, (0, 0), sigmaX=size[0], sigmaY=size[1])
    if rng.random() < 0.5:  # clutter: side lobes and slice thickness fill the dark parts
        haze = cv2.GaussianBlur(cv2.resize(envelope, None, fx=0.125, fy=0.125,
                                           interpolation=cv2.INTER_AREA), (0, 0), 7.0)  # fmt: skip
        envelope += np.float32(10 ** (rng.uniform(-32, -14) / 20)) * cv2.resize(
            haze, envelope.shape[::-1], interpolation=cv2.INTER_LINEAR)  # fmt: skip
    return envelope


def grey_map(envelope: np.ndarray, dynamic_range_db: float, rng: np.random.Generator) -> np.ndarray:
    """Return grey values 0-1 of an envelope, with gain and grey map set as by a sonographer: its
    99th percentile and median come out near values drawn as they vary over HC18.
    """
    bright = float(np.clip(rng.normal(195, 32), 100, 250)) / 255
    middle = float(np.clip(31 * np.exp(rng.normal(0, 0.45)), 7, 90)) / 255
    p50, p99 = np.percentile(envelope[::3, ::3], (50, 99))
    apart_db = 20 * math.log10(p99 / max(p50, 1e-9))
    gammas = np.linspace(0.9, 4.0, 63)
    reach = dynamic_range_db * (bright ** (1 / gammas) - middle ** (1 / gammas))
    gamma = float(gammas[np.abs(reach - apart_db).argmin()])
    if reach.max() < apart_db:  # the range must hold both
        dynamic_range_db *= apart_db / float(reach.max())
    white = p99 * 10 ** ((1 - bright ** (1 / gamma)) * dynamic_range_db / 20)
    return log_compress(envelope, white, dynamic_range_db, gamma)


def screen_image(view: View, fetus: Fetus, rng: np.random.Generator) -> np.ndarray:
    """Return the frame as the screen shows it, uint8 (H, W)."""
    envelope = _envelope(view, fetus, rng)
    grey = grey_map(envelope, fetus.probe.dynamic_range_db, rng)
    image = view.sector.scan_convert(grey)
    if rng.random() < 0.6:  # the scanner's own smoothing, and magnified frames
        blurred = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.6, 3.0)))
        image = np.where(image > 0, blurred, image)
    if rng.random() < 0.25:
        image = image + rng.uniform(0.2, 1.0) * (image - cv2.GaussianBlur(image, (0, 0), 2.5))
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
