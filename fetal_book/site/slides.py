"""Make slides of a chapter's run by nbconvert: headings and exhibits shown, text in the notes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fetal_book.runs.plain_text import plain_notebook
from fetal_book.runs.text_only import site_notebook
from fetal_book.site.slides_offline import without_network
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json

HEADING = re.compile(r"^(#{1,3}) .+$", re.MULTILINE)
PICTURES = ("image/png", "image/svg+xml", "text/html")
Cell = dict[str, Any]


def write_slides(run_folder: Path, chapter: str, out: Path) -> Path:
    """Write a finished run as slides: one HTML file with all that it needs, which asks no host.

    reveal.js is fetched once, with npm, and kept in the cache.
    """
    notebook = site_notebook(run_folder)
    if notebook is None:
        raise UserError(f"{run_folder.name}: executed.ipynb is missing or broken; run it again")
    cells = slide_cells(plain_notebook(notebook, chapter)["cells"])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{out.stem}.ipynb"
        write_json(path, notebook | {"cells": cells})
        words = ["--to", "slides", "--no-input", "--no-prompt", "--log-level", "ERROR"]
        command = [sys.executable, "-m", "nbconvert", *words, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        made = path.with_name(f"{out.stem}.slides.html")
        if done.returncode or not made.is_file():
            raise UserError(f"nbconvert made no slides: {done.stderr.strip()[-300:]}")
        out.write_text(without_network(made.read_text(encoding="utf-8")), encoding="utf-8")
    return out


def slide_cells(cells: list[Cell]) -> list[Cell]:
    """Return a notebook's cells as slides: a heading begins one, an exhibit has its own below it.

    Text is for the speaker; code that shows nothing is left out.

    Examples
    --------
    >>> text = {"cell_type": "markdown", "source": "## Data\\n\\nMany words.", "metadata": {}}
    >>> found = slide_cells([text, {"cell_type": "code", "source": "a = 1", "outputs": []}])
    >>> [(c["source"], c["metadata"]["slideshow"]["slide_type"]) for c in found]
    [('## Data', 'slide'), ('Many words.', 'notes')]
    """
    made: list[Cell] = []
    for cell in cells:
        if cell["cell_type"] == "markdown":
            made += text_slides("".join(cell["source"]))
        elif shown := [one for one in cell.get("outputs", []) if is_exhibit(one)]:
            made.append(_as(cell | {"outputs": shown}, "subslide"))
    return made


def text_slides(text: str) -> list[Cell]:
    """Split a text at its headings: each is shown, what follows is for the speaker."""
    found: list[Cell] = []
    starts = [match.start() for match in HEADING.finditer(text)]
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        part = text[start:end].strip()
        heading = HEADING.match(part)
        if heading:
            kind = "subslide" if heading[1] == "###" else "slide"
            found.append(_as({"cell_type": "markdown", "source": heading[0]}, kind))
            part = part[heading.end() :].strip()
        if part:
            kind = (
                "fragment" if part.startswith("**Figure") or part.startswith("**Table") else "notes"
            )
            found.append(_as({"cell_type": "markdown", "source": part}, kind))
    return found


def is_exhibit(output: dict[str, Any]) -> bool:
    """Say whether an output is a figure or a table."""
    return any(kind in output.get("data", {}) for kind in PICTURES)


def _as(cell: Cell, kind: str) -> Cell:
    return cell | {"metadata": cell.get("metadata", {}) | {"slideshow": {"slide_type": kind}}}
