"""Write reporting checklists, item by item, with links to where the book answers each."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.site.entries import Entry, read_entries
from fetal_book.site.evidence import evidence
from fetal_book.site.markdown import table
from fetal_lib.files.atomic import read_json, write_text

NAMES = ("claim", "tripod_ai")
STATES = ("done", "partly", "not done", "not applicable")
PAGE_FOLDER = "methods"
"""Folder below the book's root of the pages that include the checklists."""


class Item(Entry):
    """Hold one item of a checklist.

    Attributes
    ----------
    item : its number in the paper.
    text : the item in our own short words.
    where : pages below the book's folder, or a chapter's number; ``#`` and a heading may follow.
    says : what the reader finds there, or why there is nothing.
    proof : tables, lines of code and records, by the names of ``fetal_book.site.evidence``.
    """

    item: str
    section: str
    text: str
    state: Literal["done", "partly", "not done", "not applicable"]
    where: list[str] = Field(min_length=1)
    says: str
    proof: list[str] = []


def read_checklist(book: Path, name: str) -> list[Item]:
    """Read a checklist; without its file there are no items."""
    return read_entries(book / "checklists" / f"{name}.yml", list[Item])


def write_checklists(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/claim.md`` and ``book/generated/tripod_ai.md``."""
    headings = {name: chapter_anchors(root, name) for name in chapters}
    for name in NAMES:
        items = read_checklist(root / "book", name)
        text = checklist(items, headings) if items else "No items.\n"
        write_text(root / "book" / "generated" / f"{name}.md", text)


def chapter_anchors(root: Path, chapter: str) -> set[str]:
    """Return the anchors of the headings of the chapter's run that the book shows."""
    notebook = read_json(root / "runs" / "book" / chapter / "executed.ipynb") or {}
    cells = [one for one in notebook.get("cells", []) if one["cell_type"] == "markdown"]
    return anchors("\n\n".join("".join(one["source"]) for one in cells))


def checklist(items: list[Item], headings: dict[str, set[str]]) -> str:
    """Write a table for each section, after a count of states; headings are pages' anchors."""
    counts = Counter(one.state for one in items)
    listed = ", ".join(f"{counts[state]} {state}" for state in STATES)
    parts = [f"Of {len(items)} items: {listed}.\n"]
    for section in dict.fromkeys(one.section for one in items):
        rows = [_cells(one, headings) for one in items if one.section == section]
        titles = ["", "Item", "State", "Where, and what is said"]
        parts.append(f"## {section}\n\n{table(titles, rows)}")
    return "\n".join(parts)


def _cells(item: Item, headings: dict[str, set[str]]) -> list[str]:
    links = ", ".join(link(target, headings) for target in item.where)
    state = f"**{item.state}**" if item.state.startswith("not") else item.state
    proof = "; ".join(evidence(name, set(headings)) for name in item.proof)
    told = f"{item.says} See {links}." + (f"<br>{proof}." if proof else "")
    return [item.item, item.text, state, told]


def link(target: str, headings: dict[str, set[str]]) -> str:
    """Write a target as a link from the checklists' page.

    A chapter without a page is named only; one whose run lacks the heading is linked as a whole.

    Examples
    --------
    >>> link("04#training", {"04_head_circumference": {"data", "training"}})
    '[chapter 04, training](../notebooks/04_head_circumference.ipynb#training)'
    >>> link("04#training", {"04_head_circumference": set()})
    '[chapter 04](../notebooks/04_head_circumference.ipynb)'
    >>> link("04#training", {})
    'chapter 04, training (not yet built)'
    >>> link("results.md", {})
    '[](../results.md)'
    """
    page, _, anchor = target.partition("#")
    if page.endswith(".md"):
        inside = page.removeprefix(f"{PAGE_FOLDER}/")
        return f"[]({inside if inside != page else f'../{page}'}{target[len(page) :]})"
    name = next(chapter for chapter in CHAPTERS if chapter.startswith(f"{page}_"))
    words = f"chapter {page}" + (f", {anchor.replace('-', ' ')}" if anchor else "")
    if name not in headings:
        return f"{words} (not yet built)"
    if anchor not in headings[name]:
        return f"[chapter {page}](../notebooks/{name}.ipynb)"
    return f"[{words}](../notebooks/{name}.ipynb{target[len(page) :]})"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as MyST makes them of a Markdown text.

    Examples
    --------
    >>> sorted(anchors("# A page\\n\\n## Is it *real*?\\n"))
    ['a-page', 'is-it-real']
    """
    titles = re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
