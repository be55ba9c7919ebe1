"""Compare every two of chapter 03's networks at their published size, on the same test images.

Source 002 ranks five networks and tests nothing. Here each pair is a paired difference with its
interval over subjects and a p value by Holm's procedure for all pairs, beside the source's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fetal_book.published_size.networks import NETWORKS
from fetal_book.published_size.record import SizeRecord
from fetal_book.site.markdown import table
from fetal_lib.metrics.intervals import interval_words

MEASURE = "dice"
LEVEL = 0.05
TITLES = ("First", "Second", "First minus second", "p, Holm", "The source's order")


def pair_table(records: Mapping[str, SizeRecord], claims: Mapping[str, float | None]) -> str:
    """Write a row for every two networks that were scored on the same images; empty without any.

    Parameters
    ----------
    records : by network.
    claims : what the source reports of a network; None where it is of another measure.
    """
    same: dict[tuple[str, ...], list[SizeRecord]] = {}
    for name in NETWORKS:
        if name in records and records[name].cases:
            images = (row["image"] for row in records[name].cases)
            same.setdefault((records[name].chapter, *images), []).append(records[name])
    return "\n".join(_of_same_images(some, claims) for some in same.values() if len(some) > 1)


def _of_same_images(records: list[SizeRecord], claims: Mapping[str, float | None]) -> str:
    import pandas as pd

    from fetal_book.chapters.biometry_segmentation.scores import paired_tests

    by_name = {one.network: one for one in records}
    frames = {one.network: pd.DataFrame(one.cases) for one in records}
    rows = [
        [
            NETWORKS[pair["first"]].title,
            NETWORKS[pair["second"]].title,
            f"{pair['difference']:+.3f} ({interval_words(pair['low'], pair['high'], 3)})",
            f"{pair['p_holm']:.3f}" if pair["p_holm"] >= 0.001 else "< 0.001",
            verdict(pair, claims.get(pair["first"]), claims.get(pair["second"]))
            + unequal(by_name[pair["first"]], by_name[pair["second"]]),
        ]
        for pair in paired_tests(frames, MEASURE).to_dict("records")
    ]
    n, subjects = len(records[0].cases), frames[records[0].network]["subject"].nunique()
    words = (
        f"Every two networks of chapter {records[0].chapter[:2]} at the published width on the same"
        f" {n} test images of {subjects} subjects: difference of {MEASURE} with its 95 % interval. "
        "Networks that were trained unequally are compared where they stand: that is no ranking."
    )
    return table(TITLES, rows, words)


def unequal(first: SizeRecord, second: SizeRecord) -> str:
    """Say that two networks were trained for other times or on images of other sizes.

    Examples
    --------
    >>> one = SizeRecord("unext", "03", "hc18", side=128, epochs=50)
    >>> unequal(one, SizeRecord("duck_net", "03", "hc18", side=128, epochs=2))
    '; trained unequally: 50 and 2 epochs'
    >>> unequal(one, SizeRecord("med_seg_diff", "03", "hc18", side=64, epochs=50))
    '; trained unequally: 128 and 64 px'
    """
    told = [] if first.epochs == second.epochs else [f"{first.epochs} and {second.epochs} epochs"]
    told += [] if first.side == second.side else [f"{first.side} and {second.side} px"]
    return f"; trained unequally: {', '.join(told)}" if told else ""


def verdict(pair: Mapping[str, Any], first: float | None, second: float | None) -> str:
    """Say whether a difference goes the way of what the source reports of the two.

    Examples
    --------
    >>> more = {"difference": 0.01, "low": 0.005, "high": 0.02, "p_holm": 0.01}
    >>> verdict(more, 0.98, 0.96), verdict(more, 0.96, 0.98)
    ('as in the source', 'the other way round')
    >>> verdict(more | {"p_holm": 0.4}, 0.98, 0.96), verdict(more | {"low": -0.01}, 0.98, 0.96)
    ('not told apart', 'not told apart')
    """
    open_end = pair["low"] <= 0 <= pair["high"]
    if open_end or pair["p_holm"] != pair["p_holm"] or pair["p_holm"] >= LEVEL:
        return "not told apart"
    if first is None or second is None or first == second:
        return "not ranked there"
    return (
        "as in the source"
        if (pair["difference"] > 0) == (first > second)
        else "the other way round"
    )
