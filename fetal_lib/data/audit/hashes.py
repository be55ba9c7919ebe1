"""The perceptual hash of an image, as it is and mirrored: signs of its low frequencies.

Mirroring an image turns the sign of its odd frequencies, so one cosine transform gives the hash
of all four views. The first is the ``phash`` of the ImageHash package, bit for bit.

References
----------
Zauner C. Implementation and benchmarking of perceptual image hash functions. Thesis, Upper
Austria University of Applied Sciences, 2010.
"""

from __future__ import annotations

import numpy as np

HASH_SIDE = 12
"""Side of the perceptual hash in bits; 144 bits in all."""
THUMB_SIDE = 4 * HASH_SIDE
VIEWS = ("as it is", "mirrored", "upside down", "turned by 180°")
N_BITS = HASH_SIDE * HASH_SIDE


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Return an image, uint8 (H, W), squashed to 48 x 48 pixels."""
    from PIL import Image

    small = Image.fromarray(image).resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small)


def view_hashes(thumb: np.ndarray) -> np.ndarray:
    """Return the hashes of a thumbnail, uint8 (48, 48), in all four ``VIEWS``: bool (4, 144)."""
    from scipy.fft import dctn

    low = dctn(thumb.astype(float), type=2)[:HASH_SIDE, :HASH_SIDE]
    odd = (-1.0) ** np.arange(HASH_SIDE)
    one = np.ones(HASH_SIDE)
    signs = (np.outer(one, one), np.outer(one, odd), np.outer(odd, one), np.outer(odd, odd))
    return np.stack([(low * s > np.median(low * s)).ravel() for s in signs])


def packed(hashes: np.ndarray) -> np.ndarray:
    """Pack hashes, bool (..., 144), into uint64 words (..., 3), for counting bits quickly."""
    pad = -N_BITS % 64
    filled = np.concatenate([hashes, np.zeros((*hashes.shape[:-1], pad), bool)], axis=-1)
    return np.packbits(filled, axis=-1).view(np.uint64)
