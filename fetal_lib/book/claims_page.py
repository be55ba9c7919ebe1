"""Write the page that sets the sources' claims against the runs, and the leak ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fetal_lib.book.claims import Answer, Claim, Flaw, Source, read_sources
from fetal_lib.book.results_page import interval_text, run_folders, value_text
from fetal_lib.files.atomic import read_json, write_text
from fetal_lib.runs.results import METRICS, results_table

MISSING = "no run yet"
COLUMNS = (
    "Measure",
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
    """Write a source's heading, verdict and table."""
    number = source.chapter.partition("_")[0]
    lines = [
        f"## Source {source.source}: {source.title}\n",
        f"{source.verdict.strip()}\n",
        f"Chapter {number}." if runs else f"Chapter {number} has no run in this book yet.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|" + "---|" * len(COLUMNS),
    ]
    lines += [f"| {' | '.join(claim_cells(claim, runs))} |" for claim in source.claims]
    return "\n".join(lines) + "\n"


def claim_cells(claim: Claim, runs: list[Run]) -> list[str]:
    """Return the cells of one claim; a cell has a line for every run that answers."""
    text = [claim.measure, claim.reported, claim.found, claim.published]
    return [
        *text,
        answers_text(claim.ours, runs, "test") or MISSING,
        answers_text(claim.protocol, runs, "protocol") or ("–" if not claim.protocol else MISSING),
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
    """Write the table of flaws: what each adds to the score on the same data."""
    lines = [
        "| Source | Flaw | Data | With the flaw | Without | The flaw makes it | Run |",
        "|---|---|---|---|---|---|---|",
    ]
    empty = len(lines)
    for source in sources:
        for flaw in source.flaws:
            for run in by_chapter[source.chapter]:
                cells = rung(flaw, run)
                if cells is not None:
                    lines.append(f"| {' | '.join([source.source, flaw.flaw, *cells])} |")
    if len(lines) == empty:
        return "No run in this book re-enacts a flaw yet.\n"
    return "\n".join(lines) + "\n"


def rung(flaw: Flaw, run: Run) -> list[str] | None:
    """Return data, both values, their difference and the run; None where the run has not both."""
    flawed = run.find(flaw.flawed, flaw.metric, flaw.flawed_split)
    honest = run.find(flaw.honest, flaw.metric, flaw.honest_split)
    if flawed is None or honest is None:
        return None
    metric = METRICS[flaw.metric]
    gain = flawed["value"] - honest["value"]
    better = gain > 0 if metric.higher_is_better else gain < 0
    words = "better than it is" if better else "worse"
    size = value_text({"value": abs(gain), "unit": metric.unit})
    data = "phantoms" if run.phantom else f"**{flawed['data']}**"
    return [data, _cell(flawed), _cell(honest), f"{size} {words}", run.link]


def _cell(row: dict[str, Any]) -> str:
    return f"`{row['metric']}` {value_text(row)}, n {int(row['n'])}"
