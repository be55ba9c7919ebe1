"""Build the site beside the one that is there, check it, and only then put it in its place."""

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
from fetal_book.site.print_page import write_print_page
from fetal_book.site.reading_checks import reading_problems
from fetal_book.site.slim import slim_site
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import read_json, write_json


def build_site(root: Path) -> int:
    """Build ``book/_build/html`` and return how many pages it has; a refused one leaves the old."""
    book = root / "book"
    contents = book / "generated" / "_toc.yml"
    pages = page_files(yaml.safe_load(contents.read_text(encoding="utf-8")))
    _refuse("the executed chapters hold errors", notebook_errors(book / "notebooks"))
    work = book / "_build" / "work"
    shutil.rmtree(work, ignore_errors=True)
    _run_jupyter_book(book, contents, work)
    built = work / "_build" / "html"
    slim_site(built)
    write_print_page(built, pages, _title(book))
    problems = [*site_problems(built, pages), *reading_problems(built)]
    _refuse("the built site is not sound", problems)
    _put_in_place(built, book / "_build" / "html")
    shutil.rmtree(work)
    note = {
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "pages": [f"{page}.html" for page in pages],
    }
    write_json(book / "_build" / "site.json", note)
    return len(pages)


def built_problems(root: Path) -> list[str]:
    """List what is wrong with the site that was built last; refuse where there is none."""
    built = root / "book" / "_build"
    note = read_json(built / "site.json")
    if note is None:
        raise UserError("no site was built yet. Build it first: make book.")
    pages = [page.removesuffix(".html") for page in note["pages"]]
    return [*site_problems(built / "html", pages), *reading_problems(built / "html")]


def _run_jupyter_book(book: Path, contents: Path, work: Path) -> None:
    work.mkdir(parents=True)
    program = "from jupyter_book.cli.main import main; main()"  # the package has no __main__
    command = [
        sys.executable,
        "-c",
        program,
        "build",
        str(book),
        "--all",
        "-W",
        "--keep-going",
        "-q",
    ]
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
