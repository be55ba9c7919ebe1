"""Write the page that sets the sources' claims against the runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fetal_book.site.claims import NUMBER, Answer, Claim, Source, answer_fields, read_sources
from fetal_book.site.ladder import write_ladder
from fetal_book.site.markdown import table
from fetal_book.site.shown_runs import (
    GROUPS,
    ShownRun,
    data_text,
    details_text,
    figure_text,
    number_text,
    shown_runs,
    value_text,
)
from fetal_lib.data.kinds import PHANTOM
from fetal_lib.files.atomic import write_text

MISSING = "no run yet"
SENTENCE = re.compile(r"(?<=[.]) (?=[A-Z])")
LINES = ("Source reported", "Its code or log showed", "Published best")
Found = tuple[dict[str, Any], ShownRun]
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
    write_ladder(generated, sources, by_chapter)


def source_section(source: Source, runs: list[ShownRun]) -> str:
    """Write a source: what it claims, what holds and why, figures, folded a table a claim."""
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
    tables = "\n".join(claim_table(claim, runs) for claim in source.claims)
    counted = f"{len(source.claims)} table" + "s" * (len(source.claims) > 1)
    folded = f"````{{dropdown}} Claim by claim, reported and measured: {counted}\n{tables}````\n"
    return "\n".join([*parts, folded])


def filled(text: str, runs: list[ShownRun], told: Callable[[Found], str] | None = None) -> str:
    """Put the numbers of the runs into a text, each with its interval and a way to its run.

    Each is written by ``told`` where that is given; else count, data and run stand beside it, or
    once after a sentence whose numbers share them.

    A sentence compares: its numbers are of the first run that has them all, where there is one. A
    sentence whose numbers are all missing is left out.
    """
    sentences = (sentence_text(one, runs, told) for one in SENTENCE.split(text.strip()))
    return " ".join(one for one in sentences if one)


def sentence_text(
    sentence: str, runs: list[ShownRun], told: Callable[[Found], str] | None = None
) -> str:
    """Fill one sentence; what all its numbers share is said once, after it."""
    answers = [Answer.model_validate(answer_fields(place)) for place in NUMBER.findall(sentence)]
    whole = ([first(answer, [run]) for answer in answers] for run in runs)
    found = next((one for one in whole if all(one)), [first(answer, runs) for answer in answers])
    if answers and not any(found):
        return ""
    shared = "" if told else shared_text(found)
    write = told or (linked_number if shared else told_number)
    written = iter([write(one) if one else f"({MISSING})" for one in found])
    return " ".join(filter(None, [NUMBER.sub(lambda _: next(written), sentence), shared]))


def first(answer: Answer, runs: list[ShownRun]) -> Found | None:
    """Return the row of the first run that answers, with the run."""
    rows = ((run.find(answer.model, answer.metric, answer.split or "test"), run) for run in runs)
    return next(((row, run) for row, run in rows if row is not None), None)


def shared_text(found: list[Found | None]) -> str:
    """Name data, count and run of several numbers that share them; empty where they do not."""
    if len(found) < 2 or not all(found):
        return ""
    kinds = {(data_text(row, run, mark=""), row["n"], run.link) for row, run in found}
    if len(kinds) > 1:
        return ""
    data, n, link = kinds.pop()
    counted = f", n {int(n):,}" if n is not None and n == n else ""
    return f"({'Both' if len(found) == 2 else 'All'} on {data}{counted}, {link}.)"


def told_number(found: Found) -> str:
    """Write a number with its interval, count, data and run."""
    row, run = found
    details = details_text(row, data_text(row, run, mark=""), run.link)
    return f"**{value_text(row)}**{details}"


def linked_number(found: Found) -> str:
    """Write a number that leads to its run, with its interval."""
    row, run = found
    return f"{{ref}}`{value_text(row)} <{run.label}>`{details_text(row | {'n': None})}"


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
    return table(["", ""], [(f"**{name}**", cell) for name, cell in rows], caption)


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


def numbers_text(found: list[Found]) -> str:
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


def answered(answers: list[Answer], runs: list[ShownRun], split: str) -> list[Found]:
    """Return the rows that answer, with their runs, in the order of the runs."""
    found = [
        (run.find(answer.model, answer.metric, answer.split or split), run)
        for run in runs
        for answer in answers
    ]
    return [(row, run) for row, run in found if row is not None]
