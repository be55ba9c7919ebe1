"""Write what a chapter's page begins with: its reference runs on data of people, the real ones.

The page of a chapter is built on phantoms, which everybody can draw. Above it stands what the
runs that are kept with the book found on scans, from their own records, tables and figures.
"""

from __future__ import annotations

from pathlib import Path

from fetal_book.chapters.biometry_segmentation.report import COVERAGE
from fetal_book.chapters.tables import TITLES as METRIC_TITLES
from fetal_book.parameters.chapters import get_chapter
from fetal_book.runs.exhibits import index_of
from fetal_book.runs.record import RunRecord
from fetal_book.runs.stale import code_reasons
from fetal_book.site.claims import read_sources
from fetal_book.site.entries import Entry, read_entries
from fetal_book.site.first_page import STRIPS_FILE, Strip
from fetal_book.site.markdown import short, table
from fetal_book.site.results_page import split_table
from fetal_book.site.shown_runs import (
    ELSEWHERE,
    ShownRun,
    count_text,
    data_text,
    details_text,
    figure_text,
    shown_runs,
    table_rows,
    value_text,
)
from fetal_lib.data.catalogue import read_manifest
from fetal_lib.files.atomic import read_json, write_text

FOLDER = "reference"
TABLES = (
    "results", "measures", "four_ways", "growth_agreement", "by_trimester", "by_decade",
    "impaired", "resampled", "uneven",
    "source_protocol", "few", "within_source", "trained_filters", "search",
)  # fmt: skip
"""Tables of a run that a reader wants first."""
OPEN = ("results", "four_ways", "by_trimester", "by_decade", "impaired", "who_was_in")
"""Of these, those that are not folded, in the first run of a page."""
GALLERIES = {
    "heads": "heads of the test part",
    "cases": "scans of the test part",
    "scans": "scans of the test part",
    "external": "heads of another source",
    "subjects": "people of the test part",
}
"""Galleries of cases by the words of a page."""
PROMISED = {"03_biometry_segmentation": COVERAGE}
"""Coverage that intervals of a chapter promise by a constant of its code, not by a parameter."""
PARTS = ("train", "val", "test")
GROUP_NAMES = ("subject", "examination", "patient", "group")
RELEASED = "released.yml"
MOST_ROWS, SHOWN_ROWS = 30, 10
TO_ROOT = "../"


class Step(Entry):
    """Hold how many cases a release has: words, images and groups, None where it is not said."""

    words: str
    images: int | None = None
    groups: int | None = None


def write_reference_parts(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/reference/<chapter>.md`` for each chapter with a reference run."""
    book = root / "book"
    runs = [run for run in shown_runs(root, chapters) if run.kept]
    figures = chapter_figures(book)
    for chapter in dict.fromkeys(run.chapter for run in runs):
        own = [run for run in runs if run.chapter == chapter]
        parts = [run_part(run, figures.get(chapter, {}), run is own[0]) for run in own]
        text = "\n".join(parts)
        write_text(book / "generated" / FOLDER / f"{chapter}.md", text)


def chapter_figures(book: Path) -> dict[str, dict[str, str]]:
    """Return the figures that people see first of each chapter, each with what to see in it."""
    found: dict[str, dict[str, str]] = {}
    for strip in read_entries(book / STRIPS_FILE, list[Strip]):
        found[strip.chapter] = dict.fromkeys(strip.figures, "")
    for source in read_sources(book):
        known = found.setdefault(source.chapter, {})
        known |= {one.name: one.shows.strip() for one in source.figures if not one.of_phantoms}
    return found


def run_part(run: ShownRun, figures: dict[str, str], leads: bool = True) -> str:
    """Write one run: what it was, who was in it, its tables and figures of scans.

    Of the run that leads the page the first tables stand open, and figures say what to see.
    """
    parts = [f"### Learnt from {run.data_words}: run {run.name}\n", about(run)]
    own = run.group == "real"
    seen = figures if leads else dict.fromkeys(figures, "")  # what to see is said once
    shown = {name: see for name, see in seen.items() if own or name in ELSEWHERE}
    label = f"fig-reference-{run.number}-{run.name}".lower()
    parts += [figure_text(run, n, f"{label}-{n}", TO_ROOT, see) for n, see in shown.items()]
    if own:
        parts += [covered(run), *(exhibit(run, name, leads) for name in TABLES)]
        parts.append(flow_table(run, leads))
    cases = [name for name in index_of(run.folder / "galleries") if own or name in ELSEWHERE]
    parts += [gallery(run, name) for name in cases]
    return "\n".join(part for part in [*parts, elsewhere(run)] if part)


def gallery(run: ShownRun, name: str) -> str:
    """Write a gallery of right and wrong cases that a run kept, folded; its name is the run's."""
    html = (run.folder / "galleries" / f"{name}.html").read_text(encoding="utf-8")
    own = f'id="gallery-{run.number}-{run.name}-{name}"'
    html = html.replace(f'id="gallery-{name.replace("_", "-")}"', own, 1)
    title = f"Right and wrong cases: {GALLERIES.get(name, name.replace('_', ' '))}, run {run.name}"
    return f"`````{{dropdown}} {title}\n```{{raw}} html\n{html}```\n`````\n"


def covered(run: ShownRun) -> str:
    """Say how often the intervals of a run's models held; empty where it has none."""
    rows = [row for row in run.rows if (row["metric"], row["split"]) == ("coverage", "test")]
    told = [
        f"{row['model'].replace('_', ' ')} {value_text(row)}{details_text(row)}" for row in rows
    ]
    promised = run.setting("coverage") or PROMISED.get(run.chapter)
    promise = f", {promised} promised" if promised else ""
    words = f"Coverage, the share of cases inside their intervals{promise}: {'; '.join(told)}.\n"
    return words if told else ""


def elsewhere(run: ShownRun) -> str:
    """Write what the run scored on data that it did not learn from; empty where it did not."""
    rows = run.table[run.table["split"] == "external"]
    parts = []
    for _, group in rows.groupby("data", sort=True):
        data = data_text(group.iloc[0], run, mark="")
        caption = f"Scored on {data}, which it did not learn from: run {run.name}."
        parts.append(split_table(group, run.label, caption))
    return "\n".join(parts)


def about(run: ShownRun) -> str:
    """Say when and by which code a run was made, whether today's is another, and where it is."""
    record = RunRecord.model_validate(run.record)
    commit = f"code `{record.code['commit'][:10]}`" if record.code.get("commit") else "unknown code"
    older = code_reasons(get_chapter(run.chapter), record)
    mark = " **Made by older code**: `fetal-lib status` says what differs today." if older else ""
    files = " · ".join(
        f"{{download}}`{words} <{TO_ROOT}{run.place}/{name}>`"
        for words, name in (("record", "record.json"), ("results", "results.json"))
    )
    made = f"Profile `{run.profile}`, {commit}, {str(record.finished)[:10]}.{mark}"
    return f"{made} {run.link.partition(', which')[0]} has every number; {files}.{terms(run)}\n"


def terms(run: ShownRun) -> str:
    """Name the licences of the sets that a run read; pictures of them stand under the same."""
    asked = [run.setting(name) for name in ("also", "external_data")]
    named = [run.data, *(Path(one).name for one in asked if one)]
    files = [run.root / "data_manifests" / f"{name}.yml" for name in named]
    known = [read_manifest(path) for path in files if path.is_file()]
    told = "; ".join(f"`{one.name}` {one.licence}" for one in known)
    return f" Licence of the data, and of what is drawn from them: {told}." if told else ""


def flow_table(run: ShownRun, leads: bool = True) -> str:
    """Write who was in a run, from the release to its parts, by its own table or its split."""
    if told := exhibit(run, "who_was_in", leads):
        return told
    released = read_entries(run.root / "book" / RELEASED, dict[str, list[Step]]).get(run.data, [])
    lines = [[one.words, count_text(one.images), count_text(one.groups)] for one in released]
    rows = table_rows(run.folder, "split")
    group = next((name for name in GROUP_NAMES if not rows or name in rows[0]), "")
    if steps := table_rows(run.folder, "flow"):
        lines += [[cell or "–" for cell in row.values()] for row in steps]
    elif rows and "part" in rows[0]:
        named = {row["part"]: 0 for row in rows}
        order = [*(part for part in PARTS if part in named), *(set(named) - set(PARTS))]
        lines += [part_line(rows, part, group) for part in order]
        lines.append(part_line(rows, "", group))
    elif released:
        used = max((row["n"] for row in run.rows if row["split"] == "test"), default=0)
        lines.append(["scored in this run", "–", count_text(used)])
    titles = ["Step", "Images", f"{group or 'group'}s".capitalize()]
    return table(titles, lines, "Who was in.") if lines else ""


def part_line(rows: list[dict[str, str]], part: str, group: str) -> list[str]:
    """Count the images and groups of a part of a split; of all parts where it has no name."""
    own = [row for row in rows if part in ("", row["part"])]
    groups = str(len({row[group] for row in own})) if group else "–"
    return [part or "together", str(len(own)), groups]


def exhibit(run: ShownRun, name: str, leads: bool = True) -> str:
    """Write a table that a run kept, most folded; empty where it has none or it is long."""
    rows = table_rows(run.folder, name)
    if not rows or len(rows) > MOST_ROWS:
        return ""
    words = (read_json(run.folder / "tables" / "index.json") or {}).get(name, {})
    lines = [[short(value) for value in row.values()] for row in rows]
    heads = [METRIC_TITLES.get(name, name) for name in rows[0]]
    caption = words.get("caption", name).rstrip(".")
    written = table(heads, lines, f"{caption}: {run.data_words}, run {run.name}.")
    folded = f"````{{dropdown}} {caption}, {len(rows)} rows\n{written}````\n"
    return written if leads and name in OPEN and len(rows) <= SHOWN_ROWS else folded
