"""Say what stands against a release of the site that is built: each reason with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.runs.record import RECORD_FILE, RecordError, ended_ok
from fetal_book.runs.stale import stale_reasons
from fetal_book.site.checks import notebook_errors
from fetal_book.site.jobs import book_chapters, run_folder, site_sources
from fetal_book.site.site import built_problems
from fetal_lib.files.atomic import read_json
from fetal_lib.files.fingerprint import file_sha256

BUILD = "run `make book`"


def release_problems(root: Path, code: dict[str, Any], allow_dirty: bool = False) -> list[str]:
    """List what stands against a release."""
    built = root / "book" / "_build"
    note = read_json(built / "site.json")
    if not note or not (built / "html" / "index.html").is_file():
        return [f"book/_build/html holds no site; {BUILD}"]
    problems = [] if allow_dirty else tree_problems(code)
    for chapter in book_chapters(root):
        problems += chapter_problems(root, chapter, note["pages"])
    problems += source_problems(root) + notebook_errors(root / "book" / "notebooks")
    return problems + built_problems(root)


def tree_problems(code: dict[str, Any]) -> list[str]:
    """Say whether the commit alone tells what is released.

    Examples
    --------
    >>> tree_problems({"commit": "0f3c", "dirty": False})
    []
    """
    if code["commit"] is None:
        return ["the project is under no version control; clone it, or allow this with --dirty"]
    if code["dirty"]:
        return [f"files differ from commit {code['commit'][:10]}; commit them, or pass --dirty"]
    return []


def chapter_problems(root: Path, chapter: str, pages: list[str]) -> list[str]:
    """Say whether the page of a chapter shows a finished run that still stands."""
    folder = run_folder(root, chapter)
    try:
        record = ended_ok(folder)
    except RecordError as error:
        return [f"{chapter}: {error}; {BUILD}"]
    reasons = stale_reasons(CHAPTERS[chapter], record)
    problems = [f"{chapter}: its run is stale ({'; '.join(reasons)}); {BUILD}"] if reasons else []
    staged = root / "book" / "runs" / chapter / RECORD_FILE
    if f"notebooks/{chapter}.html" not in pages:
        problems.append(f"{chapter}: the site has no page of it; {BUILD}")
    elif not staged.is_file() or file_sha256(staged) != file_sha256(folder / RECORD_FILE):
        problems.append(f"{chapter}: its page shows another run than the last one; {BUILD}")
    return problems


def source_problems(root: Path) -> list[str]:
    """Say which sources of the site are newer than it: pages, styles, staged chapters, tables."""
    built = (root / "book" / "_build" / "site.json").stat().st_mtime_ns
    made = [*(root / "book" / "notebooks").glob("*.ipynb")]
    made += [path for path in (root / "book" / "generated").rglob("*") if path.is_file()]
    paths = [*(root / name for name in site_sources(root)), *made]
    newer = sorted(p.relative_to(root).as_posix() for p in paths if p.stat().st_mtime_ns > built)
    if not newer:
        return []
    more = f" and {len(newer) - 5} more" if len(newer) > 5 else ""
    return [f"changed since the site was built: {', '.join(newer[:5])}{more}; {BUILD}"]
