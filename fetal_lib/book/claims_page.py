"""Write the page that sets the sources' claims against the runs, and the leak ladder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fetal_lib.book.claims import NUMBER, Answer, Claim, Flaw, Source, answer_fields, read_sources
from fetal_lib.book.shown_data import GROUPS, PHANTOM
from fetal_lib.book.shown_runs import (
    ShownRun,
    captioned,
    data_text,
    details_text,
    figure_text,
    number_text,
    shown_runs,
    value_text,
)
from fetal_lib.files.atomic import write_text
from fetal_lib.runs.results import METRICS

MISSING = "no run yet"
SENTENCE = re.compile(r"(?<=[.]) (?=[A-Z])")
LINES = ("Source reported", "Its code or log showed", "Published best")
ALWAYS = ("real", PHANTOM)
CARRIED = {
    PHANTOM: "Ours, learnt from phantoms and scored on other data",
    "atlas": "Ours, learnt from blends of an atlas and scored on other data",
}


def write_claims(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/against_sources.md`` and ``book/generated/leak_ladder.md``."""
    sources = read_sources(root / "book")
    runs = shown_runs(root, chapters)
    by_chapter = {s.chapter: [run for run in runs if run.chapter == s.chapter] for s in sources}
    sections = [source_section(source, by_chapter[source.chapter]) for source in sources]
    generated = root / "book" / "generated"
    write_text(generated / "against_sources.md", "\n".join(sections) or "No source is listed.\n")
    write_text(generated / "leak_ladder.md", ladder(sources, by_chapter))


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


def filled(text: str, runs: list[ShownRun]) -> str:
    """Put the numbers of the runs into a text, each with its interval, data and run.

    A sentence whose numbers are all missing is left out.
    """
    kept = []
    for sentence in SENTENCE.split(text.strip()):
        texts = [_number(place, runs) for place in NUMBER.findall(sentence)]
        if any(texts) or not texts:
            written = iter(text or f"({MISSING})" for text in texts)
            kept.append(NUMBER.sub(lambda _, written=written: next(written), sentence))
    return " ".join(kept)


def _number(place: str, runs: list[ShownRun]) -> str:
    answer = Answer.model_validate(answer_fields(place))
    found = answered([answer], runs, "test")
    if not found:
        return ""
    row, run = found[0]
    details = details_text(row, data_text(row, run, mark=""), run.link)
    return f"**{value_text(row)}**{details}"


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
    lines = [f"| **{name}** | {cell} |" for name, cell in rows]
    table = captioned(f"{claim.measure}: reported and measured.", ["| | |", "|---|---|", *lines])
    return f"### {claim.measure}\n\n{table}"


def protocol_rows(
    name: str, answers: list[Answer], runs: list[ShownRun], split: str
) -> list[tuple[str, str]]:
    """Return a row for each group of data, with every number that answers."""
    found = answered(answers, runs, split)
    if not found:
        return [(name, MISSING)]
    rows = []
    for group, words in GROUPS.items():
        numbers = [number_text(row, run) for row, run in found if run.group_of(row) == group]
        if numbers or group in ALWAYS:
            rows.append((f"{name}, {words}", "<br>".join(numbers) or MISSING))
    return rows


def carried_rows(answers: list[Answer], runs: list[ShownRun]) -> list[tuple[str, str]]:
    """Return what models that learnt from made-up cases score on other data, a row a teacher."""
    models = [answer for answer in answers if not answer.split]
    rows = []
    for group, words in CARRIED.items():
        taught = [run for run in runs if run.group == group]
        found = answered(models, taught, "external")
        numbers = [number_text(row, run) for row, run in found if run.group_of(row) != PHANTOM]
        rows += [(words, "<br>".join(numbers))] if numbers else []
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
            rungs = [rung(flaw, run) for run in by_chapter[source.chapter]]
            lines = [f"| {' | '.join(cells)} |" for cells in rungs if cells is not None]
            if lines:
                words = METRICS[flaw.metric].description
                head = f"## {flaw.flaw} (source {source.source})\n\nMeasured: {words}.\n"
                titles = [
                    "| Data | n | With | Without | The flaw makes it |",
                    "|---|---|---|---|---|",
                ]
                table = captioned(f"{flaw.flaw}: scores with it and without.", [*titles, *lines])
                parts.append(f"{head}\n{table}")
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
                runs = [run for run in by_chapter[source.chapter] if run.group == group]
                cells = next(filter(None, (rung(flaw, run) for run in runs)), None)
                if cells is not None:
                    data, n, *numbers = cells
                    name = f"{source.source}: {flaw.flaw}"
                    lines.append(f"| {' | '.join([name, *numbers, f'{data}, n {n}'])} |")
        if lines:
            titles = ["| Flaw | With | Without | The flaw makes it | Data |", "|---" * 5 + "|"]
            table = captioned(f"Every flaw by one run, {kind}.", [*titles, *lines])
            parts.append(f"## All flaws, {kind}\n\n{table}")
    return parts


def rung(flaw: Flaw, run: ShownRun) -> list[str] | None:
    """Return data, n, both values and their difference; None where the run has not both."""
    flawed = run.find(flaw.flawed, flaw.metric, flaw.flawed_split)
    honest = run.find(flaw.honest, flaw.metric, flaw.honest_split)
    if flawed is None or honest is None:
        return None
    metric = METRICS[flaw.metric]
    gain = flawed["value"] - honest["value"]
    better = gain > 0 if metric.higher_is_better else gain < 0
    size = value_text({"value": abs(gain), "unit": metric.unit})
    than = f" than {flaw.floor or 'it is'}" if better or flaw.floor else ""
    words = f"{size} {'better' if better else 'worse'}{than}" if gain else "no different"
    counts = sorted({int(row["n"]) for row in (flawed, honest) if row["n"] == row["n"]})
    n = " and ".join(map(str, counts))
    both = [f"{value_text(row)}{details_text(row | {'n': None})}" for row in (flawed, honest)]
    both[1] += f", {flaw.floor}" if flaw.floor else ""
    return [f"{data_text(flawed, run)}, {run.link}", n, *both, words]
