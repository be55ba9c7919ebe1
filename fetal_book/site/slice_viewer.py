"""A viewer of a volume's slices that needs no server: prepared pictures, a slider for each plane.

All slices of a plane are one WebP picture, under each other, in the page itself; the slider moves
it behind a window. NiiVue would show any volume, but is larger than the pages of this book may be
and reads volumes over a network.
"""

from __future__ import annotations

import base64
from html import escape

import numpy as np

PLANES = {"axial": (2, 0, 1), "coronal": (1, 0, 2), "sagittal": (0, 1, 2)}
"""The axis that the slider moves along, then right and up; of an RAS volume."""
QUALITY, N_SLICES = 60, 28
MOVE = "this.previousElementSibling.style.setProperty('--slice', this.value)"


def slice_viewer(volume: np.ndarray, name: str, window_px: int = 200) -> str:
    """Return a piece of HTML that shows a volume in three planes, each with a slider.

    Parameters
    ----------
    volume : float (X, Y, Z), RAS, isotropic.
    name : what is shown, in words, such as ``a phantom of 30 weeks``.
    window_px : longer side of the shown slices.

    Examples
    --------
    >>> html = slice_viewer(np.random.default_rng(0).random((8, 9, 10)), "noise")
    >>> html.count('type="range"'), html.count("data:image/webp")
    (3, 3)
    """
    scale = window_px / max(volume.shape)
    top = max(float(np.quantile(volume[volume > 0], 0.995)) if (volume > 0).any() else 1.0, 1e-6)
    grey = np.rint(255 * np.clip(volume / top, 0, 1)).astype(np.uint8)
    planes = [_plane(grey, plane, name, scale) for plane in PLANES]
    return (
        f'<section class="slice-viewer" aria-label="{escape(name, quote=True)}">\n'
        + "\n".join(planes)
        + "\n</section>\n"
    )


def _plane(grey: np.ndarray, plane: str, name: str, scale: float) -> str:
    import cv2

    along, right, up = PLANES[plane]
    slices = np.moveaxis(grey, (along, up, right), (0, 1, 2))[:, ::-1]  # the top is up
    shown = np.flatnonzero(slices.any(axis=(1, 2)))
    n = min(N_SLICES, len(shown))
    slices = slices[shown[np.linspace(0, len(shown) - 1, n).astype(int)]]
    height, width = (round(side * scale) for side in slices.shape[1:])
    strip = np.concatenate([cv2.resize(one, (width, height)) for one in slices])
    file = cv2.imencode(".webp", strip, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()
    address = f"data:image/webp;base64,{base64.b64encode(file).decode()}"
    words = f"{plane} slices of {name}"
    return (
        f'<figure><div class="slices" role="img" aria-label="{escape(words, quote=True)}" '
        f'style="--slice: {n // 2}; width: {width}px; height: {height}px; background: '
        f"url({address}) 0 calc(var(--slice) * -{height}px) / {width}px {height * n}px "
        f'no-repeat"></div><input type="range" min="0" max="{n - 1}" value="{n // 2}" '
        f'oninput="{MOVE}" aria-label="slice, {plane}"/><figcaption>{plane}</figcaption></figure>'
    )
