"""Read and write pages side by side, and open a page once for all references to numbers of its
tables.

As many processes as there are cores read and write. Of pictures that share a file's name the later
ones get a number, in the order in which pages happened to be read: here they are numbered anew in
the order of the pages. Sphinx opens a whole chapter from the disk for every reference to one of its
numbered tables and figures; here it stays open.
"""

from __future__ import annotations

from typing import Any

from sphinx.util import FilenameUniqDict

from fetal_book.runs.machine import cores

UNDECLARED = ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex")
"""Extensions that do not say whether pages may be read side by side: the one numbers sections when
all are read, the other acts for LaTeX alone."""


class OpenPages:
    """An environment of Sphinx that keeps the pages open which are looked into, not changed."""

    def __init__(self, env: Any) -> None:
        self.env, self.pages = env, {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def get_doctree(self, name: str) -> Any:
        """Return a page as it was read."""
        if name not in self.pages:
            self.pages[name] = self.env.get_doctree(name)
        return self.pages[name]


def number_from_open_pages(app: Any, env: Any) -> list[str]:
    """Let references to numbers be looked up in open pages, once all pages are read."""
    domain, pages = env.get_domain("std"), OpenPages(env)
    look_up = domain._resolve_numref_xref
    domain._resolve_numref_xref = lambda _, *reference: look_up(pages, *reference)
    return []


def read_side_by_side(app: Any) -> None:
    """Have a process a core read."""
    app.parallel = cores()
    for name in app.extensions.keys() & UNDECLARED:
        app.extensions[name].parallel_read_safe = True


def number_pictures_by_page(app: Any, env: Any) -> list[str]:
    """Name pictures in the order of the pages and of their own paths, whoever read them first."""
    shown = sorted((page, path) for path, (pages, _) in env.images.items() for page in pages)
    env.images = FilenameUniqDict()
    for page, path in shown:
        env.images.add_file(page, path)
    return []


def write_side_by_side(app: Any, env: Any) -> list[str]:
    """Have a process a core write, beside this one, which hands out the pages."""
    app.parallel = cores() + 1 if cores() > 1 else 1
    return []


def setup(app: Any) -> dict[str, bool]:
    """Register the hooks with Sphinx."""
    app.connect("builder-inited", read_side_by_side)
    app.connect("env-updated", number_pictures_by_page)
    app.connect("env-updated", number_from_open_pages)
    app.connect("env-updated", write_side_by_side)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
