"""Lay a notebook's cells out as slides, in the metadata that nbconvert reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

HEADING = re.compile(r"^(#{1,3}) .+$", re.MULTILINE)
PICTURES = ("image/png", "image/svg+xml", "text/html")
CAPTION = ("**Figure ", "**Table ")
TAKE_AWAY = "**What to take away.**"
ALONE = re.compile(r"[-*] |\d+\. |\$\$")
"""Begins a paragraph that is shown as an exhibit: a list, a formula."""
NO_PROSE = ("|", ">", "```", "#", "!")
Cell = dict[str, Any]


class Deck:
    """Collect slides; a heading begins one, an exhibit has its own below it, under the heading.

    The first paragraph after a heading is shown with it, after the title what to take away. Other
    text is for the speaker: in the notes of the exhibit that follows it. Code that shows nothing
    is left out.

    Parameters
    ----------
    about : str
        What the exhibits were made from, beside each of them.

    Examples
    --------
    >>> deck = Deck("phantoms")
    >>> deck.add([{"cell_type": "markdown", "source": "## Data\\n\\nHeads.\\n\\nMany words."}])
    >>> [(one["source"], one["metadata"]["slideshow"]["slide_type"]) for one in deck.finish()]
    [('## Data', 'slide'), ('Heads.', '-'), ('Many words.', 'notes')]
    """

    def __init__(self, about: str) -> None:
        self.about, self._section = about, ""
        self._cells: list[Cell] = []
        self._said: list[str] = []

    def add(self, cells: Iterable[Cell]) -> None:
        """Add cells of an executed notebook whose text is plain Markdown."""
        for cell in cells:
            if cell["cell_type"] == "markdown":
                self._add_text("".join(cell["source"]))
            elif shown := [one for one in cell.get("outputs", []) if is_exhibit(one)]:
                self.exhibit(cell | {"outputs": shown})

    def heading(self, text: str, kind: str, shown: str = "") -> None:
        """Begin a slide (``slide``), or one below it (``subslide``), with a line or paragraph."""
        self._tell()
        self._section = text.lstrip("# ")
        self._put(_text(text), kind)
        if shown:
            self._put(_text(shown), "-")

    def exhibit(self, cell: Cell, caption: str = "") -> None:
        """Show a cell below the slide, under its section's name, with what was said before it."""
        self._put(_text(f"#### {self._section}\n\n*{self.about}*"), "subslide")
        self._put(cell, "-")
        if caption:
            self._put(_text(caption), "-")
        self._tell()

    def finish(self) -> list[Cell]:
        """Return the cells of all slides."""
        self._tell()
        return self._cells

    def _add_text(self, text: str) -> None:
        starts = [match.start() for match in HEADING.finditer(text)]
        for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
            part = text[start:end].strip()
            found = HEADING.match(part)
            rest = part[found.end() :] if found else part
            said = [one.strip() for one in re.split(r"\n\s*\n", rest) if one.strip()]
            if found:
                shown = lead(said)
                said = [one for one in said if one != shown]
                self.heading(found[0], "subslide" if found[1] == "###" else "slide", shown)
            for one in said:
                self._add_paragraph(one)

    def _add_paragraph(self, text: str) -> None:
        if text.startswith(CAPTION):
            self._put(_text(text), "-")
        elif ALONE.match(text):
            self.exhibit(_text(text))
        else:
            self._said.append(text)

    def _tell(self) -> None:
        if self._said:
            self._put(_text("\n\n".join(self._said)), "notes")
        self._said = []

    def _put(self, cell: Cell, kind: str) -> None:
        metadata = cell.get("metadata", {}) | {"slideshow": {"slide_type": kind}}
        self._cells.append(cell | {"metadata": metadata})


def lead(paragraphs: list[str]) -> str:
    """Return the paragraph that is shown with a heading; empty where none is plain prose."""
    told = next((one for one in paragraphs if one.startswith(TAKE_AWAY)), "")
    first = paragraphs[0] if paragraphs else ""
    plain = not (ALONE.match(first) or first.startswith((*NO_PROSE, *CAPTION)))
    return told or (first if plain else "")


def is_exhibit(output: dict[str, Any]) -> bool:
    """Say whether an output is a figure or a table."""
    return any(kind in output.get("data", {}) for kind in PICTURES)


def _text(text: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": text}
