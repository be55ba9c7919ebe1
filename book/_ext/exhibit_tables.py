"""Turn the HTML tables that cells print into tables of the page, numbered where captioned.

pandas writes a table as HTML with a style of its own. As a table of the document it gets the
site's style, a header that screen readers know as one, a box of its own to scroll in, and, with a
caption, a number and a name to refer to. Captions come with the staged notebook: ``exhibits`` in
the metadata of a cell has one entry, or null, a table.
"""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.transforms import SphinxTransform

ONE = r"[-+−±]?\s?\d[\d,.]*(e[-+]?\d+)?( ?%)?"
NUMBER = re.compile(rf"{ONE}( \({ONE} to {ONE}\))?")
NO_ROWS = "<table><tr><td>no rows</td></tr></table>"


class PrintedTables(SphinxTransform):
    """Replace every printed HTML table below a code cell."""

    default_priority = 400  # names of tables must be there before Sphinx collects labels, at 850

    def apply(self, **_: Any) -> None:
        """Go through the cells of the page."""
        for cell in list(self.document.findall(is_code_cell)):
            raws = [node for node in cell.findall(nodes.raw) if is_printed_table(node)]
            entries = cell["cell_metadata"].get("exhibits", [])
            entries = [*entries, *[None] * len(raws)][: len(raws)]
            for raw, entry in zip(raws, entries, strict=True):
                table = read_table(raw.astext())
                raw.parent.replace(raw, table)
                if entry:
                    self.caption(table, entry)

    def caption(self, table: nodes.table, entry: dict[str, str]) -> None:
        """Give a table its caption, and the name by which text refers to it."""
        table.insert(0, nodes.title("", entry["caption"]))
        table["names"].append(nodes.fully_normalize_name(entry["name"]))
        self.document.note_explicit_target(table, table)


def is_code_cell(node: nodes.Node) -> bool:
    """Tell whether a node is a code cell of a notebook."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def is_printed_table(node: nodes.raw) -> bool:
    """Tell whether a raw node is HTML that holds a table and nothing to run."""
    text = node.astext()
    return node.get("format") == "html" and "<table" in text and "<script" not in text


def read_table(html: str) -> nodes.table:
    """Read the first table of a piece of HTML; cells are taken as plain text."""
    found = BeautifulSoup(html, "html.parser").find("table")
    if not found.find(["th", "td"]):
        found = BeautifulSoup(NO_ROWS, "html.parser").find("table")
    head, body = found.find("thead"), found.find("tbody") or found
    rows = [part.find_all("tr", recursive=False) for part in (head, body) if part]
    width = max(sum(span(cell, "colspan") for cell in cells(row)) for part in rows for row in part)
    stubs = max((len(row.find_all("th")) for row in rows[-1]), default=0)
    group = nodes.tgroup(cols=width)
    group += [nodes.colspec(colwidth=1, stub=int(k < stubs)) for k in range(width)]
    for part, kind in zip(rows, (nodes.thead, nodes.tbody)[-len(rows) :], strict=True):
        group += kind("", *(read_row(row) for row in part))
    if head:
        join_index_names(group[-2])
        align_header(group[-2][-1], group[-1])
    return nodes.table("", group, classes=["printed"])


def join_index_names(head: nodes.thead) -> None:
    """Put the names of an index, which pandas writes as a row of its own, into the row above."""
    if len(head) < 2 or len(head[-1]) != len(head[-2]):
        return
    pairs = list(zip(head[-2], head[-1], strict=True))
    if not any(above.astext() and below.astext() for above, below in pairs):
        for above, below in pairs:
            above += [child.deepcopy() for child in below]
        head.remove(head[-1])


def align_header(header: nodes.row, body: nodes.tbody) -> None:
    """Put the header of a column of numbers above its numbers."""
    rows = [row for row in body if len(row) == len(header)]
    for column, entry in enumerate(header):
        if rows and all("number" in row[column]["classes"] for row in rows):
            entry["classes"].append("number")


def read_row(row: Tag) -> nodes.row:
    """Read a row; a number is marked for alignment, unless it names the row."""
    read = nodes.row()
    for cell in cells(row):
        text = " ".join(cell.get_text(" ").split())
        entry = nodes.entry("", *([read_text(text)] if text else []))
        for name, more in (("colspan", "morecols"), ("rowspan", "morerows")):
            if span(cell, name) > 1:
                entry[more] = span(cell, name) - 1
        if cell.name == "td" and is_number(text):
            entry["classes"].append("number")
        read += entry
    return read


def read_text(text: str) -> nodes.paragraph:
    """Read the text of a cell; the interval behind a number may break lines, the number may not."""
    number, bracket, interval = text.partition(" (") if is_number(text) else (text, "", "")
    read = nodes.paragraph(text, number)
    if interval:
        read += nodes.inline("", f"{bracket}{interval}", classes=["interval"])
    return read


def cells(row: Tag) -> list[Tag]:
    """List the cells of a row."""
    return row.find_all(["th", "td"], recursive=False)


def span(cell: Tag, name: str) -> int:
    """Return how many columns or rows a cell covers."""
    return int(cell.get(name) or 1)


def is_number(text: str) -> bool:
    """Tell whether a text is a number, alone or with its interval, as in 0.97 (0.95 to 1)."""
    return bool(NUMBER.fullmatch(text))


def setup(app: Any) -> dict[str, bool]:
    """Register the transform with Sphinx."""
    app.add_transform(PrintedTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
