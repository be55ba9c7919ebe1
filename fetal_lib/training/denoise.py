"""Filters against speckle, as source 001 lists "noise reduction and filtering".

Median, bilateral, non-local means, and the speckle-reducing anisotropic diffusion of Yu
and Acton, which lets grey values flow where their local variation is that of speckle and
stops where it is larger. Speckle carries the texture of tissue: whether a filter helps a
network is a question to measure, not a step to take.

References
----------
Yu Y, Acton ST. Speckle reducing anisotropic diffusion. IEEE Trans Image Process
2002;11:1260-1270. doi:10.1109/TIP.2002.804276
Buades A, Coll B, Morel JM. A non-local algorithm for image denoising. CVPR 2005.
doi:10.1109/CVPR.2005.38
Tomasi C, Manduchi R. Bilateral filtering for gray and color images. ICCV 1998.
doi:10.1109/ICCV.1998.710815
"""

from __future__ import annotations

import math

import numpy as np

FILTERS = ("none", "median", "bilateral", "nlm", "srad")
LABELS = {
    "none": "none",
    "median": "median 3 × 3",
    "bilateral": "bilateral",
    "nlm": "non-local means",
    "srad": "anisotropic diffusion (SRAD)",
}
SRAD_STEPS = 12
TIME_STEP = 0.2
DECAY = 1 / 6


def denoise(image: np.ndarray, name: str) -> np.ndarray:
    """Filter an image.

    Parameters
    ----------
    image : ndarray, shape (H, W), uint8
    name : str
        One of ``none, median, bilateral, nlm, srad``.

    Returns
    -------
    ndarray, shape (H, W), uint8

    Raises
    ------
    ValueError
        If there is no such filter.

    Examples
    --------
    >>> spike = np.zeros((5, 5), np.uint8)
    >>> spike[2, 2] = 255
    >>> int(denoise(spike, "median").max())
    0
    """
    import cv2

    if name == "none":
        return image
    if name == "median":
        return cv2.medianBlur(image, 3)
    if name == "bilateral":
        return cv2.bilateralFilter(image, 5, 40, 3)
    if name == "nlm":
        return cv2.fastNlMeansDenoising(image, None, 12, 3, 9)
    if name == "srad":
        return srad(image)
    raise ValueError(f"name={name!r}: no such filter; use one of {', '.join(FILTERS)}.")


def denoise_all(images: np.ndarray, name: str) -> np.ndarray:
    """Filter images one by one; the same array comes back for ``none``.

    Parameters
    ----------
    images : ndarray, shape (N, H, W), uint8
    """
    if name == "none":
        return images
    return np.stack([denoise(image, name) for image in images]) if len(images) else images


def srad(image: np.ndarray, n_steps: int = SRAD_STEPS, time_step: float = TIME_STEP) -> np.ndarray:
    """Filter by speckle-reducing anisotropic diffusion.

    The *instantaneous coefficient of variation* q compares a pixel's gradient and
    Laplacian with its grey value; q0 is that of fully developed speckle, taken as the
    median of q at the start and falling as exp(-t / 6). The flow is
    1 / (1 + (q² - q0²) / (q0² (1 + q0²))).

    Parameters
    ----------
    image : ndarray, shape (H, W), uint8
        Log-compressed; the method was made for the envelope, so that grey values stand
        for it here.
    n_steps : int
    time_step : float
        At most 0.25, or the scheme is not stable.

    Returns
    -------
    ndarray, shape (H, W), uint8

    Raises
    ------
    ValueError
        If the time step is out of range.
    """
    if not 0 < time_step <= 0.25:
        raise ValueError(f"time_step={time_step}: the flow is stable in (0, 0.25]; use 0.2.")
    grey = image.astype(np.float64) / 255 + 0.05  # away from zero, which q divides by
    speckle = None
    for step in range(n_steps):
        north, south, west, east = _differences(grey)
        slope = (north**2 + south**2 + west**2 + east**2) / grey**2
        curve = (north + south + west + east) / grey
        q2 = np.maximum(0.5 * slope - curve**2 / 16, 0) / (1 + curve / 4) ** 2
        if speckle is None:
            speckle = max(float(np.median(q2)), 1e-6)
        q0 = speckle * math.exp(-2 * DECAY * step * time_step)
        flow = np.clip(1 / (1 + (q2 - q0) / (q0 * (1 + q0))), 0, 1)
        down, right = _shift(flow, 0), _shift(flow, 1)
        change = down * south + flow * north + right * east + flow * west
        grey = grey + time_step * change
    return np.clip(np.rint((grey - 0.05) * 255), 0, 255).astype(np.uint8)


def _shift(array: np.ndarray, axis: int) -> np.ndarray:
    """Return the next value along an axis, the last one repeated."""
    last = np.take(array, [-1], axis)
    return np.concatenate([np.take(array, range(1, array.shape[axis]), axis), last], axis)


def _differences(grey: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return neighbour minus pixel: above, below, left, right; 0 at the border."""
    padded = np.pad(grey, 1, mode="edge")
    centre = slice(1, -1)
    return (
        padded[:-2, centre] - grey,
        padded[2:, centre] - grey,
        padded[centre, :-2] - grey,
        padded[centre, 2:] - grey,
    )
