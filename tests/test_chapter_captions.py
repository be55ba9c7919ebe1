"""Every table that a chapter shows has a caption, and the text refers to what is shown."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jupytext
import pytest
from chapter_checks import ROOT

from fetal_book.runs.exhibits import label

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.py"))
NO_TABLE = {"Markdown", "run", "print", "display", "launch"}
ALWAYS = {"nets", "trials", "diffusion", "fused is None", "sampled is None"}  # in every profile
REFERENCE = re.compile(r"\{numref\}`([^`]+)`")
chapters = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


@dataclass(frozen=True)
class Exhibit:
    """A figure or table of a cell: its name, what is shown, and whether every run shows it."""

    name: str
    shown: str
    saved: str
    always: bool


def unsure_nodes(tree: ast.Module) -> set[int]:
    """Return the nodes under a condition that a run of the book need not meet."""
    branches = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    unsure = [node for node in branches if ast.unparse(node.test) not in ALWAYS]
    return {id(inner) for node in unsure for inner in ast.walk(node)}


def calls_of(tree: ast.Module, name: str) -> list[ast.Call]:
    """Return the calls of a function or method."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if name in (getattr(call.func, k, "") for k in ("id", "attr"))]


def shown_values(source: str) -> list[tuple[ast.expr, bool]]:
    """Return what a cell shows, by ``display`` or as its last value, and if every run shows it."""
    tree = ast.parse(source)
    unsure = unsure_nodes(tree)
    found = [(call.args[0], id(call) not in unsure) for call in calls_of(tree, "display")]
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        value = last.value
        if isinstance(value, ast.IfExp) and ast.unparse(value.test) in ALWAYS:
            found.append((value.orelse, True))
        elif isinstance(value, ast.IfExp):
            found += [(value.body, False), (value.orelse, False)]
        else:
            found.append((value, True))
    return [(value, always) for value, always in found if may_be_table(value)]


def may_be_table(value: ast.expr) -> bool:
    """Say whether an expression can show a table: no text, no mapping, no call of the run."""
    if isinstance(value, ast.Starred):
        value = value.value
    if isinstance(value, ast.GeneratorExp):  # several of a kind
        value = value.elt
    root = value
    while isinstance(root, ast.Call | ast.Attribute | ast.Subscript):
        root = root.func if isinstance(root, ast.Call) else root.value
    named = root.id if isinstance(root, ast.Name) else ""
    return not isinstance(value, ast.Dict | ast.DictComp | ast.Constant) and named not in NO_TABLE


def code_cells(notebook: Path) -> list:
    cells = jupytext.reads(notebook.read_text("utf-8"), fmt="py:percent").cells
    return [cell for cell in cells if cell.cell_type == "code"]


def name_of(call: ast.Call) -> str:
    """Return the name that a figure or table is saved under, where it is written out."""
    return call.args[1].value if isinstance(call.args[1], ast.Constant) else ""


@cache
def exhibits(notebook: Path) -> tuple[list[Exhibit], list[Exhibit]]:
    """Return the tables and the figures of a chapter."""
    tables, figures = [], []
    for cell in code_cells(notebook):
        own, tree = cell.metadata.get("mystnb", {}), ast.parse(cell.source)
        saved, drawn = calls_of(tree, "save_table"), calls_of(tree, "save_figure")
        given = own.get("table", [])
        given = [(one["name"], "") for one in (given if isinstance(given, list) else [given])]
        kept = [(name_of(call), ast.unparse(call.args[0])) for call in saved if name_of(call)]
        named = given or [(label("tab", notebook.stem, name), text) for name, text in kept]
        shown = shown_values(cell.source)
        named = [("", "")] * (len(shown) - len(named)) + named[-len(shown) :]
        for (value, always), (name, text) in zip(shown, named if shown else [], strict=True):
            tables.append(Exhibit(name, ast.unparse(value), text, always))
        for call in drawn[-1:]:
            always = id(call) not in unsure_nodes(tree)
            name = own.get("figure", {}).get("name") or label("fig", notebook.stem, name_of(call))
            figures.append(Exhibit(name, "", "", always))
    return tables, figures


def references(notebook: Path) -> set[str]:
    return set(REFERENCE.findall(notebook.read_text("utf-8")))


@chapters
def test_every_table_that_is_shown_has_a_caption(notebook: Path) -> None:
    assert [one.shown for one in exhibits(notebook)[0] if not one.name] == []


@chapters
def test_caption_of_a_saved_table_stands_at_that_table(notebook: Path) -> None:
    """A cell that saves one table and shows another needs a caption of its own."""
    assert [one for one in exhibits(notebook)[0] if one.saved not in one.shown] == []


@chapters
def test_names_of_exhibits_are_unique_and_carry_the_chapter(notebook: Path) -> None:
    tables, figures = exhibits(notebook)
    number = notebook.stem[:2]
    assert {one.name[:7] for one in tables} == {f"tab-{number}-"}
    assert {one.name[:7] for one in figures} == {f"fig-{number}-"}
    names = Counter(one.name for one in [*tables, *figures])
    assert [name for name, count in names.items() if count > 1] == []


@chapters
def test_references_lead_to_exhibits_that_every_run_shows(notebook: Path) -> None:
    """A reference without its exhibit stops the build of the book."""
    tables, figures = exhibits(notebook)
    assert references(notebook) - {one.name for one in [*tables, *figures] if one.always} == set()


@chapters
def test_text_refers_to_every_figure_that_every_run_shows(notebook: Path) -> None:
    assert {one.name for one in exhibits(notebook)[1] if one.always} - references(notebook) == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("table.head()", [("table.head()", True)]),
        ("Markdown('text')", []),
        ("{name: 1 for name in x}", []),
        ("run.save_figure(figure, 'a', 'b', 'c')", []),
        ("if p.ablation:\n    display(few)", [("few", False)]),
        ("if nets:\n    display(pretty(few))", [("pretty(few)", True)]),
        ("few if len(few) else Markdown('none')", [("few", False)]),
    ],
)
def test_what_a_cell_shows_is_read_from_its_code(source: str, expected: list) -> None:
    assert [(ast.unparse(value), always) for value, always in shown_values(source)] == expected
