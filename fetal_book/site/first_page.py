"""Write the strips of the first page: of each chapter a picture, a number, a sentence, links."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fetal_book.runs.results import METRICS
from fetal_book.site.claims import Answer, Flaw, Source, read_sources
from fetal_book.site.claims_page import filled, first, linked_number
from fetal_book.site.entries import Entry, read_entries
from fetal_book.site.ladder import change_text
from fetal_book.site.ladder_picture import first_run, scores, write_rung_picture
from fetal_book.site.shown_runs import (
    ShownRun,
    data_text,
    interval_text,
    shown_runs,
    value_text,
)
from fetal_lib.files.atomic import read_json, write_text

STRIPS_FILE = "first_page.yml"
QUALITY = 82
"""Of a picture's copy, of 100."""
NO_RUN = "No run in this book has this number yet."
RUNG_ALT = "The score with the flaw and without it, with their intervals, on one axis."


class Strip(Entry):
    """Hold what a person says of a chapter on the first page.

    Attributes
    ----------
    number, measures : row of a run's results, and what it measures in words.
    said : what the source says, after "Source 003 says".
    holds : what holds on real scans, after these words; its places ``[[model metric]]`` are filled
        with numbers of runs.
    figures : of a run, the first that it has is shown.
    phantoms : picture of phantoms where no run has a figure.
    credit : whose pictures they are.
    links : words to the page where a reader can try it.
    """

    chapter: str
    number: Answer
    measures: str
    said: str
    holds: str
    figures: list[str] = Field(min_length=1)
    phantoms: str = ""
    credit: str
    links: dict[str, str] = Field(alias="try")


def write_first_page(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/first_page.md``, with the picture of the strongest rung."""
    book = root / "book"
    runs = shown_runs(root, chapters)
    strips = read_entries(book / STRIPS_FILE, list[Strip])
    plan = {one["name"]: one["title"] for one in read_entries(book / "chapters.yml", list[dict])}
    sources = read_sources(book)
    names = {one.chapter: f"Source {one.source}" for one in sources}
    parts = [
        strip_text(book, strip, plan, names, runs, strip.chapter in chapters) for strip in strips
    ]
    parts.append(rung_text(book / "generated", sources, runs))
    write_text(book / "generated" / "first_page.md", "\n".join(filter(None, parts)) or "\n")


def strip_text(
    book: Path,
    strip: Strip,
    titles: dict[str, str],
    sources: dict[str, str],
    runs: list[ShownRun],
    has_page: bool,
) -> str:
    """Write the strip of a chapter; without a picture its text stands alone.

    ``titles`` and ``sources`` are names of chapters and of their sources.
    """
    own = [run for run in runs if run.chapter == strip.chapter]
    number, page = strip.chapter[:2], f"notebooks/{strip.chapter}.ipynb"
    links = {"Read": page} if has_page else {}
    links |= {"Run it": "howto/rerun.md"} | strip.links
    texts = [
        f"**{number} · {titles.get(strip.chapter, strip.chapter)}**",
        number_text(strip, own),
        f"**{sources.get(strip.chapter, 'The source')} says** {strip.said.strip()}",
        f"**On real scans** {filled(strip.holds, own, told=linked_number)}",
        " · ".join(f"[{words}]({to})" for words, to in links.items()),
    ]
    return grid(picture(book, strip, own), "\n\n".join(texts), strip.credit)


def number_text(strip: Strip, runs: list[ShownRun]) -> str:
    """Write the number with its interval, count and data, and a way to its run."""
    found = first(strip.number, runs)
    if found is None:
        return NO_RUN
    row, run = found
    interval = interval_text(row)
    details = [] if interval == "–" else [f"95 % interval {interval}"]
    details += [f"n {int(row['n']):,}"] if row["n"] == row["n"] else []
    details += [data_text(row, run), run.link]
    return f"[{value_text(row)}]{{.big}} {strip.measures} ({', '.join(details)})."


def picture(book: Path, strip: Strip, runs: list[ShownRun]) -> str:
    """Return the image of the first run that has one of the figures, else of phantoms."""
    for run in runs:
        name = next((one for one in strip.figures if run.has_figure(one)), None)
        if name:
            words = read_json(run.folder / "figures" / "index.json")[name]
            return light_image(book, run.folder / "figures" / f"{name}.png", strip, words["alt"])
    drawn = book / "generated" / "phantoms" / f"{strip.phantoms}.png"
    return light_image(book, drawn, strip, strip.credit) if drawn.is_file() else ""


def light_image(book: Path, path: Path, strip: Strip, alt: str) -> str:
    """Write an image from a copy in fewer bytes: the first page is opened on phones."""
    from PIL import Image

    copy = book / "generated" / "first_page" / f"{strip.chapter[:2]}.webp"
    copy.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as picture:
        picture.convert("RGB").save(copy, quality=QUALITY)
    return image(copy.relative_to(book).as_posix(), alt)


def image(path: str, alt: str) -> str:
    """Write an image with its words."""
    return f"```{{image}} {path}\n:alt: {alt}\n```"


def grid(shown: str, text: str, credit: str) -> str:
    """Set a picture beside a text, above it on a phone."""
    if not shown:
        return f"{text}\n"
    halves = (6, f"{shown}\n\n[{credit}]{{.credit}}"), (6, text)
    cells = [f"::::{{grid-item}}\n:columns: 12 12 {n} {n}\n\n{one}\n::::" for n, one in halves]
    return "\n".join(
        [":::::{grid}", ":gutter: 3", ":class-container: strip", "", *cells, ":::::\n"]
    )


def rung_text(folder: Path, sources: list[Source], runs: list[ShownRun]) -> str:
    """Write the strip of the flaw that changes its error most on real data; empty without one."""
    found = strongest(sources, runs)
    if found is None:
        return ""
    source, flaw, run = found
    with_it, without = scores(flaw, run) or ({}, {})
    path = write_rung_picture(folder, flaw, run)
    change = run.differences.get((flaw.flawed, flaw.honest, flaw.metric))
    size, _, interval = change_text(flaw, with_it["value"] - without["value"], change).partition(
        " ("
    )
    text = "\n\n".join(
        [
            "**The leak ladder: what a flaw does to a score**",
            f"[{size}]{{.big}} by one flaw of source {source.source}, {flaw.flaw.lower()} (95 % "
            f"interval {interval.rstrip(')')}; {value_text(with_it)} with the flaw, "
            f"{value_text(without)} without it; {data_text(with_it, run)}, {run.link}).",
            "Each flaw is re-enacted beside the honest protocol on the same data. "
            "Some flatter a score, some spoil it; this one moves its error most on real data.",
            "[All rungs](leak_ladder.md) · [Source by source](against_sources.md) · "
            "[On other sets](external.md)",
        ]
    )
    return grid(image(f"generated/{path.name}", RUNG_ALT), text, f"Drawn from {run.link}")


def strongest(sources: list[Source], runs: list[ShownRun]) -> tuple[Source, Flaw, ShownRun] | None:
    """Return the flaw whose two errors differ most, as a ratio, among those beyond chance.

    Scores whose higher value is better are left out, and so is what has no honest score: a ratio
    means nothing there.
    """
    found = []
    for source in sources:
        own = [run for run in runs if run.chapter == source.chapter]
        for flaw in source.flaws:
            run = first_run(flaw, own, "real")
            if run is None or flaw.floor or flaw.note:
                continue
            flawed, honest = (row["value"] for row in scores(flaw, run) or ())
            change = run.differences.get((flaw.flawed, flaw.honest, flaw.metric))
            certain = change is not None and (change["low"] > 0 or change["high"] < 0)
            lower_is_better = METRICS[flaw.metric].higher_is_better is False
            if certain and lower_is_better and min(flawed, honest) > 0:
                ratio = max(flawed, honest) / min(flawed, honest)
                found.append((ratio, source, flaw, run))
    return max(found, key=lambda one: one[0])[1:] if found else None
