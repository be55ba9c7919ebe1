"""A build of the site after an edit gives that from nothing, and touches no other page."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

EXTENSIONS = Path(__file__).resolve().parents[1] / "book" / "_ext"
SETTINGS = {
    "extensions": ["unchanged", "writing"],
    "numfig": True,
    "html_theme": "basic",
    "html_static_path": ["_static"],
    "html_css_files": ["own.css"],
    "html_last_updated_fmt": "",
}
TABLE = "\n.. _{0}:\n\n.. table:: Scores of {0}\n\n   = =\n   a b\n   = =\n"
PAGES = {
    "index": "Book\n====\n\n.. index:: first\n\n.. toctree::\n\n   one\n   two\n   three\n",
    "one": "One\n===\n\nPlain words.\n\n.. index:: apple\n",
    "two": f"Two\n===\n\n:numref:`three_t`, :ref:`third`.\n{TABLE.format('two_t')}\n",
    "three": f".. _third:\n\nThree\n=====\n{TABLE.format('three_t')}\n.. include:: made.txt\n",
}
EVERY = {"index", *PAGES}


def build(book: Path, work: Path, **settings: object) -> tuple[Path, set[str], set[str]]:
    """Build a book as the site is built; return the folder, and the pages read and written."""
    html = work / "html"
    shutil.rmtree(html / "_static", ignore_errors=True)
    before = {path: path.stat().st_mtime_ns for path in html.glob("*.html")}
    folders = (book, None, html, work / "trees")
    with docutils_namespace():
        found = Sphinx(*folders, "html", SETTINGS | settings, status=None, warningiserror=True)
        found.build()
    assert found.statuscode == 0
    written = {
        path.stem for path in html.glob("*.html") if before.get(path) != path.stat().st_mtime_ns
    }
    return html, set(found.read_pages), written & EVERY


def write_book(book: Path, **more: str) -> tuple[Path, dict[str, str]]:
    """Write the pages and what they include, with old times; return their texts by file."""
    (book / "_static").mkdir(parents=True)
    texts = {f"{page}.rst": text for page, text in (PAGES | more).items()}
    texts |= {"made.txt": "made", "_static/own.css": "p {color: red}"}
    for file, text in texts.items():
        (book / file).write_text(text)
        os.utime(book / file, (1, 1))
    return book, texts


def contents(html: Path) -> dict[str, bytes]:
    files = [path for path in html.rglob("*") if path.is_file() and path.name != ".buildinfo"]
    return {path.relative_to(html).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("name", "old", "new", "read", "written"),
    [
        ("one.rst", "Plain words", "Plainer speech", {"one"}, {"index", "one"}),
        ("one.rst", "apple", "plum", {"one"}, EVERY),
        ("three.rst", "Three\n=====", "Third\n=====", {"three"}, EVERY),
        ("one.rst", "Plain", f"{TABLE.format('one_t')}\nPlain", {"one"}, EVERY),
        ("made.txt", "made", "made", set(), {"index"}),
        ("made.txt", "made", "made anew", {"three"}, {"index", "three"}),
        ("_static/own.css", "red", "blue", set(), EVERY),
    ],
    ids=["word", "index entry", "title", "numbers", "same content", "included", "style"],
)
def test_a_kept_build_is_the_one_from_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    old: str,
    new: str,
    read: set[str],
    written: set[str],
) -> None:
    monkeypatch.setattr(sys, "path", [str(EXTENSIONS), *sys.path])
    book, texts = write_book(tmp_path / "book")
    assert build(book, tmp_path / "kept")[1:] == (EVERY, EVERY)
    (book / name).write_text(texts[name].replace(old, new))
    kept = build(book, tmp_path / "kept")
    fresh = build(book, tmp_path / "fresh")
    assert contents(kept[0]) == contents(fresh[0])
    assert kept[1:] == (read, written)


@pytest.mark.parametrize("n_cores", [1, 2])
def test_pages_side_by_side_are_those_of_one_core_and_numbers_open_a_page_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_cores: int
) -> None:
    from sphinx.environment import BuildEnvironment

    monkeypatch.setattr(sys, "path", [str(EXTENSIONS), *sys.path])
    book, _ = write_book(tmp_path / "book", two=PAGES["two"] + ":numref:`three_t`\n" * 5)
    plain = build(book, tmp_path / "plain", extensions=["unchanged"])[0]
    opened = []
    get_doctree = BuildEnvironment.get_doctree
    monkeypatch.setattr(
        BuildEnvironment,
        "get_doctree",
        lambda env, name: opened.append(name) or get_doctree(env, name),
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(n_cores)), raising=False)
    quick = build(book, tmp_path / "quick")[0]
    assert contents(quick) == contents(plain)
    assert opened.count("three") == 2  # to be written, and for all six references
