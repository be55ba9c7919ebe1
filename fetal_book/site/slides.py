"""Make slides of a chapter by nbconvert: its reference runs on real scans first, then its own run.

A heading begins a slide; each figure, table, formula and list has one of its own below it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from fetal_book.parameters.project import project_root
from fetal_book.runs.plain_text import plain_notebook
from fetal_book.runs.text_only import site_notebook
from fetal_book.site.shown_runs import ShownRun
from fetal_book.site.slide_deck import Deck
from fetal_book.site.slides_offline import without_network
from fetal_book.site.slides_reference import add_reference_runs
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json


def write_slides(run_folder: Path, chapter: str, out: Path) -> Path:
    """Write a finished run as slides: one HTML file with all that it needs, which asks no host.

    After the title stand the figures and results of the chapter's reference runs. reveal.js is
    fetched once, with npm, and kept in the cache.
    """
    notebook = site_notebook(run_folder)
    if notebook is None:
        raise UserError(f"{run_folder.name}: executed.ipynb is missing or broken; run it again")
    run = ShownRun(project_root(), run_folder)
    cells = plain_notebook(notebook, chapter)["cells"]
    made_up = ", made up" if run.phantom else ""
    deck = Deck(f"{run.data_words}{made_up}, profile {run.profile}")
    deck.add(cells[:1])
    if add_reference_runs(deck, project_root(), chapter):
        deck.heading(f"## The chapter, on {run.data_words}", "slide")
    deck.add(cells[1:])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{out.stem}.ipynb"
        write_json(path, notebook | {"cells": deck.finish()})
        words = ["--to", "slides", "--no-input", "--no-prompt", "--log-level", "ERROR"]
        command = [sys.executable, "-m", "nbconvert", *words, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        made = path.with_name(f"{out.stem}.slides.html")
        if done.returncode or not made.is_file():
            raise UserError(f"nbconvert made no slides: {done.stderr.strip()[-300:]}")
        out.write_text(without_network(made.read_text(encoding="utf-8")), encoding="utf-8")
    return out
