"""The maps of a biometry network: their names, and how a scan gets into it and out again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CHANNELS = ("head", "head_inner", "abdomen", "transverse", "femur", "femur_ends")
"""Outlines of a head outer to outer (HC18) and outer to inner (the calliper set) and of an
abdomen, bands along TAD and a femur, and bells at the femur's ends."""
TRANSVERSE_SHARE = 0.08
"""Width of the band along TAD over its length."""
END_SPREAD = 0.015
"""Standard deviation of a bell over the longer side of the map."""
EVEN = 4
"""Sides and places of a fitted scan are multiples of it, so that maps are cut at whole pixels."""


class Place(NamedTuple):
    """Where an image lies in the input of a network.

    Attributes
    ----------
    rows, columns : slice
    turned : bool
        It was turned by a quarter, as an image that is taller than wide is: it fits in larger.
    """

    rows: slice
    columns: slice
    turned: bool


def fit_into(
    image: np.ndarray, shape: tuple[int, int], even: int = EVEN, may_turn: bool = True
) -> tuple[np.ndarray, Place]:
    """Fit a grey image into the input of a network, its aspect all but kept, black beside it.

    Parameters
    ----------
    image : ndarray, uint8 (H, W)
    shape : (height, width), multiples of ``even``.
    even : int
        Sides and place of the fitted image are multiples of it.
    may_turn : bool
        Turn an image that is taller than wide by a quarter.

    Returns
    -------
    fitted : ndarray, uint8, of ``shape``
    place : Place

    Examples
    --------
    >>> fitted, place = fit_into(np.full((200, 100), 9, np.uint8), (32, 32))
    >>> place
    Place(rows=slice(8, 24, None), columns=slice(0, 32, None), turned=True)
    """
    import cv2

    turned = may_turn and image.shape[0] > image.shape[1]
    image = np.ascontiguousarray(np.rot90(image) if turned else image)
    scale = min(shape[0] / image.shape[0], shape[1] / image.shape[1])
    height, width = (
        int(np.clip(even * round(side * scale / even), even, most))
        for side, most in zip(image.shape, shape, strict=True)
    )
    top, left = ((s - n) // 2 // even * even for s, n in zip(shape, (height, width), strict=True))
    place = Place(slice(top, top + height), slice(left, left + width), turned)
    fitted = np.zeros(shape, np.uint8)
    fitted[place[:2]] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return fitted, place


def cut_out(maps: np.ndarray, place: Place, shape: tuple[int, int]) -> np.ndarray:
    """Cut out of maps (C, h, w) what belongs to the image, whatever their grid to the input's."""
    factors = maps.shape[1] / shape[0], maps.shape[2] / shape[1]
    rows, columns = (
        slice(round(part.start * factor), round(part.stop * factor))
        for part, factor in zip(place[:2], factors, strict=True)
    )
    cut = maps[:, rows, columns]
    return np.rot90(cut, -1, axes=(1, 2)) if place.turned else cut
