"""The quick ways in which the site is built lead to the same pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("myst_parser")

EXTENSIONS = Path(__file__).resolve().parents[1] / "book" / "_ext"
PAGE = """# Heads

Measured heads are measured by {py:func}`lib.measure`.

```{eval-rst}
.. py:module:: lib

.. py:class:: Head(size_mm: float, image: numpy.ndarray)

   Hold a head, as `Head` and `Nothing` do.

   :param size_mm: of its outline
   :type size_mm: float
   :param image: of it
   :type image: numpy.ndarray

.. py:function:: measure(head: Head, other: Head | None = None) -> Head

   Measure a :class:`Head`, as :func:`measure` does.
```
"""


def build(root: Path, extensions: list[str]) -> tuple[dict[str, bytes], int]:
    """Build the page by Sphinx in a process of its own; return the files and the tree's bytes."""
    book = root / "book"
    book.mkdir(parents=True)
    (book / "index.md").write_text(PAGE, encoding="utf-8")
    settings = ["import sys", f"sys.path.append({str(EXTENSIONS)!r})"]
    settings += [f"extensions = {['myst_parser', *extensions]!r}", "html_theme = 'basic'"]
    (book / "conf.py").write_text("\n".join(settings), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "-d", root / "trees"]
    subprocess.run([*command, book, root / "html"], check=True)
    names = ("index.html", "searchindex.js", "py-modindex.html", "objects.inv")
    files = {name: (root / "html" / name).read_bytes() for name in names}
    return files, (root / "trees" / "index.doctree").stat().st_size


def test_pages_are_the_same_and_hold_nothing_of_sphinx(tmp_path):
    plain, large = build(tmp_path / "plain", [])
    quick, small = build(tmp_path / "quick", ["quick"])
    assert quick == plain
    assert b"lib.measure" in quick["index.html"] and b"measur" in quick["searchindex.js"]
    assert small < large / 2


def test_parts_are_those_that_docutils_finds(monkeypatch):
    from docutils import nodes
    from docutils.core import publish_doctree

    monkeypatch.syspath_prepend(EXTENSIONS)
    from quick import parts

    page = publish_doctree("Heads\n=====\n\n- one *two*\n\n  - three\n\n=== ==\na   b\n=== ==\n")
    everything = [*page.findall()]
    assert len(everything) > 15
    assert [*parts(page)] == everything
    for kind in (nodes.Text, nodes.Element, nodes.list_item, (nodes.row, nodes.entry)):
        expected = [node for node in everything if isinstance(node, kind)]
        assert [*parts(page, kind)] == expected
    items = [page[0], *page.findall(nodes.list_item)]
    assert [[*parts(item, nodes.Text)] for item in items] == [
        [*item.findall(nodes.Text)] for item in items
    ]
