"""What a build of the book would do, and why; nothing is changed by asking."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterable
from pathlib import Path

from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.runs.data_sets import chapter_data
from fetal_book.runs.stale import finished_run
from fetal_book.runs.status import reasons_text
from fetal_book.runs.text_only import reasons_to_run
from fetal_book.site.jobs import (
    book_chapters,
    chapter_inputs,
    marker_is_true,
    marker_path,
    run_folder,
    site_is_whole,
    site_sources,
)
from fetal_lib.errors import UserError

Row = tuple[str, str, str]
STANDS = "stands"
SAME = "nothing that they rest on differs, the text is renewed"


def build_plan(root: Path, command: list[str], profile: str, data: str) -> list[Row]:
    """Return what would be done for each chapter and then for the site: name, what, why.

    Parameters
    ----------
    root : the project.
    command : that would build the book, as `snakemake_command` composes it; Snakemake is asked
        which files it would make again.
    profile, data : of the order.
    """
    pending = pending_files(root, command)
    rows = [
        chapter_plan(root, chapter, profile, chapter_data(chapter, data), pending)
        for chapter in book_chapters(root)
    ]
    return [*rows, site_plan(root, rows, pending)]


def pending_files(root: Path, command: list[str]) -> set[str]:
    """Return the files that Snakemake would make again, relative to the root."""
    words = [*command, "look=True", "--summary"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"book build --dry-run: Snakemake cannot tell:\n{done.stderr.strip()}")
    table = csv.DictReader(done.stdout.splitlines(), delimiter="\t")
    return {row["output_file"] for row in table if row["plan"] == "update pending"}


def chapter_plan(root: Path, chapter: str, profile: str, data: str, pending: set[str]) -> Row:
    """Return whether a chapter would run, keep its outputs under a new text, or stand."""
    marker = marker_path(root, chapter)
    true = marker_is_true(root, chapter, profile, data)
    if true and marker.relative_to(root).as_posix() not in pending:
        return chapter, STANDS, ""
    known, folder = get_chapter(chapter), run_folder(root, chapter)
    resolved = resolve_parameters(known, profile, {"data": data})
    if reasons := reasons_to_run(known, resolved, folder):
        record = finished_run(folder)
        took = f" (the last run took {record.wall_s:.0f} s)" if record and record.wall_s else ""
        return chapter, "runs", reasons_text(reasons) + took
    changed = _newer(root, chapter_inputs(root, chapter), marker)
    return chapter, "keeps its outputs", "; ".join(filter(None, [SAME, changed]))


def site_plan(root: Path, rows: list[Row], pending: set[str]) -> Row:
    """Return whether the site would be built, and what changed below it."""
    reasons = [f"chapter {name[:2]}" for name, what, _ in rows if what != STANDS]
    marker = root / "book" / "_build" / "site.json"
    if not reasons and site_is_whole(root) and not pending:
        return "site", STANDS, ""
    if not marker.exists():
        reasons.insert(0, "no site yet")
    elif changed := _newer(root, site_sources(root), marker):
        reasons.append(changed)
    return "site", "is built", reasons_text(reasons) or ", ".join(sorted(pending)[:3])


def _newer(root: Path, files: Iterable[str], marker: Path) -> str:
    """Name the files that changed after a marker was written."""
    since = marker.stat().st_mtime if marker.exists() else 0.0
    newer = [name for name in files if (root / name).stat().st_mtime > since] if since else []
    return reasons_text([f"changed: {', '.join(newer)}"]) if newer else ""
