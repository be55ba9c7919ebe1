"""A docstring that names a constant for what an argument may be lists its values as well."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from test_book import PROJECT

NAMED = re.compile(r"\b(?:key of|one of|numbers as in|name of)\s+``([A-Z_]{4,})``")
ROOMS = ("fetal_lib", "fetal_phantoms", "fetal_book/runs")


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module's classes and functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield ast.get_docstring(node) or ""


def constant(name: str, path: Path) -> Iterable[str]:
    """Return a constant of a module, or of its neighbour in the room."""
    for home in (path, *sorted(path.parent.glob("*.py"))):
        module = importlib.import_module(
            ".".join(home.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        )
        if hasattr(module, name):
            return getattr(module, name)
    return ["no such constant"]


def test_values_stand_where_their_constant_is_named():
    missing, seen = [], 0
    for path in (path for room in ROOMS for path in (PROJECT / room).rglob("*.py")):
        for text in docstrings(path):
            for name in NAMED.findall(text):
                seen += 1
                values = list(constant(name, path))
                lacks = [one for one in values if not re.search(rf"\b{re.escape(one)}\b", text)]
                missing += [f"{path.name}: {name}: {', '.join(lacks)}"] if lacks else []
    assert missing == [] and seen > 5
