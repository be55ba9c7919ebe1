"""Write the page that sets the sources' claims against the runs, and the leak ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fetal_lib.book.claims import Answer, Claim, Flaw, Source, read_sources
from fetal_lib.book.results_page import interval_text, run_folders, value_text
from fetal_lib.files.atomic import read_json, write_text
from fetal_lib.runs.results import METRICS, results_table

MISSING = "no run yet"
LINES = (
    "Source reported",
    "Its code or log showed",
    "Published best",
    "Ours, honest protocol",
    "Ours, the source's protocol",
)


def write_claims(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/against_sources.md`` and ``book/generated/leak_ladder.md``."""
    sources = read_sources(root / "book")
    runs = [Run(root, folder) for folder in run_folders(root, chapters)]
    runs.sort(key=lambda run: run.phantom)
    by_chapter = {s.chapter: [run for run in runs if run.chapter == s.chapter] for s in sources}
    sections = [source_section(source, by_chapter[source.chapter]) for source in sources]
    generated = root / "book" / "generated"
    write_text(generated / "against_sources.md", "\n".join(sections) or "No source is listed.\n")
    write_text(generated / "leak_ladder.md", ladder(sources, by_chapter))


class Run:
    """Hold the rows of one run, its data and where its record is on the site.

    Parameters
    ----------
    root : Path
        The project.
    folder : Path
        Of a finished run: one that a page shows, or a published one.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        record = read_json(folder / "record.json") or {}
        self.chapter: str = record.get("chapter", "")
        self.phantom = record.get("data") == "phantom"
        self.rows: list[dict[str, Any]] = results_table([folder]).to_dict("records")
        published = root / "book" / "published"
        inside = folder.is_relative_to(published)
        place = folder.relative_to(root / "book").as_posix() if inside else f"runs/{self.chapter}"
        self.link = f"{{download}}`run <{place}/record.json>`"

    def find(self, model: str, metric: str, split: str) -> dict[str, Any] | None:
        """Return the row of a model, metric and split, None where the run has none."""
        wanted = {"model": model, "metric": metric, "split": split}
        return next((r for r in self.rows if all(r[k] == v for k, v in wanted.items())), None)


def source_section(source: Source, runs: list[Run]) -> str:
    """Write a source's heading and verdict, and a table for each of its claims."""
    number = source.chapter.partition("_")[0]
    missing = "" if runs else f" Chapter {number} has no run in this book yet."
    parts = [f"## Source {source.source}: {source.title}\n", f"{source.verdict.strip()}{missing}\n"]
    return "\n".join([*parts, *(claim_table(claim, runs) for claim in source.claims)])


def claim_table(claim: Claim, runs: list[Run]) -> str:
    """Write one claim as a table of two columns, which a phone can show."""
    lines = [f"### {claim.measure}\n", "| | |", "|---|---|"]
    pairs = zip(LINES, claim_cells(claim, runs), strict=True)
    return "\n".join([*lines, *(f"| **{name}** | {cell} |" for name, cell in pairs)]) + "\n"


def claim_cells(claim: Claim, runs: list[Run]) -> list[str]:
    """Return what stands beside each of `LINES`; ours have a line for every run that answers."""
    return [
        claim.reported,
        claim.found,
        claim.published,
        answers_text(claim.ours, runs, "test") or MISSING,
        answers_text(claim.protocol, runs, "protocol") or (MISSING if claim.protocol else "–"),
    ]


def answers_text(answers: list[Answer], runs: list[Run], split: str) -> str:
    """Write every number that answers, patients before phantoms, each with n, interval and run."""
    lines = []
    for run in runs:
        for answer in answers:
            row = run.find(answer.model, answer.metric, answer.split or split)
            if row is not None:
                lines.append(number_text(row, run))
    return "<br>".join(lines)


def number_text(row: dict[str, Any], run: Run) -> str:
    """Write one number: data, metric, model, value, interval, n, link to its run.

    Notes
    -----
    Phantoms are named as such in every cell, so that no reader takes them for patients.
    """
    data = "phantoms" if run.phantom else f"**{row['data']}**"
    interval = interval_text(row)
    details = [] if interval == "–" else [interval]
    if row["n"] == row["n"] and row["n"] is not None:
        details.append(f"n {int(row['n'])}")
    extra = f" ({', '.join(details)})" if details else ""
    model = row["model"].replace("_", " ")
    return f"{data}: {model}, `{row['metric']}` {value_text(row)}{extra}, {run.link}"


def ladder(sources: list[Source], by_chapter: dict[str, list[Run]]) -> str:
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
                parts.append("\n".join([head, *titles, *lines]) + "\n")
    return "\n".join(parts) or "No run in this book re-enacts a flaw yet.\n"


def rung(flaw: Flaw, run: Run) -> list[str] | None:
    """Return data, n, both values and their difference; None where the run has not both."""
    flawed = run.find(flaw.flawed, flaw.metric, flaw.flawed_split)
    honest = run.find(flaw.honest, flaw.metric, flaw.honest_split)
    if flawed is None or honest is None:
        return None
    metric = METRICS[flaw.metric]
    gain = flawed["value"] - honest["value"]
    better = gain > 0 if metric.higher_is_better else gain < 0
    size = value_text({"value": abs(gain), "unit": metric.unit})
    words = f"{size} {'better than it is' if better else 'worse'}" if gain else "no different"
    data = "phantoms" if run.phantom else f"**{flawed['data']}**"
    counts = sorted({int(row["n"]) for row in (flawed, honest) if row["n"] == row["n"]})
    n = " and ".join(map(str, counts))
    return [f"{data}, {run.link}", n, value_text(flawed), value_text(honest), words]
