"""Pixels of any usual depth, gray or coloured, as gray values of 8 bits."""

from __future__ import annotations

import numpy as np

BIT_DEPTHS = (8, 10, 12, 14, 16)


def luma(colour: np.ndarray) -> np.ndarray:
    """Turn colour, uint8 (H, W, 3), into gray (H, W): 0.299 R + 0.587 G + 0.114 B (ITU-R 601-2)."""
    from PIL import Image

    return np.asarray(Image.fromarray(colour).convert("L"), np.uint8).copy()


def eight_bits(values: np.ndarray, max_bits: int = 16) -> np.ndarray:
    """Divide whole numbers down to 0-255, uint8, from the smallest usual depth that holds them.

    They are 0 or above; ``max_bits`` is taken when none of 8, 10, 12 and 14 holds the largest.
    """
    largest = int(values.max())
    bits = next((b for b in BIT_DEPTHS if b < max_bits and largest < 2**b), max_bits)
    if bits > 8:
        values = np.round(values * (255 / (2**bits - 1)))
    return values.clip(0, 255).astype(np.uint8)
