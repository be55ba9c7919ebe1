"""Write the page that sets the sources' claims against the runs, and the leak ladder."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from fetal_book.runs.results import METRICS
from fetal_book.site.claims import Answer, Claim, Flaw, Source, read_sources
from fetal_book.site.claims_text import MISSING, filled
from fetal_book.site.ladder_picture import first_run, scores, write_ladder_picture
from fetal_book.site.markdown import table
from fetal_book.site.shown_data import GROUPS
from fetal_book.site.shown_runs import (
    ShownRun,
    data_text,
    decimal_places,
    details_text,
    figure_text,
    number_text,
    shown_runs,
    value_text,
)
from fetal_lib.data.kinds import PHANTOM
from fetal_lib.files.atomic import write_text

SEEN = re.compile(r"[1-9]")
"""A difference that shows in the digits that are printed."""
LINES = ("Source reported", "Its code or log showed", "Published best")
ALWAYS = ("real", PHANTOM)
CARRIED = {
    PHANTOM: "Ours, learnt from phantoms and scored on other data",
    "atlas": "Ours, learnt from blends of an atlas and scored on other data",
}


def write_claims(root: Path, chapters: list[str]) -> None:
    """Write the two pages' texts, and the ladder's picture, to ``book/generated``."""
    sources = read_sources(root / "book")
    runs = shown_runs(root, chapters)
    by_chapter = {s.chapter: [run for run in runs if run.chapter == s.chapter] for s in sources}
    sections = [source_section(source, by_chapter[source.chapter]) for source in sources]
    generated = root / "book" / "generated"
    write_text(generated / "against_sources.md", "\n".join(sections) or "No source is listed.\n")
    picture = write_ladder_picture(generated, sources, by_chapter)
    write_text(generated / "leak_ladder.md", f"{picture}\n{ladder(sources, by_chapter)}")


def source_section(source: Source, runs: list[ShownRun]) -> str:
    """Write a source: what it claims, what holds and why, figures, a table for each claim."""
    number = source.chapter.partition("_")[0]
    texts = {
        "What it claims": source.claimed,
        "What holds": source.holds,
        "Why they differ": source.differs,
    }
    parts = [f"## Source {source.source}: {source.title}\n"]
    parts += [f"{name}\n: {filled(text, runs)}\n" for name, text in texts.items()]
    if not runs:
        parts.append(f"Chapter {number} has no run in this book yet.\n")
    parts += figures(source, runs)
    return "\n".join([*parts, *(claim_table(claim, runs) for claim in source.claims)])


def figures(source: Source, runs: list[ShownRun]) -> list[str]:
    """Write a chapter's figures for who only looks, of real data where a run has them.

    One that stands in for another is written where the first run, which is of real data if any is,
    lacks the other. Pictures of single cases are of phantoms.
    """
    texts = []
    for picture in source.figures:
        if picture.instead_of and (not runs or runs[0].has_figure(picture.instead_of)):
            continue
        able = [run for run in runs if run.phantom or not picture.of_phantoms]
        run = next((run for run in able if run.has_figure(picture.name)), None)
        if run is not None:
            label = f"fig-source-{source.source}-{picture.name.replace('_', '-')}"
            texts.append(figure_text(run, picture.name, label, more=picture.shows))
    return texts


def claim_table(claim: Claim, runs: list[ShownRun]) -> str:
    """Write one claim as a table of two columns, which a phone can show."""
    rows = list(zip(LINES, (claim.reported, claim.found, claim.published), strict=True))
    rows += protocol_rows("Ours, honest protocol", claim.ours, runs, "test")
    rows += carried_rows(claim.ours, runs)
    if claim.protocol:
        rows += protocol_rows("Ours, the source's protocol", claim.protocol, runs, "protocol")
    caption = f"{claim.measure}: reported and measured."
    written = table(["", ""], [(f"**{name}**", cell) for name, cell in rows], caption)
    return f"### {claim.measure}\n\n{written}"


def protocol_rows(
    name: str, answers: list[Answer], runs: list[ShownRun], split: str
) -> list[tuple[str, str]]:
    """Return a row for each group of data, with every number that answers."""
    found = answered(answers, runs, split)
    if not found:
        return [(name, MISSING)]
    rows = []
    for group, words in GROUPS.items():
        numbers = [(row, run) for row, run in found if run.group_of(row) == group]
        if numbers or group in ALWAYS:
            rows.append((f"{name}, {words}", numbers_text(numbers) or MISSING))
    return rows


def numbers_text(found: list[tuple[dict[str, Any], ShownRun]]) -> str:
    """Write results line by line; the same number of several runs once, with all of them."""
    links: dict[str, list[str]] = {}
    for row, run in found:
        links.setdefault(number_text(row, run), []).append(run.link)
    return "<br>".join(f"{text}, {' and '.join(runs)}" for text, runs in links.items())


def carried_rows(answers: list[Answer], runs: list[ShownRun]) -> list[tuple[str, str]]:
    """Return what models that learnt from made-up cases score on other data, a row a teacher."""
    models = [answer for answer in answers if not answer.split]
    rows = []
    for group, words in CARRIED.items():
        taught = [run for run in runs if run.group == group]
        found = answered(models, taught, "external")
        numbers = [(row, run) for row, run in found if run.group_of(row) != PHANTOM]
        rows += [(words, numbers_text(numbers))] if numbers else []
    return rows


def answered(
    answers: list[Answer], runs: list[ShownRun], split: str
) -> list[tuple[dict[str, Any], ShownRun]]:
    """Return the rows that answer, with their runs, in the order of the runs."""
    found = [
        (run.find(answer.model, answer.metric, answer.split or split), run)
        for run in runs
        for answer in answers
    ]
    return [(row, run) for row, run in found if row is not None]


def ladder(sources: list[Source], by_chapter: dict[str, list[ShownRun]]) -> str:
    """Write, for each flaw, what it adds to the score on the data of every run that shows it."""
    parts = []
    for source in sources:
        for flaw in source.flaws:
            lines = rungs(flaw, by_chapter[source.chapter])
            if lines:
                words = METRICS[flaw.metric].description
                head = f"## {flaw.flaw} (source {source.source})\n\nMeasured: {words}.\n"
                titles = ["Data", "n", "With", "Without", "The flaw makes it"]
                caption = f"{flaw.flaw}: scores with it and without."
                parts.append(f"{head}\n{table(titles, lines, caption)}")
    if not parts:
        return "No run in this book re-enacts a flaw yet.\n"
    return "\n".join([*side_by_side(sources, by_chapter), *parts])


def side_by_side(sources: list[Source], by_chapter: dict[str, list[ShownRun]]) -> list[str]:
    """Write a table of all flaws for each group of data, each flaw by its first run."""
    parts = []
    for group, kind in GROUPS.items():
        lines = []
        for source in sources:
            for flaw in source.flaws:
                run = first_run(flaw, by_chapter[source.chapter], group)
                if run is not None:
                    data, n, *both, words = rung(flaw, run)
                    name = f"{source.source}: {flaw.flaw}"
                    lines.append([name, words, *both, f"{data}, {run.link}, n {n}"])
        if lines:
            titles = ["Flaw", "The flaw makes it", "With", "Without", "Data"]
            written = table(titles, lines, f"Every flaw by one run, {kind}.")
            parts.append(f"## All flaws, {kind}\n\n{written}")
    return parts


def rungs(flaw: Flaw, runs: list[ShownRun]) -> list[list[str]]:
    """Write a row for each run that has a flaw; runs with the same numbers share one."""
    links: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        cells = rung(flaw, run)
        if cells is not None:
            links.setdefault(tuple(cells), []).append(run.link)
    return [
        [f"{data}, {' and '.join(names)}", *numbers] for (data, *numbers), names in links.items()
    ]


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
    """
    metric = METRICS[flaw.metric]
    sign = 1 if metric.higher_is_better else -1
    size = value_text({"value": abs(difference), "unit": metric.unit})
    than = f" than {flaw.floor or 'it is'}" if sign * difference > 0 or flaw.floor else ""
    words = f"{size} {_way(sign * difference)}{than}"
    if not SEEN.search(size):
        words = "no different"
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
