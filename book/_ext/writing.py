"""Write pages side by side, and open a page once for all references to numbers of its tables.

Pages are read one after another: what a picture is called among others of its name depends on the
order. They are written by as many processes as there are cores. Sphinx opens a whole chapter from
the disk for every reference to one of its numbered tables and figures; here it stays open.
"""

from __future__ import annotations

from typing import Any

from fetal_book.runs.machine import cores


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


def write_side_by_side(app: Any, env: Any) -> list[str]:
    """Have a process a core write, beside this one, which hands out the pages."""
    app.parallel = cores() + 1 if cores() > 1 else 1
    return []


def setup(app: Any) -> dict[str, bool]:
    """Register the hooks with Sphinx."""
    app.connect("env-updated", number_from_open_pages)
    app.connect("env-updated", write_side_by_side)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
