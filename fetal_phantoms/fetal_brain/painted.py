"""Scans of any contrast from label maps of fetal brains: what a network learns shape from.

A brain is laid on a grid that is a share of its own size, so that a voxel says nothing about
millimetres; it is turned, stretched and warped, and its tissues get grey values at random: each
tissue is split into clusters with means over most of the grey range, or keeps the texture of the
scan behind the labels under a random curve. Background, bias field, gamma, blur, noise and uneven
slices are drawn too. What is no fetal brain is drawn by the same hand.

References
----------
Billot B et al. SynthSeg: segmentation of brain MRI scans of any contrast and resolution without
retraining. Med Image Anal 2023;86:102789. doi:10.1016/j.media.2023.102789
Zalevskyi V et al. Improving cross-domain brain tissue segmentation in fetal MRI with synthetic
data. MICCAI 2024. doi:10.1007/978-3-031-72378-0_41
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from fetal_phantoms.fetal_brain.fetus import rotation_matrix

SIDE = 64
FIELD_SHARE = 1.5  # side of the grid by the diameter of a ball of the brain's volume
CSF, GRAY, WHITE = 1, 2, 3


@dataclass(frozen=True)
class Anatomy:
    """Hold a brain that scans are drawn of.

    Attributes
    ----------
    labels : uint8 (X, Y, Z), the source's own numbers, 0 outside the brain.
    tissues : uint8 (X, Y, Z): outside 0, CSF 1, gray matter 2, white matter and the rest 3.
    image : float32 (X, Y, Z), a scan of it, its bright end 1.
    matrix, middle : (3, 3) from units of the brain's diameter to voxels, and (3,) in voxels.
    ga_days : gestational age in days.
    """

    labels: np.ndarray
    tissues: np.ndarray
    image: np.ndarray
    matrix: np.ndarray
    middle: np.ndarray
    ga_days: float


@dataclass(frozen=True)
class Painted:
    """Hold a drawn scan: float32 (64, 64, 64) of 0 and above, and uint8 tissues like it."""

    image: np.ndarray
    tissues: np.ndarray


def anatomy_of(
    labels: np.ndarray,
    tissues_of: dict[int, int],
    image: np.ndarray,
    affine: np.ndarray,
    ga_days: float,
) -> Anatomy:
    """Return a brain from labels (X, Y, Z), RAS, the tissue of each label, and a scan of it."""
    from scipy import ndimage

    table = np.full(256, WHITE, np.uint8)
    table[0] = 0
    for number, tissue in tissues_of.items():
        table[number] = tissue
    where = np.argwhere(labels > 0)
    linear = np.asarray(affine, float)[:3, :3]
    ml = len(where) * abs(np.linalg.det(linear)) / 1000.0
    diameter = np.cbrt(6000.0 * ml / np.pi)
    bright = np.percentile(image[labels > 0], 99)
    smooth = ndimage.gaussian_filter(image.astype(np.float32) / np.float32(bright), 0.6)
    place = np.linalg.inv(linear) * diameter, where.mean(axis=0)
    kind = labels.astype(np.uint8)
    return Anatomy(kind, table[kind], np.maximum(smooth, 0), *place, float(ga_days))


def draw_scan(
    anatomy: Anatomy, rng: np.random.Generator, loose: bool = False, textured: bool = False
) -> Painted:
    """Draw a scan of a brain as it lies in a scanner.

    Parameters
    ----------
    anatomy : Anatomy
    rng : source of all that is drawn.
    loose : whether the brain lies anywhere in a field of any size, as before it was found;
        else it fills the grid as `FIELD_SHARE` says, within a tenth.
    textured : whether the scan behind the labels shows, under a curve that rises; else the
        contrast may be any.
    """
    spread = 18.0 if rng.random() < 0.2 else 8.0
    turn = rotation_matrix(rng.normal(0, 1, 3).clip(-2, 2) * spread)
    return _drawn(anatomy, turn, rng, loose, textured)


def draw_other(anatomy: Anatomy, rng: np.random.Generator) -> Painted:
    """Draw what is no fetal brain as it should lie: an organ, noise, a brain that lies wrongly."""
    kind = rng.random()
    if kind < 0.3:
        turns = ((90, 0, 0), (-90, 0, 0), (180, 0, 0), (0, 90, 0), (0, 180, 0), (0, 0, 180))
        turns += ((0, 0, 90), (90, 0, 90), (0, 90, 90), (90, 90, 0))
        turn = rotation_matrix(np.array(turns[rng.integers(len(turns))], float))
        jitter = rotation_matrix(rng.normal(0, 8, 3))
        return _drawn(anatomy, jitter @ turn, rng, False, rng.random() < 0.5)
    if kind < 0.5:  # the outline of a brain with anything in it
        true = _sampled(anatomy, np.eye(3), rng, False)[1]
        inside = true > 0
        depth = rng.random(true.shape, np.float32)
    else:
        inside, depth = _organ(rng)
    labels = np.where(inside, 1 + _regions(depth, rng), 0).astype(np.uint8)
    image = np.where(inside, 0.5 + 0.2 * _noise(rng, int(rng.integers(4, 16))), 0)
    if rng.random() < 0.15:
        labels, image = inside.astype(np.uint8), inside.astype(np.float32)
    tissues = np.where(inside, (labels - 1) % 3 + 1, 0).astype(np.uint8)
    painted = _painted(labels, tissues, image.astype(np.float32), rng, False, False)
    return Painted(painted.image, np.zeros_like(tissues))


def _drawn(
    anatomy: Anatomy, turn: np.ndarray, rng: np.random.Generator, loose: bool, textured: bool
) -> Painted:
    from scipy import ndimage

    labels, tissues, image = _sampled(anatomy, turn, rng, loose)
    if rng.random() < 0.3:  # a tight mask: less fluid around the brain
        steps = int(rng.integers(1, 4))
        rim = ndimage.binary_dilation(tissues == 0, iterations=steps) & (tissues == CSF)
        labels, tissues = np.where(rim, 0, labels), np.where(rim, 0, tissues)
    return _painted(labels, tissues.astype(np.uint8), image, rng, loose, textured)


def _sampled(
    anatomy: Anatomy, turn: np.ndarray, rng: np.random.Generator, loose: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, tissues and image on the grid: turned, stretched, warped, maybe mirrored."""
    side = FIELD_SHARE * (rng.uniform(0.9, 2.4) if loose else np.exp(0.05 * rng.normal()))
    shift = rng.uniform(-0.25, 0.25, 3) if loose else rng.normal(0, 0.02, 3)
    axis = ((np.arange(SIDE) - (SIDE - 1) / 2) / SIDE * side).astype(np.float32)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
    for knots, sd in ((5, 0.025), (9, 0.008)):
        sd *= rng.uniform(0.2, 1.2) * min(1.0, side / FIELD_SHARE)
        points += np.float32(sd) * np.stack([_noise(rng, knots) for _ in range(3)])
    aspect = np.exp(rng.normal(0, 0.03, 3))
    aspect /= np.cbrt(aspect.prod())
    mirror = np.diag([rng.choice((-1.0, 1.0)), 1.0, 1.0])
    matrix = (anatomy.matrix @ np.diag(aspect) @ mirror @ turn.T).astype(np.float32)
    at = np.tensordot(matrix, points - shift.astype(np.float32).reshape(3, 1, 1, 1), axes=1)
    at = np.rint(at + anatomy.middle.astype(np.float32).reshape(3, 1, 1, 1)).astype(np.int32)
    shape = anatomy.labels.shape
    out = np.zeros(at.shape[1:], bool)
    for k in range(3):
        out |= (at[k] < 0) | (at[k] >= shape[k])
        np.clip(at[k], 0, shape[k] - 1, out=at[k])
    flat = np.ravel_multi_index(tuple(at), shape)
    found = [a.reshape(-1)[flat] for a in (anatomy.labels, anatomy.tissues, anatomy.image)]
    for one in found:
        one[out] = 0
    return tuple(found)


def _painted(
    labels: np.ndarray,
    tissues: np.ndarray,
    image: np.ndarray,
    rng: np.random.Generator,
    loose: bool,
    textured: bool,
) -> Painted:
    """Give tissues grey values, put them in surroundings, and scan them."""
    inside = tissues > 0
    if textured or rng.random() < 0.4:
        signal = _curve(image, rng, textured)
    else:
        signal = _clusters(labels, tissues, image, rng)
    signal, masked = _surrounded(signal, inside, rng, loose)
    return Painted(_scanned(signal, masked, rng), tissues)


def _curve(image: np.ndarray, rng: np.random.Generator, rising: bool) -> np.ndarray:
    """Return the scan behind the labels under a curve, monotone more often than not."""
    if rising or rng.random() < 0.6:
        return np.clip(image, 0, 1.6) ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
    nodes = np.linspace(0, 1.3, 6)
    levels = rng.uniform(0.05, 1.0, 6)
    if rng.random() < 0.5:
        levels = np.sort(levels)[::-1]  # as on T1: fluid dark
    return np.interp(image, nodes, levels).astype(np.float32)


def _clusters(
    labels: np.ndarray, tissues: np.ndarray, image: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return Gaussian grey values of one to six clusters a tissue."""
    signal = np.zeros(tissues.shape, np.float32)
    noise = rng.standard_normal(tissues.shape, np.float32)
    apart = 0.9 if rng.random() < 0.3 else rng.uniform(0.03, 0.2)
    for tissue in (CSF, GRAY, WHITE):
        where = tissues == tissue
        if not where.any():
            continue
        base, by = rng.uniform(0.08, 0.95), rng.random()
        if by < 0.4:
            group = labels[where].astype(int)
        else:
            field = image if by < 0.75 else _noise(rng, int(rng.integers(4, 9)))
            group = _regions(field[where], rng)
        means = np.clip(base + apart * rng.uniform(-1, 1, int(group.max()) + 1), 0.04, 1)
        sds = rng.uniform(5, 25, len(means)) / 255
        signal[where] = (means[group] + sds[group] * noise[where]).astype(np.float32)
    return np.maximum(signal, 0.01) * (tissues > 0)


def _regions(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Split values into one to six groups at random quantiles; int, same shape."""
    n = int(rng.integers(1, 7))
    some = field.reshape(-1)[:: max(1, field.size // 4000)]
    return np.searchsorted(np.quantile(some, np.sort(rng.random(n - 1))), field)


def _surrounded(
    signal: np.ndarray, inside: np.ndarray, rng: np.random.Generator, loose: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Add what lies around a brain; return where the scan stays 0, too, None for nowhere."""
    from scipy import ndimage

    kind = rng.random() + (0.45 if loose else 0.0)
    if kind < 0.5:
        return signal * inside, ~inside
    near = ndimage.gaussian_filter(inside.astype(np.float32), 2.0, truncate=3.0)
    if kind < 0.6:  # a fuzzy edge
        return signal * np.clip(near * 2 - rng.uniform(-0.3, 0.3), 0, 1), None
    flesh = rng.uniform(0.05, 0.8) + rng.uniform(0.05, 0.3) * _noise(rng, int(rng.integers(4, 14)))
    if rng.random() < 0.5:
        groups = _regions(flesh, rng)
        flesh = rng.uniform(0.02, 1.0, int(groups.max()) + 1).astype(np.float32)[groups]
    skull, scalp = rng.uniform(0.0, 0.5), rng.uniform(0.1, 1.0)
    around = np.where(near > rng.uniform(0.02, 0.08), scalp, flesh)
    around = np.where(near > rng.uniform(0.15, 0.3), skull, around)
    around = np.maximum(around + 0.03 * rng.standard_normal(around.shape), 0.01)
    if kind < 0.75:  # a halo that a loose mask leaves
        kept = near > rng.uniform(0.02, 0.2)
        return np.where(inside, signal, around * kept), ~kept
    return np.where(inside, signal, around), None


def _scanned(signal: np.ndarray, masked: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Return a signal with blur, bias field, gamma, uneven slices and noise."""
    from scipy import ndimage

    sigma = np.full(3, rng.uniform(0.2, 0.9))
    if rng.random() < 0.15:
        sigma[rng.integers(3)] += rng.uniform(0.3, 1.2)
    shown = ndimage.gaussian_filter(signal.astype(np.float32), sigma, truncate=2.5)
    if rng.random() < 0.9:
        shown *= np.exp(np.float32(rng.uniform(0, 0.3)) * _noise(rng, int(rng.integers(4, 6))))
    if rng.random() < 0.9:
        shown = np.maximum(shown, 0) ** np.float32(np.exp(0.2 * rng.normal()))
    if rng.random() < 0.1:
        axis = int(rng.integers(3))
        gains = 1 + 0.1 * rng.normal(size=shown.shape[axis])
        shown *= np.expand_dims(gains, [k for k in range(3) if k != axis]).astype(np.float32)
    if rng.random() < 0.9:
        shown = np.abs(shown + np.float32(rng.uniform(0, 0.06)) * _white(shown.shape, rng))
    if masked is not None:
        shown[masked] = 0
    return shown


def _white(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


def _noise(rng: np.random.Generator, knots: int) -> np.ndarray:
    """Return noise of an SD near 1 on the grid, smooth between some knots along each axis."""
    weights = _spline(knots)
    field = rng.standard_normal((knots,) * 3, np.float32) @ weights.T
    return (weights @ (weights @ field).reshape(knots, -1)).reshape((SIDE,) * 3)


@cache
def _spline(knots: int) -> np.ndarray:
    from scipy.interpolate import make_interp_spline

    at = np.linspace(0, SIDE - 1, knots)
    return make_interp_spline(at, np.eye(knots), k=3)(np.arange(SIDE)).astype(np.float32)


def _organ(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw where an organ lies, bool, and how deep each place of it lies, float: a bent ball."""
    axis = ((np.arange(SIDE) - (SIDE - 1) / 2) / SIDE * FIELD_SHARE).astype(np.float32)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
    points += np.float32(rng.uniform(0, 0.04)) * np.stack([_noise(rng, 5) for _ in range(3)])
    aspect = np.exp(rng.normal(0, 0.3, 3))
    aspect *= 0.5 / np.cbrt(aspect.prod())
    turned = np.tensordot(rotation_matrix(rng.uniform(-90, 90, 3)), points, axes=1)
    turned[0] += np.float32(rng.uniform(0, 1.5)) * turned[1] ** 2  # bent as a bean
    far = np.sqrt(((turned / aspect.reshape(3, 1, 1, 1)) ** 2).sum(axis=0))
    return far < 1, far + np.float32(rng.uniform(0, 0.3)) * _noise(rng, int(rng.integers(5, 14)))
