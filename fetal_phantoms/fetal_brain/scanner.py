"""Show a head as a T2-weighted scan: contrast, transient layers, bias field, blur, Rician noise.

Fluid is brightest, then white matter, then the cortical plate. The signal of a tissue is
exp(-TE/T2); the echo time and the T2 times differ between scans and not with age. Between 18
and 28 weeks the mantle shows layers: cortical plate (dark), subplate (bright), intermediate
zone (gray), and the germinal matrix along the ventricles (dark).

References
----------
Lajous H et al. A fetal brain magnetic resonance acquisition numerical phantom (FaBiAN). Sci Rep
2022;12:8682. doi:10.1038/s41598-022-10335-4 (T2 times, echo times).
Kostović I, Jovanov-Milošević N. The development of cerebral connections during the first 20-45
weeks' gestation. Semin Fetal Neonatal Med 2006;11:415-422. doi:10.1016/j.siny.2006.07.001.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.fetal_brain import interior
from fetal_phantoms.fetal_brain.fetus import Fetus
from fetal_phantoms.fetal_brain.noise import read_field, smooth_field
from fetal_phantoms.fetal_brain.shapes import smoothstep
from fetal_phantoms.fetal_brain.tissues import Head
from fetal_phantoms.mri import bias_field, rician

T2_MS = {  # lowest, highest; white, cortex and fluid by FaBiAN, the others between them
    "white": (270.0, 300.0),
    "cortex": (172.0, 191.0),
    "fluid": (1800.0, 2200.0),
    "deep_gray": (196.0, 216.0),
    "brainstem": (182.0, 204.0),
    "cerebellum": (200.0, 235.0),
}
ECHO_TIME_MS = (95.0, 140.0)
LAYERS_FADE = (25.5, 30.0)  # weeks
SUBARACHNOID = 0.90  # vessels and trabeculae darken the fluid outside the brain


@dataclass(frozen=True)
class Scan:
    """Hold a scan's settings.

    Attributes
    ----------
    signal : of each tissue, relative to fluid without decay.
    gain : intensity of a signal of 1.
    bias_sd : SD of the logarithm of the uneven brightness.
    noise_sd : of each channel, relative to a signal of 1.
    blur_voxels : SD of the point spread.
    """

    signal: dict[str, float]
    gain: float
    bias_sd: float
    noise_sd: float
    blur_voxels: float


def draw_scan(rng: np.random.Generator) -> Scan:
    """Draw contrast and faults of a scan; they have no part in the age."""
    echo_ms = rng.uniform(*ECHO_TIME_MS)
    times = {name: rng.uniform(*limits) for name, limits in T2_MS.items()}
    return Scan(
        signal={name: float(np.exp(-echo_ms / time)) for name, time in times.items()},
        gain=float(rng.uniform(500.0, 1500.0)),
        bias_sd=float(rng.uniform(0.02, 0.08)),
        noise_sd=float(rng.uniform(0.010, 0.035)),
        blur_voxels=float(rng.uniform(0.40, 0.60)),
    )


def tissue_signal(
    head: Head, fetus: Fetus, scan: Scan, spacing_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the signal of the voxels inside the skull without noise; float32 (N,).

    Voxels that a surface passes through show both sides in proportion.
    """
    signal = scan.signal

    def share(name: str) -> np.ndarray:
        return np.clip(0.5 - head.surfaces_mm[name] / np.float32(spacing_mm), 0.0, 1.0)

    shown = _white_matter(head, fetus, scan, rng)
    shown = _mix(shown, signal["deep_gray"], share("deep_gray"))
    shown = _mix(shown, signal["cortex"], share("cortex"))
    outside = np.clip(0.5 - head.pia_mm / np.float32(spacing_mm), 0.0, 1.0)
    shown = _mix(shown, _outer_fluid(head, scan, rng), outside)
    hind = _cerebellar(head, fetus, scan)
    for name, value in (("cerebellum", hind), ("brainstem", signal["brainstem"])):
        shown = _mix(shown, value, share(name))
    for name in ("lateral_ventricles", "cavum", "other_ventricles"):
        shown = _mix(shown, signal["fluid"], share(name))
    return shown.astype(np.float32, copy=False)


def degrade(volume: np.ndarray, scan: Scan, rng: np.random.Generator) -> np.ndarray:
    """Add uneven brightness, blur, Rician noise and gain to a volume of signal (X, Y, Z)."""
    from scipy import ndimage

    blurred = ndimage.gaussian_filter(volume, scan.blur_voxels, truncate=3.0)
    blurred *= bias_field(volume.shape, scan.bias_sd, rng)
    return rician(blurred, scan.noise_sd, rng) * np.float32(scan.gain)


def _mix(below: np.ndarray, above: np.ndarray | float, share: np.ndarray) -> np.ndarray:
    return below + share * (np.asarray(above, np.float32) - below)


def _white_matter(head: Head, fetus: Fetus, scan: Scan, rng: np.random.Generator) -> np.ndarray:
    """Return the signal of the mantle: its layers, the germinal matrix, the callosum."""
    shown = np.full(len(head.index), scan.signal["white"], np.float32)
    texture = smooth_field(rng, 0.5)[0]
    shown *= 1.0 + np.float32(0.015) * read_field(texture, head.points)
    fading = float(1 - smoothstep(fetus.ga_weeks, *LAYERS_FADE))
    below = head.surfaces_mm["cortex"]
    wall = head.surfaces_mm["lateral_ventricles"]
    depth = below / np.maximum(below + np.maximum(wall, 0.0), np.float32(0.5))
    zone = np.exp(-(((depth - 0.55) / 0.17) ** 2)) - 0.5 * np.exp(-(((depth - 0.18) / 0.15) ** 2))
    shown *= 1.0 - np.float32(0.16 * fading) * zone
    germinal = 0.32 * float(1 - smoothstep(fetus.ga_weeks, 24.0, 33.0))
    shown *= 1.0 - germinal * _germinal_matrix(head, wall)
    arch = np.clip(0.5 - interior.callosum(head.points) * head.unit_mm, 0.0, 1.0)
    return _mix(shown, 0.94 * scan.signal["cortex"], 0.8 * arch)


def _germinal_matrix(head: Head, wall_mm: np.ndarray) -> np.ndarray:
    """Return 1 along the lateral walls of the lateral ventricles, most beside the frontal horn."""
    near = np.exp(-((np.maximum(wall_mm, 0.0) / 1.6) ** 2))
    x, y, z = head.points
    caudate = np.exp(
        -(((np.abs(x) - 0.2) / 0.1) ** 2 + ((y - 0.2) / 0.25) ** 2 + ((z - 0.05) / 0.12) ** 2)
    )
    return np.clip(near * (0.55 + 1.2 * caudate), 0.0, 1.0)


def _outer_fluid(head: Head, scan: Scan, rng: np.random.Generator) -> np.ndarray:
    vessels = smooth_field(rng, 0.3)[0]
    fluid = SUBARACHNOID + 0.04 * np.clip(read_field(vessels, head.points), -2.0, 1.5)
    return np.float32(scan.signal["fluid"]) * fluid


def _cerebellar(head: Head, fetus: Fetus, scan: Scan) -> np.ndarray:
    """Return the signal of the cerebellum: dark cortex, brighter within, folia late."""
    depth = -head.surfaces_mm["cerebellum"] / np.float32(head.unit_mm)
    within = smoothstep(depth, 0.02, 0.12)
    y, z = head.points[1] + 0.36, head.points[2] + 0.46
    folia = np.cos(26.0 * np.arctan2(z, y)) * (1 - smoothstep(depth, 0.08, 0.16))
    late = float(smoothstep(fetus.ga_weeks, 26.0, 36.0))
    return np.float32(scan.signal["cerebellum"]) * (0.92 + 0.14 * within + 0.08 * late * folia)
