"""Made-up scans of the three planes, and models that know them in place of networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fetal_lib.geometry.callipers import band_mask, line_length
from fetal_lib.predict.biometry_model import BiometryModel, BiometrySpec
from fetal_lib.predict.plane import PLANES, Plane
from fetal_phantoms.abdomen import make_abdomen
from fetal_phantoms.head import make_head

CHANNELS = ("head", "head_inner", "abdomen", "transverse", "femur")
HALF_WIDTH = 0.05
GA_DAYS = 210
INNER = 0.97
"""What `outer-inner` makes of a head here."""


@dataclass(frozen=True)
class Known:
    """A scan whose answer is known: its name, plane, and the masks that a network would give."""

    name: str
    plane: str
    image: np.ndarray
    maps: dict[str, np.ndarray]
    pixel_size_mm: float
    mm: float


def head(name: str = "head.png", seed: int = 3, ga_days: float = GA_DAYS) -> Known:
    made = make_head(seed, ga_days=ga_days)
    inner = made.ellipse.enlarged(INNER)
    maps = {"head": made.mask, "head_inner": inner.mask(made.image.shape)}
    return Known(name, "head", made.image, maps, made.pixel_size_mm, made.hc_mm)


def abdomen(name: str = "abdomen.png", seed: int = 3, ga_days: float = GA_DAYS) -> Known:
    made = make_abdomen(seed, ga_days=ga_days)
    return Known(
        name, "abdomen", made.image, {"abdomen": made.mask}, made.pixel_size_mm, made.ac_mm
    )


def femur(name: str = "femur.png", mm: float = 54.0, pixel_size_mm: float = 0.12) -> Known:
    half = mm / pixel_size_mm / 2
    line = np.array([[400 - half, 250.0], [400 + half, 290.0]])
    mask = band_mask(line, (540, 800))
    speckle = np.random.default_rng(4).rayleigh(20, mask.shape)
    image = np.clip(speckle + 150 * mask, 0, 255).astype(np.uint8)
    return Known(
        name, "femur", image, {"femur": mask}, pixel_size_mm, line_length(line) * pixel_size_mm
    )


def nothing(name: str = "nothing.png") -> Known:
    return Known(name, "other", np.full((200, 300), 90, np.uint8), {}, 0.1, np.nan)


def write_scans(folder: Path, *known: Known) -> Path:
    """Write scans into a folder, and beside it ``sizes.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in known:
        assert cv2.imwrite(str(folder / one.name), one.image)
    lines = [f"{one.name},{one.pixel_size_mm}" for one in known]
    (folder.parent / "sizes.csv").write_text("filename,pixel size(mm)\n" + "\n".join(lines))
    return folder


def _alike(image: np.ndarray, known: Known) -> bool:
    if image.shape != known.image.shape:
        return False
    return bool(np.abs(image.astype(int) - known.image).mean() < 2)


class PlaneOracle:
    """Knows the planes of scans."""

    def __init__(self, *known: Known) -> None:
        self.known = known

    def recognise_all(self, images) -> list[Plane]:
        """Name the plane of each known image; others are other."""
        names = [
            next((one.plane for one in self.known if _alike(image, one)), "other")
            for image in images
        ]
        return [
            Plane(
                name, 0.97, {one: 0.97 if one == name else 0.01 for one in PLANES}, name == "head"
            )
            for name in names
        ]


class BiometryOracle(BiometryModel):
    """Knows the masks of scans; what is made of them is the library's own work."""

    def __init__(self, *known: Known) -> None:
        names = ("hc", "bpd", "ofd", "ac", "tad", "apad", "fl")
        half = {channel: {f"{n}_mm": (HALF_WIDTH,) for n in names} for channel in CHANNELS}
        spec = BiometrySpec(128, 192, CHANNELS, "phantoms", "CC BY-NC-SA 4.0", half_widths=half)
        super().__init__(None, spec)
        self.known = known

    def maps(self, images, batch_size: int = 4) -> list[dict[str, np.ndarray]]:
        """Return the masks of each known image, and nothing for others."""
        return [self._maps(image) for image in images]

    def _maps(self, image: np.ndarray) -> dict[str, np.ndarray]:
        known = next((one.maps for one in self.known if _alike(image, one)), {})
        empty = np.zeros(image.shape, np.float32)
        return {name: known.get(name, empty).astype(np.float32) for name in CHANNELS}
