"""Write the page *Reliability*: what was broken on purpose, how often, and what was lost.

Its lines are those that the tests of faults wrote into ``book/reliability.jsonl`` (`make soak`).
"""

from __future__ import annotations

import json
from pathlib import Path

from fetal_book.site.markdown import cell, table
from fetal_lib.files.atomic import write_text

SOURCE = "book/reliability.jsonl"
TITLES = ("What was done", "Times", "Lost or false", "Checked after each")
GROUPS = {
    "faults": "Faults while a chapter runs",
    "oddities": "Oddities of real files",
    "bad input": "Made-up damage",
    "load": "The app under load",
    "determinism": "The same order twice",
}


def write_reliability(root: Path) -> None:
    """Write ``book/generated/reliability.md``."""
    lines = read_soak(root / SOURCE)
    parts = []
    for group, title in GROUPS.items():
        rows = [
            (cell(line["fault"]), f"{line['tried']:,}", f"{line['lost']:,}", cell(line["checked"]))
            for line in lines
            if line["group"] == group
        ]
        if rows:
            parts.append(f"## {title}\n\n{table(TITLES, rows)}")
    had = {line["group"] for line in lines}
    if lines and (missing := [title for group, title in GROUPS.items() if group not in had]):
        told = ", ".join(title[0].lower() + title[1:] for title in missing)
        parts.append(f"Not tried for this page yet, though `make soak` does: {told}.\n")
    if lines:
        first, last = min(line["date"] for line in lines), max(line["date"] for line in lines)
        parts.append(f"Tried {first if first == last else f'from {first} to {last}'}.\n")
    words = "\n".join(parts) or "Nothing was tried yet: `make soak` fills this page.\n"
    write_text(root / "book" / "generated" / "reliability.md", words)


def read_soak(path: Path) -> list[dict]:
    """Return the last line of each fault, in the order in which they were first tried."""
    if not path.exists():
        return []
    found: dict[tuple[str, str], dict] = {}
    for text in path.read_text("utf-8").splitlines():
        line = json.loads(text)
        found[line["group"], line["fault"]] = line
    return list(found.values())
