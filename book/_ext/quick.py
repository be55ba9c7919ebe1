"""Make the same pages sooner: what libraries work out again and again is kept, and a page lets go
of all that it needs no more.

None of it changes a page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pybtex.plugin
from astroid.brain import brain_numpy_ndarray
from docutils import nodes
from sphinx.domains.python import PythonDomain
from sphinx.search.en import SearchEnglish


def let_go_of_reader(app: Any, doctree: nodes.document) -> None:
    """Say of every part of a page that it is part of this page.

    What MyST reads from reStructuredText, as each page of the reference, goes on belonging to a
    document of its own, whose settings hold all that Sphinx knows: six megabytes, which would be
    stored with the page and read back each time that it is looked at.
    """
    for node in doctree.findall():
        node.document = doctree


def let_go_of_modules(app: Any, env: Any, docnames: list[str]) -> None:
    """Forget the trees of all modules, whose pages AutoAPI has written by now: five megabytes of
    what is kept from one build to the next.
    """
    for name in ("autoapi_objects", "autoapi_all_objects"):
        getattr(env, name, {}).clear()


def parts(node: nodes.Node, kind: type | tuple[type, ...] = nodes.Node) -> Iterator[nodes.Node]:
    """Yield a node and all below it that are of a kind, parents first.

    docutils does it by a generator within a generator for each level of a page.

    >>> page = nodes.section("", nodes.title("", "Heads"), nodes.paragraph("", "Many"))
    >>> [part.astext() for part in parts(page, nodes.Text)]
    ['Heads', 'Many']
    """
    levels = [iter((node,))]
    while levels:
        for one in levels[-1]:
            if isinstance(one, kind):
                yield one
            if one.children:
                levels.append(iter(one.children))
                break
        else:
            levels.pop()


def found_once(find: Callable[..., list]) -> Callable[..., list]:
    """Look a name up once, not for each place that names it, as long as no object is added."""
    known: dict[tuple, list] = {}

    def found(self: PythonDomain, env: Any, *name: Any) -> list:
        if (key := (len(self.objects), *name)) not in known:
            known[key] = find(self, env, *name)
        return list(known[key])

    return found


def setup(app: Any) -> dict[str, bool]:
    """Put the quick ways in the place of the slow ones."""
    nodes.Node._fast_findall, nodes.Node._superfast_findall = parts, parts
    pybtex.plugin.entry_points = cache(pybtex.plugin.entry_points)  # all that is installed
    brain_numpy_ndarray.extract_node = cache(brain_numpy_ndarray.extract_node)  # one class
    SearchEnglish.stem = cache(SearchEnglish.stem)
    PythonDomain.find_obj = found_once(PythonDomain.find_obj)
    app.connect("env-before-read-docs", let_go_of_modules)
    app.connect("doctree-read", let_go_of_reader, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
