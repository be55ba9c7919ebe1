"""Sentences of chapter 03 that are written from a run's tables: data, choice, checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.growth.intergrowth_weight import EFW_GA_WEEKS_RANGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

SUBJECTS = {
    "hc18": (
        "A subject is an **examination**, the number that a file's name begins with; a woman who "
        "was examined twice counts twice"
    ),
    "clinical": "A subject is what the set's own table calls so, one fetus",
}
R_LIMIT = 0.5
"""A map differs from that of shuffled weights if their rank correlation is nearer to 0."""
N_RESAMPLES = 2000


def data_text(table: pd.DataFrame) -> str:
    """Say how many subjects the images come from, what a subject is, and where AC comes from.

    Parameters
    ----------
    table : DataFrame
        ``subject, structure, source, layout``, a row an image.

    Returns
    -------
    str
        Markdown.
    """
    lines = []
    for name, rows in table.groupby("source", sort=False):
        frames = rows.groupby("subject").size()
        lines.append(
            f"`{name}`: **{len(rows):,} images of {len(frames):,} subjects**, up to "
            f"{frames.max()} of one. {SUBJECTS[rows['layout'].iloc[0]]}."
        )
    abdomens = table[table["structure"] == "abdomen"]
    if abdomens.empty:
        lines.append("No image shows an abdomen: this run has **no AC and no weight**.")
    else:
        names = ", ".join(f"`{name}`" for name in abdomens["source"].unique())
        lines.append(f"Abdomens, on which AC and weight rest: {len(abdomens):,}, from {names}.")
    return " ".join(lines)


def choice_text(scores: Mapping[str, pd.DataFrame], best: str, seed: int) -> str:
    """Say which network was chosen, and how often other subjects would have chosen it; Markdown.

    Subjects are drawn with replacement, the same for all networks, and the choice is made anew.

    Parameters
    ----------
    scores : mapping of model to DataFrame
        ``subject, dice`` of the validation part, the same images in the same order.
    best : str
        The network that was chosen.
    seed : int
    """
    names = list(scores)
    first = scores[best]
    subjects, labels = np.unique(first["subject"].to_numpy(str), return_inverse=True)
    dices = np.stack([scores[name]["dice"].to_numpy(float) for name in names])
    sums = np.stack([np.bincount(labels, row) for row in dices])
    draws = np.random.default_rng(seed).integers(len(subjects), size=(N_RESAMPLES, len(subjects)))
    means = sums[:, draws].sum(-1) / np.bincount(labels)[draws].sum(-1)
    shares = np.bincount(means.argmax(0), minlength=len(names)) / N_RESAMPLES
    others = {n: s for n, s in zip(names, shares, strict=True) if n != best and s > 0}
    told = [f"{others[n]:.0%} `{n}`" for n in sorted(others, key=others.get, reverse=True)]
    again = f"{shares[names.index(best)]:.0%} choose it again"
    return (
        f"Chosen on {len(first)} validation images of {len(subjects)} subjects: **{best}**. Of "
        f"{N_RESAMPLES:,} resamples of these subjects, {', '.join([again, *told])}."
    )


def weights_text(biometry: pd.DataFrame) -> str:
    """Say of how many subjects the weight is known at an age that has centiles; Markdown.

    Parameters
    ----------
    biometry : DataFrame
        From `biometry_table`; empty where no subject has both structures.
    """
    if biometry.empty:
        return "No subject of the test part has head and abdomen measured: no weight, no flag."
    known, (first, last) = biometry["centile_true"].notna(), EFW_GA_WEEKS_RANGE
    return (
        f"Of {len(biometry)} subjects with head and abdomen, **{known.sum()}** have a weight "
        "centile by annotation; the age of the others is unknown, or outside the "
        f"{first} to {last} weeks that the weight standard covers."
    )


def cam_verdict(checks: pd.DataFrame, means: pd.DataFrame) -> str:
    """Say, for each explained network, which checks its Grad-CAM maps pass and which they fail.

    Parameters
    ----------
    checks : DataFrame
        Per image, from `cam_checks`. A check is passed if every image passes it.
    means : DataFrame
        From `curve_means`.

    Returns
    -------
    str
        Markdown, a list with an item a network.
    """
    lines = []
    for model, rows in checks.groupby("model", sort=False):
        curves = means[means["model"] == model].set_index("way")
        found = [*_place_and_weights(rows), *_orders(curves)]
        failed = sum(passed is False for _, passed, _ in found)
        untested = sum(passed is None for _, passed, _ in found)
        told = {True: "passed", False: "**failed**", None: "not tested"}
        parts = "; ".join(f"{name} {told[passed]} ({why})" for name, passed, why in found)
        if failed:
            end = "Read its maps as pictures, not as an explanation."
        elif untested:
            end = "What was not tested is not shown."
        else:
            end = "Passing is no proof: nothing here refuted its maps."
        lines.append(
            f"- `{model}`, {len(rows)} images, {failed} of {len(found)} failed: {parts}. {end}"
        )
    return "\n".join(lines) or "No map was made."


Check = tuple[str, bool | None, str]


def _place_and_weights(rows: pd.DataFrame) -> Iterator[Check]:
    shares = rows[["map on structure", "map on edge"]].to_numpy(float)
    areas = rows[["structure's area", "edge's area"]].to_numpy(float)
    if np.isfinite(shares).all():
        ahead = (shares > areas).any(axis=1)
        yield "place", bool(ahead.all()), f"ahead of its area in {ahead.sum()} of {len(rows)}"
    else:
        yield "place", None, "a map is empty"
    r = np.abs(rows["r, shuffled weights"].to_numpy(float))
    if np.isfinite(r).all():
        passed = bool((r < R_LIMIT).all())
        yield "shuffled weights", passed, f"|r| up to {r.max():.2f}, limit {R_LIMIT}"
    else:
        yield "shuffled weights", None, "a map is constant"


def _orders(curves: pd.DataFrame) -> Iterator[Check]:
    for way in ("deletion", "insertion"):
        if way not in curves.index:
            yield way, None, "nothing was found"
            continue
        by_map, by_chance = curves.loc[way, ["mean, map order", "mean, random order"]]
        passed = by_map > by_chance if way == "deletion" else by_map < by_chance
        yield way, bool(passed), f"mean change {by_map:.3g}, {by_chance:.3g} in random order"
