"""What the checks of heat-maps found, in words: each passed, failed, or not tested."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Check = tuple[str, bool | None, str]
"""Name, whether it was passed (None: not tested), and what was found."""
R_LIMIT = 0.5
"""A map differs from that of random weights if their rank correlation is nearer to 0."""
TOLD = {True: "passed", False: "**failed**", None: "not tested"}


def place_check(shares: np.ndarray, areas: np.ndarray, where: str) -> Check:
    """Check that each map, a row, lies on one of some places more than its area would give."""
    if not np.isfinite(shares).all():
        return "place", None, "a map is empty"
    ahead = (shares > areas).any(axis=1)
    return "place", bool(ahead.all()), f"ahead of {where} in {ahead.sum()} of {len(ahead)} images"


def weights_check(name: str, r: np.ndarray) -> Check:
    """Check that no map is like that of the same network with other weights; r (N,)."""
    if not np.isfinite(r).all():
        return name, None, "a map is constant"
    largest = np.abs(r).max()
    return name, bool(largest < R_LIMIT), f"|r| up to {largest:.2f}, limit {R_LIMIT}"


def verdict(checks: Sequence[Check], maps: str) -> str:
    """Say what became of each check, and what follows for the maps, as they are called."""
    told = "; ".join(f"{name} {TOLD[passed]} ({why})" for name, passed, why in checks)
    passes = {passed for _, passed, _ in checks}
    if False in passes:
        return f"{told}. Read {maps} as pictures, not as an explanation."
    if None in passes:
        return f"{told}. What was not tested is not shown."
    return f"{told}. Passing is no proof: nothing here refuted {maps}."
