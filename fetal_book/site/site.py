"""Build the site beside the one that is there, check it, and only then put it in its place.

What was read and written of the pages is kept: the next build reads and writes those that changed
(see ``book/_ext/unchanged.py``), and what this package makes of a page is kept by its content.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import yaml

from fetal_book.site.checks import notebook_errors, site_problems
from fetal_book.site.contents import page_files
from fetal_book.site.kept import Kept
from fetal_book.site.print_page import write_print_page
from fetal_book.site.reading_checks import heavy_pages, wordless_images
from fetal_book.site.slim import slim_site
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import read_json, write_json
from fetal_lib.files.fingerprint import file_sha256

FRAME = "frame.json"
KEPT = "book/_build/kept"
PROGRAM = """import atexit, gc, os, sys
from fetal_book.runs.quick_imports import skip_iri_grammars
skip_iri_grammars()
from jupyter_book.cli.main import main
gc.set_threshold(50_000, 50, 50)  # most of a build went into looking for garbage
try:
    main()
except SystemExit as ended:  # to free all pages one by one would take ten seconds
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(ended.code or 0))"""  # the package has no __main__


def build_site(root: Path) -> tuple[int, list[str]]:
    """Build ``book/_build/html``; return how many pages it has, and those that load much.

    A refused one leaves the old.
    """
    book = root / "book"
    contents = book / "generated" / "_toc.yml"
    pages = page_files(yaml.safe_load(contents.read_text(encoding="utf-8")))
    _refuse("the executed chapters hold errors", notebook_errors(book / "notebooks"))
    work = book / "_build" / "work"
    frame = page_frame(root)
    keep_what_was_read(work, frame, book / "generated" / "autoapi")
    _run_jupyter_book(book, contents, work)
    built, kept = work / "site", Kept(root / KEPT)
    shutil.copytree(work / "_build" / "html", built)
    slim_site(built, kept)
    write_print_page(built, pages, _title(book), kept)
    _refuse("the built site is not sound", _unsound(built, pages, kept))
    _put_in_place(built, book / "_build" / "html")
    write_json(work / FRAME, frame)
    heavy = heavy_pages(book / "_build" / "html", kept)
    kept.drop_others()
    note = {
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "pages": [f"{page}.html" for page in pages],
    }
    write_json(book / "_build" / "site.json", note)
    return len(pages), heavy


def built_problems(root: Path) -> list[str]:
    """List what is wrong with the site that was built last, weight included.

    Raises
    ------
    UserError
        If no site was built.
    """
    built = root / "book" / "_build"
    note = read_json(built / "site.json")
    if note is None:
        raise UserError("no site was built yet. Build it first: make book.")
    pages = [page.removesuffix(".html") for page in note["pages"]]
    return [*_unsound(built / "html", pages), *heavy_pages(built / "html")]


def _unsound(built: Path, pages: list[str], kept: Kept | None = None) -> list[str]:
    return [*site_problems(built, pages, kept), *wordless_images(built, kept)]


def page_frame(root: Path) -> dict[str, str]:
    """Hash what every page is read with and Sphinx does not see change."""
    book = root / "book"
    files = [book / "_config.yml", book / "generated" / "_toc.yml", root / "requirements.lock"]
    files += [*(book / "_ext").glob("*.py"), *(book / "_templates").rglob("*.rst")]
    return {path.relative_to(root).as_posix(): file_sha256(path) for path in sorted(files)}


def keep_what_was_read(work: Path, frame: dict[str, str], reference: Path) -> None:
    """Keep it from a build that ended well, of the same frame; remove everything else.

    The warnings of a page are told when it is read: after a refused build all are read again.
    """
    if not reference.is_dir() or read_json(work / FRAME) != frame:
        shutil.rmtree(work, ignore_errors=True)
    (work / FRAME).unlink(missing_ok=True)
    for made_anew in ("site", "_build/html/_static", "_build/html/_sphinx_design_static"):
        shutil.rmtree(work / made_anew, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)


def _run_jupyter_book(book: Path, contents: Path, work: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "build", str(book), "-W", "--keep-going", "-q"]
    command += ["--toc", str(contents), "--path-output", str(work)]
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=book, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise UserError(
            f"Jupyter Book refused the pages:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )


def _title(book: Path) -> str:
    return yaml.safe_load((book / "_config.yml").read_text(encoding="utf-8"))["title"]


def _refuse(what: str, problems: list[str]) -> None:
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise UserError(f"{what} ({len(problems)}):\n{listed}")


def _put_in_place(built: Path, site: Path) -> None:
    """Swap the folders by two renames, so that no half-written site is ever served."""
    old = site.with_name("html.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    built.rename(site)
    shutil.rmtree(old, ignore_errors=True)
