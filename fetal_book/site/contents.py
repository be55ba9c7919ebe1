"""Write what the book's pages say about chapters: the table of contents and the table of the five
chapters.

A chapter that does not exist yet stays out of the contents and is called "not yet built" in the
table.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from fetal_book.site.markdown import table
from fetal_book.site.shown_runs import data_kind, shown_runs
from fetal_lib.data.kinds import data_words
from fetal_lib.files.atomic import read_json, write_text

NOTEBOOKS = "notebooks/"
CARD_ROW = re.compile(r"^# \| \*\*(\w+)\*\* \| (.+) \|$", re.MULTILINE)


def filter_contents(contents: dict[str, Any], chapters: Collection[str]) -> dict[str, Any]:
    """Drop missing chapters, and parts that became empty, from a table of contents.

    Examples
    --------
    >>> parts = [{"caption": "Chapters", "chapters": [{"file": "notebooks/01_a"}]}]
    >>> filter_contents({"root": "intro", "parts": parts}, [])
    {'root': 'intro', 'parts': []}
    """
    parts = []
    for part in contents.get("parts", []):
        kept = [entry for entry in part["chapters"] if _is_there(entry["file"], chapters)]
        if kept:
            parts.append(part | {"chapters": kept})
    return contents | {"parts": parts}


def page_files(contents: dict[str, Any]) -> list[str]:
    """List the pages that a table of contents names, the root first, without suffixes."""
    listed = [entry["file"] for part in contents.get("parts", []) for entry in part["chapters"]]
    return [contents["root"], *listed]


def chapters_table(plan: list[dict[str, str]], states: dict[str, str]) -> str:
    """Write the table of the chapters, by their states; one without a state is not yet built."""
    rows = []
    for chapter in plan:
        name, number = chapter["name"], chapter["name"][:2]
        linked = f"[{number}]({NOTEBOOKS}{name})" if name in states else number
        state = states.get(name, "not yet built")
        rows.append([linked, chapter["task"], state, chapter["models"], chapter["framework"]])
    return table(["", "Task", "Runs", "Models", "Framework"], rows)


def chapter_state(folder: Path) -> str:
    """Say what run the book shows, such as ``built, quick profile on phantoms``."""
    record = read_json(folder / "record.json") or {}
    data = record.get("data") or "unknown data"
    shown = data_words(data, data_kind(folder, data), mark="")
    return f"built, {record.get('profile', 'unknown')} profile on {shown}"


def kept_runs(root: Path, chapters: list[str]) -> dict[str, str]:
    """Name the reference runs of chapters, each a link, such as ``kept: run hc18-quick; ``."""
    kept: dict[str, list[str]] = {}
    for run in shown_runs(root, chapters):
        if run.kept:
            kept.setdefault(run.chapter, []).append(run.link)
    return {chapter: f"kept: {', '.join(links)}; " for chapter, links in kept.items()}


def card_entry(notebook: Path) -> dict[str, str]:
    """Describe a chapter that is not in the plan by its notebook's card; a gap is a dash."""
    card = dict(CARD_ROW.findall(notebook.read_text(encoding="utf-8")))
    entry = {"name": notebook.stem, "task": card.get("Task", "–"), "framework": "–"}
    return entry | {"models": card.get("Models") or card.get("Model", "–")}


def write_contents(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/_toc.yml`` and ``book/generated/chapters.md``."""
    book = root / "book"
    generated = book / "generated"
    contents = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))
    kept = yaml.safe_dump(filter_contents(contents, chapters), sort_keys=False)
    write_text(generated / "_toc.yml", kept)
    plan = yaml.safe_load((book / "chapters.yml").read_text(encoding="utf-8"))
    planned = {entry["name"] for entry in plan}
    more = [name for name in chapters if name not in planned]
    plan += [card_entry(root / "notebooks" / f"{name}.py") for name in more]
    kept_first = kept_runs(root, chapters)
    states = {
        name: kept_first.get(name, "") + chapter_state(root / "runs" / "book" / name)
        for name in chapters
    }
    write_text(generated / "chapters.md", chapters_table(plan, states))


def _is_there(file: str, chapters: Collection[str]) -> bool:
    return not file.startswith(NOTEBOOKS) or file.removeprefix(NOTEBOOKS) in chapters
