"""Put the figures and results of a chapter's reference runs on slides."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pandas as pd

from fetal_book.chapters.tables import TITLES
from fetal_book.runs.exhibits import index_of
from fetal_book.site.markdown import short
from fetal_book.site.reference_part import chapter_figures, terms
from fetal_book.site.shown_runs import ELSEWHERE, shown_runs, table_rows
from fetal_book.site.slide_deck import Deck

RESULTS = "results"
TOLD = (
    "Reference runs, which are kept with the book. Each says what it learnt from and what it was"
    " scored on; behind them stands a run that everybody can repeat."
)


def add_reference_runs(deck: Deck, root: Path, chapter: str) -> bool:
    """Add a slide for each figure of scans, and the results; tell whether there is such a run."""
    runs = [run for run in shown_runs(root, []) if run.kept and run.chapter == chapter]
    if not runs:
        return False
    figures = chapter_figures(root / "book").get(chapter, {})
    own_words = deck.about
    deck.heading("## What it does on real data", "slide", TOLD)
    for run in runs:
        deck.about = f"run {run.name}, profile {run.profile}"
        deck.heading(f"### Learnt from {run.data_words}", "subslide", terms(run).strip())
        for name, see in figures.items():
            if run.has_figure(name) and (run.group == "real" or name in ELSEWHERE):
                words = index_of(run.folder / "figures")[name]
                picture = (run.folder / "figures" / f"{name}.png").read_bytes()
                deck.exhibit(_shown("image/png", _base64(picture)), f"{words['caption']} {see}")
        if run.group == "real" and (rows := table_rows(run.folder, RESULTS)):
            words = index_of(run.folder / "tables").get(RESULTS, {})
            deck.exhibit(_shown("text/html", results_html(rows)), words.get("caption", ""))
    deck.about = own_words
    return True


def results_html(rows: list[dict[str, str]]) -> str:
    """Return the rows of a run's table of results as HTML, numbers shortened."""
    table = pd.DataFrame(rows).map(short)
    return table.rename(columns=TITLES).to_html(index=False, border=0)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _shown(kind: str, content: str) -> dict[str, Any]:
    output = {"output_type": "display_data", "data": {kind: content}, "metadata": {}}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "source": "",
        "outputs": [output],
    }
