"""Refuse an image batch that a segmentation network cannot take, and say which one it can."""

from __future__ import annotations

from collections.abc import Sequence


def nearest_legal_side(side: int, multiple: int) -> int:
    """Return the positive multiple of ``multiple`` that is nearest to ``side``, in pixels.

    Examples
    --------
    >>> nearest_legal_side(100, 32), nearest_legal_side(5, 32)
    (96, 32)
    """
    return max(multiple, round(side / multiple) * multiple)


def check_image_batch(
    shape: Sequence[int],
    network: str,
    channels: int,
    multiple: int,
    side: int | None = None,
) -> None:
    """Refuse a shape that is not (B, channels, H, W) with sides that the network can halve.

    Each side must be a positive multiple of ``multiple``, or exactly ``side`` where the network
    learnt positions; the message names the nearest legal one.
    """
    shape = tuple(int(n) for n in shape)
    if len(shape) != 4 or shape[1] != channels:
        raise ValueError(
            f"image: shape {shape}, but this {network} takes (B, {channels}, H, W); "
            f"add or drop axes, or build it with in_channels of your images."
        )
    for name, length in zip(("height", "width"), shape[2:], strict=True):
        if side is not None and length != side:
            raise ValueError(
                f"{name}={length}: this {network} learnt positions for square images of side "
                f"{side}, the nearest legal one; resize, or build it with image_size={length}."
            )
        if length < multiple or length % multiple:
            raise ValueError(
                f"{name}={length}: {network} needs sides that are positive multiples of "
                f"{multiple}; the nearest is {nearest_legal_side(length, multiple)}. Resize or pad."
            )


def scaled(channels: int, width: float, step: int = 1) -> int:
    """Return a published number of channels times a width, a positive multiple of ``step``.

    Examples
    --------
    >>> scaled(64, 1.0), scaled(64, 0.25), scaled(17, 0.25), scaled(480, 0.25, 8)
    (64, 16, 4, 120)
    """
    if width <= 0:
        raise ValueError(f"width={width}: a factor of all channels, above 0; 1 is the published.")
    return nearest_legal_side(channels * width, step)
