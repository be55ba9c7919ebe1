"""Is this a fetal head? Asked before a head is measured or its brain is classified.

A network that was trained on heads finds one in an abdomen too, and its number looks like any
other. So a scan is declined where the shipped head finder, which has seen abdomens, finds no head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fetal_lib.data.images import squash
from fetal_lib.predict.brain_view import find_head, load_head_finder


@dataclass(frozen=True)
class HeadCheck:
    """What a scan shows.

    Attributes
    ----------
    plane : ``head`` or ``other``.
    confidence : mean probability in the region that was found, NaN where none was.
    reason : why it is not taken for a head; empty where it is.
    """

    plane: str
    confidence: float
    reason: str = ""


Gate = Callable[[Sequence[np.ndarray]], list[HeadCheck]]
"""Takes scans, uint8 (H, W), of any size."""


def load_head_gate() -> Gate:
    """Return the check by the shipped network."""
    finder = load_head_finder()

    def check(scans: Sequence[np.ndarray]) -> list[HeadCheck]:
        maps = finder.probs(np.stack([squash(scan, finder.shape) for scan in scans]))
        return [_check(*pair) for pair in zip(maps, scans, strict=True)]

    return check


def _check(probs: np.ndarray, scan: np.ndarray) -> HeadCheck:
    region = probs >= 0.5
    confidence = float(probs[region].mean()) if region.any() else float("nan")
    if find_head(probs, scan.shape) is not None:
        return HeadCheck("head", confidence)
    return HeadCheck("other", confidence, "no fetal head found in the image")
