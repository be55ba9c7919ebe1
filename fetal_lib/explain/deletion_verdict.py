"""What a deletion curve says of a map: does its order move the answer more than chance does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def deletion_verdict(
    share: np.ndarray, changes: Mapping[str, np.ndarray], random: str, unit: str
) -> str:
    """Return, in Markdown, how far each order moves the answer on average, and if it passes.

    The average is the area under the curve over the range of shares, so that uneven steps do
    not count for more than they span.

    Parameters
    ----------
    share : float (K,), rising; hidden share along the curves.
    changes : order's name to mean absolute change of the answer, float (K,).
    random : name of the random order among them.
    unit : of the answer.

    Examples
    --------
    >>> curves = {"map": np.array([0.0, 4.0, 4.0]), "random": np.array([0.0, 2.0, 4.0])}
    >>> deletion_verdict(np.array([0.0, 0.5, 1.0]), curves, "random", "days")
    'Averaged over the hidden shares, the random order moves the answer by 2.00 days, `map` by \
**3.00 days** (passes: more than at random).'
    """
    share = np.asarray(share, float)
    steps = np.diff(share)
    means = {
        name: float(((curve[1:] + curve[:-1]) / 2) @ steps / steps.sum())
        for name, curve in changes.items()
    }
    chance = means.pop(random)
    words = [
        f"`{name}` by **{mean:#.3g} {unit}** "
        + ("(passes: more than at random)" if mean > chance else "(fails: no more than at random)")
        for name, mean in means.items()
    ]
    return (
        f"Averaged over the hidden shares, the random order moves the answer by {chance:#.3g} "
        f"{unit}, {', '.join(words)}."
    )
