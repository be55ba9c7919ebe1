"""Put a chapter's notebook into Markdown that JupyterLab and code hosts show as they are.

The text of a chapter is written for the site, in MyST: references to figures and tables by name,
citations, captions in a cell's metadata. Here they become "Figure 3", "Bland and Altman (1986)"
with a link, a caption under what the cell shows, and a list of references at the end.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.parameters.project import project_root
from fetal_book.runs.exhibits import count_shown, label, saved_captions

if TYPE_CHECKING:
    from pybtex.database import BibliographyData, Entry

Cell = dict[str, Any]

ROLE = re.compile(r"\{(numref|cite(?::[pt])?)\}`([^`]+)`")
BOX = re.compile(r"^:::\{(\w+)\}\n(.*?)\n:::$", re.MULTILINE | re.DOTALL)
LINKS = {"doi": "https://doi.org/", "eprint": "https://arxiv.org/abs/", "url": ""}


def plain_notebook(notebook: dict[str, Any], chapter: str) -> dict[str, Any]:
    """Return a notebook with its text in plain Markdown; code and outputs stay as they are.

    >>> told = {"table": {"name": "tab-04-a", "caption": "Sizes in mm."}}
    >>> shows = {"cell_type": "code", "id": "a", "source": "a", "metadata": {"mystnb": told}}
    >>> text = {"cell_type": "markdown", "id": "b", "source": "See {numref}`tab-04-a`."}
    >>> plain = plain_notebook({"cells": [text, shows]}, "04_head_circumference")
    >>> [cell["source"] for cell in plain["cells"]]
    ['See Table 1.', 'a', '**Table 1.** Sizes in mm.']
    """
    cells = notebook["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    own = {
        name for cell in code for kind in ("table", "figure") for name in own_captions(cell, kind)
    }
    named = set(named_in(texts, "numref")) - own
    shown = [captions_of(cell, chapter, named) for cell in cells]
    numbers = numbered([name for captions in shown for name in captions])
    made: list[Cell] = []
    for cell, captions in zip(cells, shown, strict=True):
        if cell["cell_type"] == "markdown":
            cell = cell | {"source": plain("".join(cell["source"]), numbers)}
        made.append(cell)
        if captions:
            lines = [f"**{numbers[name]}.** {text}" for name, text in captions.items()]
            text = plain("\n\n".join(lines), numbers)
            made.append(markdown_cell(text, f"{cell.get('id', '')}-caption"))
    texts += [text for captions in shown for text in captions.values()]
    if cited := named_in(texts, "cite"):
        made.append(markdown_cell(reference_list(cited), "references"))
    return notebook | {"cells": made}


def markdown_cell(text: str, cell_id: str) -> Cell:
    """Return a Markdown cell."""
    return {"cell_type": "markdown", "id": cell_id[:64], "metadata": {}, "source": text}


def named_in(texts: list[str], role: str) -> list[str]:
    """List what a role names in texts, each once, in their order.

    >>> named_in(["{cite:t}`sarris2012`, {cite:p}`heuvel2018, sarris2012`"], "cite")
    ['sarris2012', 'heuvel2018']
    """
    found = [names for text in texts for kind, names in ROLE.findall(text) if kind.startswith(role)]
    return list(dict.fromkeys(name.strip() for names in found for name in names.split(",")))


def captions_of(cell: Cell, chapter: str, named: set[str]) -> dict[str, str]:
    """Return name and caption of the tables and the figure of a cell, in the order shown.

    The cell's own metadata have them, or else the calls that save what a text names. Of an
    executed cell they are those that it did show.
    """
    if cell["cell_type"] != "code":
        return {}
    found: dict[str, str] = {}
    for kind, output in (("table", "text/html"), ("figure", "image/")):
        saved = saved_captions("".join(cell["source"]), f"save_{kind}")
        labels = {label(kind[:3], chapter, name): text for name, text in saved.items()}
        captions = own_captions(cell, kind) or {k: v for k, v in labels.items() if k in named}
        shown = count_shown(cell, output) if cell.get("execution_count") else len(captions)
        found |= dict(list(captions.items())[max(0, len(captions) - shown) :])
    return found


def own_captions(cell: Cell, kind: str) -> dict[str, str]:
    """Return name and caption of the tables, or of the figure, that a cell's metadata describe."""
    own = cell["metadata"].get("mystnb", {}).get(kind, [])
    own = own if isinstance(own, list) else [own]
    return {one["name"]: one["caption"] for one in own if "caption" in one}


def numbered(names: list[str]) -> dict[str, str]:
    """Number tables and figures, each kind on its own.

    >>> numbered(["tab-04-sizes", "fig-04-data", "tab-04-parts"])
    {'tab-04-sizes': 'Table 1', 'fig-04-data': 'Figure 1', 'tab-04-parts': 'Table 2'}
    """
    so_far: Counter[str] = Counter()
    numbers = {}
    for name in names:
        kind = "Table" if name.startswith("tab") else "Figure"
        so_far[kind] += 1
        numbers[name] = f"{kind} {so_far[kind]}"
    return numbers


def plain(text: str, numbers: dict[str, str]) -> str:
    """Return a text with its references written out, and its boxes as quotations.

    >>> print(plain("{numref}`fig-04-data` {cite:p}`sarris2012`", {"fig-04-data": "Figure 1"}))
    Figure 1 ([Sarris et al. 2012](https://doi.org/10.1002/uog.10082))
    >>> print(plain(":::{warning}\\nFor research\\nonly.\\n:::", {}))
    > **Warning.** For research
    > only.
    """

    def written_out(role: re.Match[str]) -> str:
        if role[1] == "numref":
            return numbers.get(role[2], role[2])
        keys = [key.strip() for key in role[2].split(",")]
        if role[1] == "cite:t":
            return ", ".join(linked(key, "{} ({})") for key in keys)
        return f"({'; '.join(linked(key, '{} {}') for key in keys)})"

    def quoted(box: re.Match[str]) -> str:
        return "> " + f"**{box[1].capitalize()}.** {box[2]}".replace("\n", "\n> ")

    return BOX.sub(quoted, ROLE.sub(written_out, text))


def linked(key: str, form: str) -> str:
    """Return authors and year of a work in a form, with a link to where it is published."""
    works, labels = bibliography(project_root() / "book" / "references.bib")
    if key not in labels:
        return key
    fields = works.entries[key].fields
    links = [f"{start}{fields[name]}" for name, start in LINKS.items() if name in fields]
    words = form.format(*labels[key])
    return f"[{words}]({links[0]})" if links else words


@cache
def bibliography(path: Path) -> tuple[BibliographyData, dict[str, tuple[str, str]]]:
    """Read the works that a book cites, none without the file, and authors and year of each.

    Works that share both have a letter after the year.
    """
    from pybtex.database import BibliographyData, parse_file

    works = parse_file(str(path)) if path.is_file() else BibliographyData()
    labels = {key: (authors(entry), entry.fields["year"]) for key, entry in works.entries.items()}
    shared, seen = Counter(labels.values()), Counter[tuple[str, str]]()
    for key, named_as in labels.items():
        if shared[named_as] > 1:
            labels[key] = (named_as[0], named_as[1] + "abcdefgh"[seen[named_as]])
            seen[named_as] += 1
    return works, labels


def authors(entry: Entry) -> str:
    """Return the authors of a work as a text names them."""
    from pybtex.richtext import Text

    people = entry.persons.get("author") or entry.persons.get("editor", [])
    names = [
        str(Text.from_latex(" ".join([*one.prelast_names, *one.last_names]))) for one in people
    ]
    if len(names) > 2 or names[1:] == ["others"]:
        return f"{names[0]} et al."
    return " and ".join(names)


def reference_list(keys: list[str]) -> str:
    """Return the list of works that ends a notebook."""
    from pybtex.plugin import find_plugin

    works, labels = bibliography(project_root() / "book" / "references.bib")
    known = sorted(set(keys) & set(labels), key=lambda key: " ".join(labels[key]).lower())
    style = find_plugin("pybtex.style.formatting", "plain")()
    backend = find_plugin("pybtex.backends", "markdown")()
    lines = [
        f"- **{' '.join(labels[work.key])}** {' '.join(work.text.render(backend).split())}"
        for work in style.format_bibliography(works, known)
    ]
    return "\n".join(["## References", "", *lines])
