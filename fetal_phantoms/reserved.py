"""Seeds whose phantoms shipped models were trained on; a run that took one would test on them."""

from __future__ import annotations

HEAD_FINDER = 7_410_852
XCEPTION_MEASURES = 7_410_853
PLANE_RECOGNISER = 7_410_854
GESTATIONAL_AGE = 7_410_855
RESERVED = {
    HEAD_FINDER: "head finder",
    XCEPTION_MEASURES: "start of Xception",
    PLANE_RECOGNISER: "plane recogniser",
    GESTATIONAL_AGE: "model of gestational age",
}
"""Seed to the shipped network that has seen its phantoms."""


def refuse_reserved(seed: int) -> None:
    """Refuse a seed whose phantoms a shipped network has seen, with a ValueError."""
    if seed in RESERVED:
        raise ValueError(
            f"seed={seed}: the shipped {RESERVED[seed]} was trained on the phantoms of this seed; "
            "use another one."
        )
