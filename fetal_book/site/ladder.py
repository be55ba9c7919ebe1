"""Write the leak ladder: what each flaw of the sources adds to its score, on the runs' own data."""

from __future__ import annotations

import math
import re
from pathlib import Path

from fetal_book.runs.results import METRICS
from fetal_book.site.claims import Flaw, Source
from fetal_book.site.ladder_picture import first_run, scores, write_ladder_picture
from fetal_book.site.markdown import table
from fetal_book.site.shown_runs import (
    GROUPS,
    ShownRun,
    data_text,
    decimal_places,
    details_text,
    value_text,
)
from fetal_lib.files.atomic import write_text

TITLES = ("Flaw", "The flaw makes it", "With", "Without", "Data and training")
SEEN = re.compile(r"[1-9]")
"""A difference that shows in the digits that are printed."""


def write_ladder(
    generated: Path, sources: list[Source], by_chapter: dict[str, list[ShownRun]]
) -> None:
    """Write ``leak_ladder.md`` and its picture into a folder."""
    picture = write_ladder_picture(generated, sources, by_chapter)
    write_text(generated / "leak_ladder.md", f"{picture}\n{ladder(sources, by_chapter)}")


def ladder(sources: list[Source], by_chapter: dict[str, list[ShownRun]]) -> str:
    """Write what each flaw adds to the score: by its first run, then by every other run."""
    tables = [
        *side_by_side(sources, by_chapter),
        *other_runs(sources, by_chapter),
    ]
    return "\n".join(tables) or "No run in this book re-enacts a flaw yet.\n"


def side_by_side(sources: list[Source], by_chapter: dict[str, list[ShownRun]]) -> list[str]:
    """Write a table of all flaws for each group of data, each flaw by its first run."""
    parts = []
    for group, kind in GROUPS.items():
        lines = []
        for source in sources:
            for flaw in source.flaws:
                run = first_run(flaw, by_chapter[source.chapter], group)
                lines += [line(source, flaw, run)] if run else []
        if lines:
            written = table(TITLES, lines, f"Every flaw by one run, {kind}.")
            parts.append(f"## All flaws, {kind}\n\n{written}")
    return parts


def other_runs(sources: list[Source], by_chapter: dict[str, list[ShownRun]]) -> list[str]:
    """Write a table of the flaws in runs whose numbers are not in the tables of all flaws."""
    lines = []
    for source in sources:
        runs = by_chapter[source.chapter]
        for flaw in source.flaws:
            first = [first_run(flaw, runs, group) for group in GROUPS]
            told = [rung(flaw, run) for run in first if run]
            others = [run for run in runs if run not in first and rung(flaw, run)]
            lines += [line(source, flaw, run) for run in others if rung(flaw, run) not in told]
    caption = "Flaws in runs that are not in the tables above."
    return [f"## In other runs\n\n{table(TITLES, lines, caption)}"] if lines else []


def line(source: Source, flaw: Flaw, run: ShownRun) -> list[str]:
    """Return the cells of a flaw in a run; what has to be known first stands below its name."""
    data, n, *both, words = rung(flaw, run) or []
    change = run.differences.get((flaw.flawed, flaw.honest, flaw.metric), {})
    told = "; ".join(filter(None, [f"{data}, {run.link}, n {n}", trained_text(change)]))
    name = f"{flaw.origin(source)}: {flaw.flaw} (`{flaw.metric}`)"
    name += f"<br>*{flaw.note[0].upper()}{flaw.note[1:]}.*" if flaw.note else ""
    return [name, words, *both, told]


def trained_text(facts: dict[str, float]) -> str:
    """Say how often and how long both sides were trained, and what the flawed one had seen.

    Examples
    --------
    >>> trained_text({"trainings": 5.0, "epochs": 6.0, "exposed": 0.81})
    '5 trainings of 6 epochs; 81 % of the cases scored with the flaw seen in training'
    >>> trained_text({"trainings": 1.0, "epochs": float("nan"), "exposed": float("nan")})
    'one training'
    >>> trained_text({"trainings": 0.0})
    'a fit that leaves nothing to chance'
    """
    n, epochs, exposed = (facts.get(k, math.nan) for k in ("trainings", "epochs", "exposed"))
    parts = []
    if not math.isnan(n):
        long = "" if math.isnan(epochs) else f" of {epochs:.0f} epoch{'s' * (epochs != 1)}"
        times = f"{n:.0f} trainings" if n > 1 else "one training"
        parts.append(f"{times}{long}" if n else "a fit that leaves nothing to chance")
    if not math.isnan(exposed):
        parts.append(f"{100 * exposed:.0f} % of the cases scored with the flaw seen in training")
    return "; ".join(parts)


def rung(flaw: Flaw, run: ShownRun) -> list[str] | None:
    """Return data, n, both values and their difference; None where the run has not both."""
    both = scores(flaw, run)
    if both is None:
        return None
    flawed, honest = both
    change = run.differences.get((flaw.flawed, flaw.honest, flaw.metric))
    words = change_text(flaw, flawed["value"] - honest["value"], change)
    counts = sorted({int(row["n"]) for row in (flawed, honest) if row["n"] == row["n"]})
    n = " and ".join(map(str, counts))
    with_it, without = (f"{value_text(row)}{details_text(row | {'n': None})}" for row in both)
    without += f", {flaw.floor}" if flaw.floor else ""
    return [data_text(flawed, run), n, with_it, without, words]


def change_text(flaw: Flaw, difference: float, interval: dict[str, float] | None) -> str:
    """Say how much better or worse a flaw makes its score, with the difference's interval.

    Examples
    --------
    >>> flaw = Flaw(flaw="Pooled", metric="dice", flawed="a", honest="b")
    >>> change_text(flaw, 0.0288, {"low": 0.0102, "high": 0.0491})
    '0.029 better than it is (0.010 to 0.049)'
    >>> change_text(flaw, -0.004, {"low": -0.021, "high": 0.012})
    '0.004 worse (0.021 worse to 0.012 better)'
    >>> luck = Flaw(flaw="Luck", metric="dice", flawed="a", honest="b", one_way=True)
    >>> change_text(luck, 0.0288, {"low": 0.0102, "high": 0.0491})
    '0.029 better, as it cannot but be (0.010 to 0.049)'
    """
    metric = METRICS[flaw.metric]
    sign = 1 if metric.higher_is_better else -1
    size = value_text({"value": abs(difference), "unit": metric.unit})
    than = f" than {flaw.floor or 'it is'}" if sign * difference > 0 or flaw.floor else ""
    than = ", as it cannot but be" if flaw.one_way else than
    words = f"{size} {_way(sign * difference)}{than}"
    if not SEEN.search(size):
        words = f"adds nothing over {flaw.floor}" if flaw.floor else "no different"
    if interval is None or not math.isfinite(interval["low"]):
        return words
    both_ways = interval["low"] < 0 < interval["high"]
    ends = sorted((sign * interval["low"], sign * interval["high"]), key=None if both_ways else abs)
    texts = [f"{abs(end):,.{decimal_places(difference)}f}" for end in ends]
    if both_ways:
        texts = [f"{text} {_way(end)}" for text, end in zip(texts, ends, strict=True)]
    return words if not any(map(SEEN.search, texts)) else f"{words} ({' to '.join(texts)})"


def _way(gain: float) -> str:
    return "better" if gain > 0 else "worse"
