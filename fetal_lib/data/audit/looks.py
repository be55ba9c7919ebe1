"""Look at each image once and keep little of it, so that memory does not grow with its size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fetal_lib.data.audit.hashes import packed, thumbnail, view_hashes

GRID = 16
RIM = 2  # cells of the grid: an eighth of the image on each side
STROKE = 7  # px; what is thinner and brighter than its surroundings is ink
INK = 60  # grey values above the surroundings


@dataclass(frozen=True)
class Looks:
    """What the audit keeps of N images: about 3 KB each.

    Attributes
    ----------
    digests : tuple of bytes, length N
        Hash of size and pixels; equal for equal images only.
    words : ndarray, shape (N, 4, 3), uint64
        Perceptual hashes in four views, packed.
    thumbs : ndarray, shape (N, 48, 48), uint8
    sizes : ndarray, shape (N, 2), int
        Height and width.
    rim_grey, rim_ink : ndarray, shape (N, 112), float32
        Of the cells along the border: mean grey value, and the share of thin bright strokes
        (text, callipers, logos), both in [0, 1].
    """

    digests: tuple[bytes, ...]
    words: np.ndarray
    thumbs: np.ndarray
    sizes: np.ndarray
    rim_grey: np.ndarray
    rim_ink: np.ndarray


def look_at(images: Iterable[np.ndarray]) -> Looks:
    """Read images, uint8 (H, W), one by one and keep their hashes, thumbnails and border strips.

    A generator is used up; one image is held at a time. An item that is no such array is refused
    by a ValueError.
    """
    digests, words, thumbs, sizes, greys, inks = [], [], [], [], [], []
    for i, image in enumerate(images):
        image = _checked(image, i)
        thumb = thumbnail(image)
        grey, ink = rim_features(image)
        digests.append(_digest(image))
        words.append(packed(view_hashes(thumb)))
        thumbs.append(thumb)
        sizes.append(image.shape)
        greys.append(grey)
        inks.append(ink)
    if not digests:
        raise ValueError("images: received none; give one per case, or leave images out.")
    arrays = (np.stack(values) for values in (words, thumbs, sizes, greys, inks))
    return Looks(tuple(digests), *arrays)


def rim_features(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Describe the border strip of an image, an eighth of it on each side, in 112 cells.

    Of an image, uint8 (H, W), the mean grey value, and the share of pixels that are thin and
    bright, as text is: float32 (112,) each, in [0, 1].
    """
    import cv2

    kernel = np.ones((STROKE, STROKE), np.uint8)
    strokes = cv2.morphologyEx(image, cv2.MORPH_TOPHAT, kernel) > INK
    inside = np.s_[RIM : GRID - RIM]
    rim = np.ones((GRID, GRID), bool)
    rim[inside, inside] = False
    size, how = (GRID, GRID), cv2.INTER_AREA
    grey = cv2.resize(image.astype(np.float32) / 255, size, interpolation=how)
    ink = cv2.resize(strokes.astype(np.float32), size, interpolation=how)
    return grey[rim], ink[rim]


def _digest(image: np.ndarray) -> bytes:
    content = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16)
    content.update(repr(image.shape).encode())
    return content.digest()


def _checked(image: np.ndarray, number: int) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 2 or image.dtype != np.uint8 or min(image.shape, default=0) < 1:
        raise ValueError(
            f"images: number {number} has shape {image.shape} and type {image.dtype}; each must "
            "be (H, W) of uint8. Make colour grey, and scale other types to 0-255."
        )
    return image
