"""B-mode image formation: sector geometry, speckle, attenuation, log compression.

The order is the scanner's. Scatterers are blurred by the point-spread function while they
still have a phase, which gives Rayleigh speckle; attenuation and time-gain compensation act
on that envelope; only then is it compressed to grey levels and converted to the sector.

References
----------
Wagner RF et al. Statistics of speckle in ultrasound B-scans. IEEE Trans Sonics Ultrason
1983;30:156-163. doi:10.1109/T-SU.1983.31404 (envelope SNR = sqrt(pi / (4 - pi)) = 1.91).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

SPEED_OF_SOUND_MM_US = 1.54
RAYLEIGH_SNR = math.sqrt(math.pi / (4.0 - math.pi))
_FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


@dataclass(frozen=True)
class Probe:
    """Describe a curvilinear probe and the receiver behind it.

    Parameters
    ----------
    frequency_mhz : centre frequency; abdominal obstetric probes use 3-5 MHz.
    aperture_mm : active aperture that forms one line.
    radius_mm : radius of curvature of the face, 40-60 mm.
    half_angle_deg : half of the field of view, 30-38 degrees.
    dynamic_range_db : span of the log compression, 50-70 dB.
    cycles : length of the pulse in periods.
    attenuation_db_cm_mhz : one-way loss of soft tissue, 0.5 dB/cm/MHz.

    Examples
    --------
    >>> probe = Probe(frequency_mhz=4.0, cycles=2.0)
    >>> round(probe.axial_fwhm_mm, 3)
    0.385
    >>> round(probe.tissue_loss_db_mm, 2)
    0.4
    """

    frequency_mhz: float = 4.0
    aperture_mm: float = 20.0
    radius_mm: float = 50.0
    half_angle_deg: float = 35.0
    dynamic_range_db: float = 60.0
    cycles: float = 2.0
    attenuation_db_cm_mhz: float = 0.5

    @property
    def wavelength_mm(self) -> float:
        """Return the wavelength in mm."""
        return SPEED_OF_SOUND_MM_US / self.frequency_mhz

    @property
    def axial_fwhm_mm(self) -> float:
        """Return the axial resolution in mm: half of the pulse length."""
        return self.cycles * self.wavelength_mm / 2.0

    @property
    def tissue_loss_db_mm(self) -> float:
        """Return the two-way loss of soft tissue in dB per mm of depth."""
        return 2.0 * self.attenuation_db_cm_mhz * self.frequency_mhz / 10.0

    def lateral_fwhm_mm(self, depth_mm: float) -> float:
        """Return the lateral resolution in mm at a depth (apodised aperture: 1.2 wavelengths)."""
        return 1.2 * self.wavelength_mm * depth_mm / self.aperture_mm


@dataclass(frozen=True)
class Sector:
    """Place the polar scan lines of a curvilinear probe in an image; all lengths in pixels.

    Parameters
    ----------
    shape : (H, W) of the image.
    apex_x, apex_y : centre of curvature, usually above the image.
    near, far : first and last range that is drawn, measured from the apex.
    half_angle_rad : half of the field of view.
    n_samples, n_lines : size of the polar arrays (n_samples, n_lines).
    """

    shape: tuple[int, int]
    apex_x: float
    apex_y: float
    near: float
    far: float
    half_angle_rad: float
    n_samples: int
    n_lines: int

    @property
    def sample_px(self) -> float:
        """Return the distance between two samples of a line."""
        return (self.far - self.near) / (self.n_samples - 1)

    @property
    def line_rad(self) -> float:
        """Return the angle between two neighbouring lines."""
        return 2.0 * self.half_angle_rad / (self.n_lines - 1)

    def angles(self) -> np.ndarray:
        """Return the angle of each line from the vertical, float32 (1, n_lines)."""
        span = np.linspace(-self.half_angle_rad, self.half_angle_rad, self.n_lines)
        return span.astype(np.float32)[None, :]

    def ranges(self) -> np.ndarray:
        """Return the range of each sample from the apex, float32 (n_samples, 1)."""
        return np.linspace(self.near, self.far, self.n_samples).astype(np.float32)[:, None]

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Return image x and y of each polar sample, float32 (n_samples, n_lines) each."""
        angles, ranges = self.angles(), self.ranges()
        x = np.float32(self.apex_x) + ranges * np.sin(angles)
        return x, np.float32(self.apex_y) + ranges * np.cos(angles)

    def scan_convert(self, polar: np.ndarray) -> np.ndarray:
        """Return the polar array (n_samples, n_lines) as an image (H, W), 0 off the sector."""
        rows = np.arange(self.shape[0], dtype=np.float32)[:, None] - np.float32(self.apex_y)
        columns = np.arange(self.shape[1], dtype=np.float32)[None, :] - np.float32(self.apex_x)
        angle = np.arctan2(columns, rows)
        map_x = (angle + np.float32(self.half_angle_rad)) / np.float32(self.line_rad)
        map_y = (np.hypot(columns, rows) - np.float32(self.near)) / np.float32(self.sample_px)
        return cv2.remap(
            polar.astype(np.float32), map_x, map_y, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT, borderValue=0,
        )  # fmt: skip


def smooth_noise(
    shape: tuple[int, int], grain: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Return a smooth random field (H, W) of about unit SD, float32; a grain is so many samples.

    >>> field = smooth_noise((60, 80), (20, 20), np.random.default_rng(0))
    >>> field.shape, bool(np.abs(np.diff(field, axis=1)).max() < 0.6)
    ((60, 80), True)
    """
    small = tuple(
        max(2, math.ceil(size / max(step, 1.0)) + 1)
        for size, step in zip(shape, grain, strict=True)
    )
    coarse = rng.standard_normal(small, dtype=np.float32)
    return 1.3 * cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _kernel(sigma: float) -> np.ndarray:
    return cv2.getGaussianKernel(2 * math.ceil(3.0 * sigma) + 1, sigma, cv2.CV_32F)


def speckle_envelope(
    amplitude: np.ndarray,
    psf_sigma: tuple[float, float],
    rng: np.random.Generator,
    n_looks: int = 1,
    mirror: np.ndarray | None = None,
) -> np.ndarray:
    """Return the echo envelope of random scatterers and of mirror-like surfaces.

    Complex Gaussian scatterers of the given amplitude are convolved with the point-spread
    function; the modulus is Rayleigh where the amplitude is even, Rician near a mirror.

    Parameters
    ----------
    amplitude : float (n_samples, n_lines), linear scatterer strength.
    psf_sigma : standard deviation of the point-spread function in samples and in lines.
    rng : source of randomness.
    n_looks : independent looks that are averaged (spatial compounding); 1 = none.
    mirror : float (n_samples, n_lines), coherent part, same scale; None = none.

    Returns
    -------
    float32 (n_samples, n_lines), at least 0; its mean is about amplitude * sqrt(pi / 2).

    Examples
    --------
    >>> even = speckle_envelope(np.ones((256, 256)), (1.5, 2.0), np.random.default_rng(0))
    >>> bool(abs(even.mean() / even.std() - RAYLEIGH_SNR) < 0.1)
    True
    """
    if n_looks < 1:
        raise ValueError(f"n_looks is {n_looks}; it must be 1 or more: 1 means no compounding")
    axial, lateral = _kernel(psf_sigma[0]), _kernel(psf_sigma[1])
    scale = amplitude.astype(np.float32)
    scale = scale / np.float32(math.sqrt(float((axial**2).sum() * (lateral**2).sum())))
    steady = 0.0 if mirror is None else cv2.sepFilter2D(np.float32(mirror), -1, lateral, axial)
    total = np.zeros(amplitude.shape, np.float32)
    for _ in range(n_looks):
        real, imaginary = rng.standard_normal((2, *amplitude.shape), dtype=np.float32) * scale
        real = cv2.sepFilter2D(real, -1, lateral, axial) + steady
        total += cv2.magnitude(real, cv2.sepFilter2D(imaginary, -1, lateral, axial))
    return total / n_looks


def psf_sigma_samples(
    probe: Probe, sector: Sector, pixel_size_mm: float, focus_mm: float
) -> tuple[float, float]:
    """Return the point-spread function's (axial, lateral) sigma in samples and in lines.

    `focus_mm` is the depth below the face; the lateral size is kept in angle from there on.
    """
    sample_mm = sector.sample_px * pixel_size_mm
    axial = probe.axial_fwhm_mm / _FWHM_PER_SIGMA / sample_mm
    spread_rad = probe.lateral_fwhm_mm(focus_mm) / (probe.radius_mm + focus_mm)
    lateral = spread_rad / _FWHM_PER_SIGMA / sector.line_rad
    return max(axial, 0.5), max(lateral, 0.5)


def cumulative_loss_db(loss_db_mm: np.ndarray, sample_mm: float) -> np.ndarray:
    """Return the two-way loss in dB that each sample's echo has met on its line.

    >>> cumulative_loss_db(np.full((3, 1), 0.4), 0.5).ravel().round(1).tolist()
    [0.2, 0.4, 0.6]
    """
    return np.cumsum(loss_db_mm, axis=0) * sample_mm


def log_compress(
    envelope: np.ndarray, reference: float, dynamic_range_db: float, gamma: float = 1.0
) -> np.ndarray:
    """Return the envelope as grey values 0-1: `reference` is white, the range below it black; a
    gamma above 1 darkens the weak echoes.

    >>> log_compress(np.array([1.0, 0.1, 0.001]), 1.0, 60.0).round(3).tolist()
    [1.0, 0.667, 0.0]
    """
    if dynamic_range_db <= 0:
        raise ValueError(f"dynamic_range_db is {dynamic_range_db}; it must be above 0, in dB")
    decibel = 20.0 * np.log10(np.maximum(envelope / reference, 1e-9))
    return np.clip(decibel / dynamic_range_db + 1.0, 0.0, 1.0) ** gamma
