"""Is this a fetal head? Asked before a head is measured or its brain is classified.

A network that was trained on heads finds one in an abdomen too, and its number looks like any
other. So the shipped recogniser of planes looks first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fetal_lib.predict.plane import Plane, PlaneRecogniser

Gate = Callable[[Sequence[np.ndarray]], list[str]]
"""Takes scans, uint8 (H, W), of any size; says of each why it is no head, nothing of a head."""
NO_HEAD = {
    "head": "not surely a fetal head",
    "abdomen": "no fetal head: it looks like an abdomen",
    "femur": "no fetal head: it looks like a femur",
    "other": "no fetal head: it looks like no plane of fetal biometry",
}


def load_head_gate() -> Gate:
    """Return the check by the shipped recogniser."""
    recogniser = PlaneRecogniser.load()
    return lambda scans: [no_head(plane) for plane in recogniser.recognise_all(scans)]


def no_head(plane: Plane) -> str:
    """Return why a plane is not taken for a head; empty where it is.

    >>> no_head(Plane("abdomen", 0.97, {"abdomen": 0.97, "head": 0.03}, False))
    'no fetal head: it looks like an abdomen (97%)'
    """
    return "" if plane.is_head else f"{NO_HEAD[plane.name]} ({plane.confidence:.0%})"
