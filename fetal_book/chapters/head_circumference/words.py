"""Sentences of chapter 04 that are written from a run's tables: its interval, its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

R_LIMIT = 0.5
"""A map differs from that of random weights if their rank correlation is nearer to 0."""


def coverage_text(promised: float, half: float, n_val: int, covered: float, n_test: int) -> str:
    """Say how wide the prediction interval is and why, and how often it held; Markdown.

    The coverage of new cases by the k-th smallest of n independent errors is itself random: it
    follows the beta distribution with parameters k and n + 1 - k.

    Parameters
    ----------
    promised : float
        Coverage that was asked for.
    half : float
        Half-width as a share of the circumference; infinite where ``n_val`` is too small.
    n_val : int
        Validation images.
    covered : float
        Share of the ``n_test`` measured test images whose reference lies inside.
    n_test : int
    """
    told = (
        f"Promised: {promised:.0%}. Measured on {n_test} test images: **{covered:.1%}**. The "
        f"interval was calibrated on {n_val} images"
    )
    if not np.isfinite(half):
        return f"{told}: too few for that promise, or too many without a head. It is infinite."
    from scipy.stats import beta

    rank = int(np.ceil((n_val + 1) * promised - 1e-9))
    low, high = beta.ppf([0.025, 0.975], rank, n_val + 1 - rank)
    which = "the largest" if rank == n_val else f"number {rank}, from the smallest up,"
    return (
        f"{told}: it is as wide as {which} of their errors. Drawn anew, {n_val} independent images "
        f"would give intervals that cover {low:.0%} to {high:.0%} of new ones, in 95 % of draws."
    )


def occlusion_verdict(checks: pd.DataFrame) -> str:
    """Say which checks the occlusion maps pass and which they fail; Markdown.

    Parameters
    ----------
    checks : DataFrame
        Per image, from `occlusion_checks`. A check is passed if every image passes it.
    """
    share, area, r = (
        checks[name].to_numpy(float)
        for name in (
            "share of map on skull",
            "share of image that is skull band",
            "rank correlation with random weights",
        )
    )
    parts: list[tuple[str, bool | None, str]] = []
    if np.isfinite(share).all():
        ahead = share > area
        found = f"ahead of the band's area in {ahead.sum()} of {len(checks)} images"
        parts.append(("place", bool(ahead.all()), found))
    else:
        parts.append(("place", None, "a map is empty"))
    if np.isfinite(r).all():
        found = f"|r| up to {np.abs(r).max():.2f}, limit {R_LIMIT}"
        parts.append(("random weights", bool((np.abs(r) < R_LIMIT).all()), found))
    else:
        parts.append(("random weights", None, "a map is constant"))
    told = {True: "passed", False: "**failed**", None: "not tested"}
    text = "; ".join(f"{name} {told[passed]} ({why})" for name, passed, why in parts)
    verdicts = {passed for _, passed, _ in parts}
    if False in verdicts:
        end = "Read the maps as pictures, not as an explanation."
    elif None in verdicts:
        end = "What was not tested is not shown."
    else:
        end = "Passing is no proof: nothing here refuted the maps."
    return f"Checks: {text}. {end}"
