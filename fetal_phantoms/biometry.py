"""What the phantoms of head and abdomen share: an image whose truth is a fitted ellipse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.geometry.fit import fit_ellipse
from fetal_phantoms.anatomy import outline_points
from fetal_phantoms.head_sampling import MAX_GA_DAYS, MIN_GA_DAYS, Fetus, View


@dataclass(frozen=True)
class BiometryPhantom:
    """Hold a made-up ultrasound image of a section that a clinic measures, and its truth.

    Attributes
    ----------
    image : uint8 (H, W), nearly always (540, 800).
    outline : uint8 (H, W), 255 on a one-pixel ellipse along the outer edge of skull or skin.
    mask : bool (H, W), the filled ellipse.
    pixel_size_mm : mm per pixel, the same in both directions.
    ga_days : gestational age that the size was drawn for, in days.
    ellipse : the ellipse in pixels.
    """

    image: np.ndarray
    outline: np.ndarray
    mask: np.ndarray
    pixel_size_mm: float
    ga_days: float
    ellipse: Ellipse

    @property
    def circumference_mm(self) -> float:
        """Perimeter of the ellipse in mm."""
        return self.ellipse.perimeter * self.pixel_size_mm

    @classmethod
    def of(cls, image: np.ndarray, view: View, fetus: Fetus) -> Self:
        """Return a frame, uint8 (H, W), with the truth of the outline that was drawn in it."""
        ellipse = fit_ellipse(outline_points(view.skull, view.pose)[::4])
        outline, mask = _line(ellipse, view.shape), ellipse.mask(view.shape)
        return cls(image, outline, mask, fetus.pixel_size_mm, fetus.ga_days, ellipse)


def _line(ellipse: Ellipse, shape: tuple[int, int]) -> np.ndarray:
    """Return an ellipse as a line one pixel wide, 255 on 0, uint8 (H, W)."""
    outline = np.zeros(shape, np.uint8)
    points = np.round(ellipse.boundary(1440)).astype(np.int32)
    cv2.polylines(outline, [points], True, 255, 1)
    return outline


def check_request(seed: int, frame: int, ga_days: float | None, structure: str) -> None:
    """Refuse a seed, frame or age that no phantom of a structure has, with a ValueError."""
    if seed < 0 or frame < 0:
        raise ValueError(f"seed is {seed} and frame {frame}; both must be 0 or more")
    if ga_days is not None and not MIN_GA_DAYS <= ga_days <= MAX_GA_DAYS:
        raise ValueError(
            f"ga_days is {ga_days}; the INTERGROWTH-21st {structure} size covers "
            f"{MIN_GA_DAYS:.0f}-{MAX_GA_DAYS:.0f} days (14-40 weeks): give the age in days, within "
            "that range"
        )
