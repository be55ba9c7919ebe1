"""What a biometry network sees of a case: the scan in a random form, and its soft maps.

A scan is cropped, turned by quarters, fitted into the network's input, turned, stretched and
mirrored by one affine map. Ellipses and lines go through the same map as numbers, and the maps
are drawn from them at the network's own grid, so that half a level lies on the true outline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fetal_book.chapters.biometry_segmentation.biometry_cases import Case
from fetal_book.chapters.biometry_segmentation.plane_pictures import spoilt
from fetal_lib.geometry.callipers import BAND_SHARE
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.models.biometry_unet import STRIDE
from fetal_lib.predict.biometry_maps import END_SPREAD, TRANSVERSE_SHARE

UNKNOWN = -1.0
"""In a map of which a case has no truth."""


@dataclass(frozen=True)
class Forms:
    """Ranges of the random forms; draws are uniform.

    Attributes
    ----------
    quarter, square, crop : float
        Probabilities of a turn by 90, 180 or 270 degrees, of a crop to a square, and of another.
    rotation_deg, log_scale, log_stretch, shift : float or pair
        Of the affine map; the shift is a share of the input's sides.
    log_gamma, gain, spoilt : float
        Of the grey values; the probability of grain, blur, haze and JPEG.
    """

    quarter: float = 0.25
    square: float = 0.2
    crop: float = 0.2
    rotation_deg: float = 25.0
    log_scale: tuple[float, float] = (-0.25, 0.25)
    log_stretch: float = 0.06
    shift: float = 0.07
    log_gamma: float = 0.45
    gain: float = 0.25
    spoilt: float = 0.4


class Pictures:
    """Cases at about twice the input's size, ready to be drawn in any form.

    Parameters
    ----------
    cases : sequence of Case
    shape : (height, width) of the network's input.
    channels : sequence of str
        See `fetal_lib.predict.biometry_maps.CHANNELS`.
    """

    def __init__(
        self, cases: Sequence[Case], shape: tuple[int, int], channels: Sequence[str]
    ) -> None:
        self.cases, self.shape, self.channels = list(cases), shape, tuple(channels)
        self.scans = [_shrunk(case.image, shape) for case in self.cases]

    def draw(self, k: int, rng: np.random.Generator, forms: Forms) -> tuple[np.ndarray, np.ndarray]:
        """Return an image (1, H, W) and its maps (C, H / 2, W / 2), float32, of the k-th case."""
        import cv2

        case, scan = self.cases[k], self.scans[k]
        ratio = scan.shape[1] / case.image_size[1], scan.shape[0] / case.image_size[0]
        window = _window(case, scan.shape, ratio, rng, forms)
        top, left, height, width = window
        affine = _affine((height, width), self.shape, rng, forms)
        affine = affine @ _translation(-left, -top)
        whole = affine @ np.diag([*ratio, 1.0])
        part = scan[top : top + height, left : left + width]
        to_centres = _translation(-0.5, -0.5) @ affine @ _translation(left + 0.5, top + 0.5)
        image = cv2.warpAffine(np.ascontiguousarray(part), to_centres[:2], self.shape[::-1])
        if rng.random() < forms.spoilt:
            image = spoilt(image, rng)
        gamma = np.exp(rng.uniform(-forms.log_gamma, forms.log_gamma))
        gain = 1 + rng.uniform(-forms.gain, forms.gain)
        grey = np.clip((image.astype(np.float32) / 255) ** np.float32(gamma) * gain, 0, 1)
        return grey[None].astype(np.float32), maps_of(case, whole, self.shape, self.channels)


def _shrunk(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    import cv2

    scale = min(1.0, 2 * min(shape[0] / image.shape[0], shape[1] / image.shape[1]))
    size = [round(side * scale) for side in image.shape[::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _window(
    case: Case,
    shape: tuple[int, int],
    ratio: tuple[float, float],
    rng: np.random.Generator,
    forms: Forms,
) -> tuple[int, int, int, int]:
    """Return top, left, height and width of a crop that keeps what is measured where it can."""
    draw, (height, width) = rng.random(), shape
    if draw < forms.square:
        sides = [min(shape)] * 2
    elif draw < forms.square + forms.crop:
        sides = [round(side * rng.uniform(0.7, 1.0)) for side in shape]
    else:
        return 0, 0, height, width
    points = case.ellipse.boundary(60) if case.ellipse else np.concatenate(case.lines)
    low, high = (points + 0.5).min(0) * ratio, (points + 0.5).max(0) * ratio
    starts = []
    for axis, side in ((1, sides[0]), (0, sides[1])):
        most = shape[1 - axis] - side
        ends = sorted((high[axis] - side, low[axis]))
        starts.append(int(np.clip(rng.uniform(*np.clip(ends, 0, most)), 0, most)))
    return starts[0], starts[1], sides[0], sides[1]


def _affine(
    part: tuple[int, int], shape: tuple[int, int], rng: np.random.Generator, forms: Forms
) -> np.ndarray:
    """Return the 3x3 map of a crop into the input, in coordinates whose 0 is the corner."""
    quarters = int(rng.integers(1, 4)) if rng.random() < forms.quarter else 0
    height, width = part[::-1] if quarters % 2 else part
    fit = min(shape[0] / height, shape[1] / width)
    scale = fit * np.exp(rng.uniform(*forms.log_scale))
    stretch = np.exp(rng.uniform(-forms.log_stretch, forms.log_stretch))
    angle = np.deg2rad(90 * quarters + rng.uniform(-forms.rotation_deg, forms.rotation_deg))
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.eye(3)
    mirror = rng.choice([-1.0, 1.0], 2)
    linear[:2, :2] = (
        np.diag(mirror * scale)
        @ np.diag([stretch, 1 / stretch])
        @ np.array([[cos, -sin], [sin, cos]])
    )
    shift = rng.uniform(-forms.shift, forms.shift, 2) * shape[::-1]
    middle = np.array(shape[::-1]) / 2 + shift
    return _translation(*middle) @ linear @ _translation(-part[1] / 2, -part[0] / 2)


def _translation(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def maps_of(
    case: Case, affine: np.ndarray, shape: tuple[int, int], channels: Sequence[str]
) -> np.ndarray:
    """Draw the soft maps (C, H / 2, W / 2) of a case, float32; `UNKNOWN` where it has no truth."""
    grid = shape[0] // STRIDE, shape[1] // STRIDE
    affine = np.diag([1 / STRIDE, 1 / STRIDE, 1.0]) @ affine
    drawn = dict(_drawn(case, affine, grid))
    empty = np.full(grid, UNKNOWN, np.float32)
    return np.stack([drawn.get(channel, empty) for channel in channels])


def _drawn(
    case: Case, affine: np.ndarray, grid: tuple[int, int]
) -> Iterator[tuple[str, np.ndarray]]:
    lines = [(line + 0.5) @ affine[:2, :2].T + affine[:2, 2] for line in case.lines]
    if case.plane == "femur":
        length = np.hypot(*(lines[0][1] - lines[0][0]))
        yield "femur", band(lines[0], grid, max(2.0, BAND_SHARE * length))
        yield "femur_ends", ends(lines[0], grid, END_SPREAD * max(grid))
        return
    outline = ellipse_map(case.ellipse, affine, grid)
    if case.plane == "head":
        yield ("head" if case.convention == "outer-outer" else "head_inner"), outline
        return
    yield "abdomen", outline
    length = np.hypot(*(lines[0][1] - lines[0][0]))
    yield "transverse", band(lines[0], grid, TRANSVERSE_SHARE * length)


def _points(grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(grid[1])[None, :] + 0.5, np.arange(grid[0])[:, None] + 0.5


def ellipse_map(ellipse: Ellipse, affine: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Draw the share of each pixel that an ellipse covers after an affine map, float32 (h, w)."""
    cos, sin = np.cos(ellipse.angle_rad), np.sin(ellipse.angle_rad)
    half = np.array([[cos, -sin], [sin, cos]]) * (ellipse.semi_major, ellipse.semi_minor)
    inverse = np.linalg.inv(affine[:2, :2] @ half)
    centre = affine[:2, :2] @ [ellipse.center_x + 0.5, ellipse.center_y + 0.5] + affine[:2, 2]
    x, y = _points(grid)
    dx, dy = x - centre[0], y - centre[1]
    u = inverse[0, 0] * dx + inverse[0, 1] * dy
    v = inverse[1, 0] * dx + inverse[1, 1] * dy
    radius = np.sqrt(u * u + v * v) + 1e-9
    slope = np.hypot(u * inverse[0, 0] + v * inverse[1, 0], u * inverse[0, 1] + v * inverse[1, 1])
    off = (radius - 1) * radius / np.maximum(slope, 1e-9)
    return np.clip(0.5 - off, 0, 1).astype(np.float32)


def band(line: np.ndarray, grid: tuple[int, int], width: float) -> np.ndarray:
    """Draw the share of each pixel that the band along a line covers, float32 (h, w)."""
    direction = (line[1] - line[0]) / np.hypot(*(line[1] - line[0]))
    x, y = _points(grid)
    dx, dy = x - line[:, 0].mean(), y - line[:, 1].mean()
    along = np.abs(dx * direction[0] + dy * direction[1])
    across = np.abs(dy * direction[0] - dx * direction[1])
    length = np.hypot(*(line[1] - line[0]))
    inside = np.clip(0.5 + length / 2 - along, 0, 1) * np.clip(0.5 + width / 2 - across, 0, 1)
    return inside.astype(np.float32)


def ends(line: np.ndarray, grid: tuple[int, int], spread: float) -> np.ndarray:
    """Draw a bell of height 1 at both ends of a line, float32 (h, w)."""
    x, y = _points(grid)
    bells = [np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * spread**2)) for a, b in line]
    return np.maximum(*bells).astype(np.float32)
