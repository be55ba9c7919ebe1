"""Write what a whole comparison of the sources' networks would cost, on paper.

Five networks, five folds, ten seeds, at the size and for the epochs that their source used: too
much for processors, and told so that it can be planned. The steps were measured on a processor;
what a card makes of them is an assumption that the table states.
"""

from __future__ import annotations

from fetal_book.published_size.networks import NETWORKS
from fetal_book.site.markdown import table

CHAPTER, FOLDS, SEEDS = "03_biometry_segmentation", 5, 10
CARDS = (1, 8, 64)
SPEED_UPS = (100, 500)
"""A card's step is taken to be so many times as fast as one core's; none was measured."""


def cost_table(hours_of: dict[str, float]) -> str:
    """Write the processor hours of the comparison, and the hours on cards by the assumed speeds.

    Parameters
    ----------
    hours_of : processor hours of one training by the source's recipe, by network.
    """
    names = [
        name
        for name, network in NETWORKS.items()
        if network.chapter == CHAPTER and not network.variant_of and name in hours_of
    ]
    if not names:
        return ""
    runs = FOLDS * SEEDS
    whole = {name: hours_of[name] * runs for name in names}
    rows = [[NETWORKS[n].title, rounded(hours_of[n]), rounded(whole[n])] for n in names]
    both = (sum(hours_of[name] for name in names), sum(whole.values()))
    rows.append(["all", *map(rounded, both)])
    titles = ("Network", "Processor hours a training", f"× {FOLDS} folds × {SEEDS} seeds")
    words = f"What {len(names)} networks of chapter 03 would cost by their source's recipe."
    longest = max(hours_of[name] for name in names)
    times = [
        [f"{n}", *(time_text(sum(whole.values()), longest, n, speed) for speed in SPEED_UPS)]
        for n in CARDS
    ]
    speeds = [f"a card {speed} times as fast as a core" for speed in SPEED_UPS]
    assumed = (
        f"The same {len(names) * runs} trainings on graphics cards, **assumed, not measured**: the "
        "steps above are a processor's, and a card is taken to be so many times as fast. Each "
        "training is a job on one card; more cards than trainings, or the longest one, set the end."
    )
    return f"## What the whole comparison costs\n\n{table(titles, rows, words)}\n" + table(
        ("Cards", *speeds), times, assumed
    )


def time_text(hours: float, longest: float, cards: int, speed_up: float) -> str:
    """Write the hours of independent trainings, shared by cards; none is shorter than the longest.

    >>> time_text(4800, 100, 1, 100), time_text(4800, 3600, 64, 100)
    ('48 h', '36 h')
    """
    return f"{rounded(max(hours / cards, longest) / speed_up)} h"


def rounded(hours: float) -> str:
    """Write two digits, and all before the point."""
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
