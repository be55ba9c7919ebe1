"""Picture of all flaws with what each does to its score, for the leak ladder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from fetal_book.runs.results import METRICS
from fetal_book.site.claims import Flaw, Source
from fetal_book.site.ladder import Rung, Score, ladder_figure
from fetal_book.site.shown_data import GROUPS
from fetal_book.site.shown_runs import ShownRun

PICTURE = "leak_ladder.png"
ALT = (
    "Pairs of scores with intervals, a row a flaw, a panel a measure, a column a kind of data:"
    " an open diamond with the flaw, a dot without it. The tables below give every number."
)
CAPTION = (
    "What each flaw does to its score, each by one run; bars are 95 % intervals. Measures keep"
    " their own axes, and so do kinds of data. The source's number stands before the flaw."
)


def scores(flaw: Flaw, run: ShownRun) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the rows with a flaw and without it; None where the run has not both."""
    flawed = run.find(flaw.flawed, flaw.metric, flaw.flawed_split)
    honest = run.find(flaw.honest, flaw.metric, flaw.honest_split)
    return None if flawed is None or honest is None else (flawed, honest)


def first_run(flaw: Flaw, runs: list[ShownRun], group: str) -> ShownRun | None:
    """Return the first run on a group of data that has the flaw."""
    return next((run for run in runs if run.group == group and scores(flaw, run)), None)


def first_scores(
    flaw: Flaw, runs: list[ShownRun], group: str
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the rows of the first run on a group of data that has the flaw."""
    run = first_run(flaw, runs, group)
    return None if run is None else scores(flaw, run)


def measure_words(metric: str) -> str:
    r"""Name a metric with its unit and which way is better.

    Examples
    --------
    >>> measure_words("adf_mm")
    'absolute difference of the circumferences, mm\n(lower is better)'
    """
    described = METRICS[metric]
    unit = f", {described.unit}" if described.unit else ""
    way = "higher" if described.higher_is_better else "lower"
    return f"{described.description}{unit}\n({way} is better)"


def write_ladder_picture(
    folder: Path, sources: list[Source], by_chapter: dict[str, list[ShownRun]]
) -> str:
    """Draw the flaws that a run shows into a folder, and return the figure as MyST Markdown."""
    panels: dict[str, list[Rung]] = {}
    for source in sources:
        for flaw in source.flaws:
            found = {g: first_scores(flaw, by_chapter[source.chapter], g) for g in GROUPS}
            pairs = {g: (_score(both[0]), _score(both[1])) for g, both in found.items() if both}
            if pairs:
                floor = f" (dot: {flaw.floor})" if flaw.floor else ""
                rung = Rung(f"{source.source}: {flaw.flaw}{floor}", pairs)
                panels.setdefault(measure_words(flaw.metric), []).append(rung)
    path = folder / PICTURE
    path.unlink(missing_ok=True)
    if not panels:
        return ""
    _save(panels, path)
    lines = [f"```{{figure}} generated/{PICTURE}", ":name: fig-leak-ladder", f":alt: {ALT}"]
    return "\n".join([*lines, "", CAPTION, "```\n"])


def _score(row: dict[str, Any]) -> Score:
    low, high = row["ci95_low"], row["ci95_high"]
    return Score(row["value"], None if math.isnan(low) else (low, high))


def _save(panels: dict[str, list[Rung]], path: Path) -> None:
    import matplotlib.pyplot as plt

    shown = {group for rungs in panels.values() for rung in rungs for group in rung.scores}
    figure = ladder_figure(panels, {g: words for g, words in GROUPS.items() if g in shown})
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)
    plt.close(figure)
