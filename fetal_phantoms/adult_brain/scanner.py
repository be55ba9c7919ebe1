"""Show tissues as a T1-weighted scan: contrast, bias field, blur, Rician noise, gain.

White matter is brightest, then gray matter, then fluid. The contrast between gray and white
falls a little with age, and differs between persons more than age explains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.adult_brain.subject import Person
from fetal_phantoms.adult_brain.tissues import Tissues
from fetal_phantoms.mri import bias_field, knot_noise, rician

GRAY_AT_40, GRAY_SD = 0.745, 0.022
CONTRAST_LOSS_PER_YEAR = 0.0008  # rise of gray relative to white
LESION_AGE_YEARS = 50.0


@dataclass(frozen=True)
class Scan:
    """Hold a scan's settings; intensities are relative to white matter, `gain` is not.

    `gray` is that of the cortex; `bias` is the SD of the logarithm of the uneven brightness,
    `noise` that of each channel, `blur` that of the point spread in voxels; `lesions` darkens
    old white matter.
    """

    fluid: float
    gray: float
    gain: float
    bias: float
    noise: float
    blur: float
    lesions: float


def draw_scan(rng: np.random.Generator, person: Person) -> Scan:
    """Draw contrast and faults of a scan."""
    gray = GRAY_AT_40 + CONTRAST_LOSS_PER_YEAR * (person.age_years - 40.0)
    gray += GRAY_SD * rng.standard_normal()
    late = max(person.age_years - LESION_AGE_YEARS, 0.0) / 40.0
    return Scan(
        fluid=float(rng.uniform(0.14, 0.24)),
        gray=float(np.clip(gray, 0.65, 0.85)),
        gain=float(rng.uniform(110.0, 210.0)),
        bias=float(rng.uniform(0.02, 0.08)),
        noise=float(rng.uniform(0.008, 0.03)),
        blur=float(rng.uniform(0.45, 0.75)),
        lesions=float(late * rng.lognormal(-1.2, 0.8)),
    )


def scan_t1(
    tissues: Tissues, scan: Scan, rng: np.random.Generator, surroundings: np.ndarray | None = None
) -> np.ndarray:
    """Return the T1-weighted volume, float32 (X, Y, Z); 0 outside unless surroundings are given."""
    from scipy import ndimage

    fluid, gray, white = np.moveaxis(tissues.shares, -1, 0)
    signal = scan.fluid * fluid + scan.gray * gray + white
    signal += tissues.texture * (1.0 - fluid)
    signal -= _lesions(tissues, scan, rng, white)
    if surroundings is not None:
        signal = np.where(tissues.labels > 0, signal, surroundings)
    signal *= bias_field(signal.shape, scan.bias, rng)
    signal = ndimage.gaussian_filter(rician(signal, scan.noise, rng), scan.blur)
    signal *= np.float32(scan.gain)
    if surroundings is None:
        signal[tissues.labels == 0] = 0.0
    return signal.astype(np.float32, copy=False)


def _lesions(
    tissues: Tissues, scan: Scan, rng: np.random.Generator, white: np.ndarray
) -> np.ndarray:
    """Return how much darker the white matter around old ventricles is."""
    noise = knot_noise(tissues.labels.shape, 14, rng)
    near = np.exp(-np.maximum(tissues.wall_mm, 0.0) / 5.0)
    strength = np.float32(min(scan.lesions, 1.5))
    return 0.22 * strength * near * white * np.clip(0.6 + 0.5 * noise, 0.0, 1.5)
