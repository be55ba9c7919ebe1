"""Help readers: the whole book on one page in the menu of downloads, references as a list, names
that a page has once."""

from __future__ import annotations

import re
from typing import Any

MENU = "download-buttons"
REPEATED = re.compile(r' id="(exercise|solution)-content"')
"""Names that sphinx-exercise gives to every exercise of a page."""
FOLDED_SOURCE = re.compile(r">(Show|Hide) the source</p>")
"""What MyST-NB calls folded code; in this book a source is one of the five projects."""


def offer_whole_book(
    app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Add the link to the menu, after the theme has made it."""
    for button in context.get("header_buttons", []):
        if button.get("label") == MENU:
            entry = {
                "type": "link",
                "url": context["pathto"]("print.html", 1),
                "tooltip": "The whole book on one page, to print or to read offline",
                "text": "Whole book",
                "icon": "fas fa-file",
                "label": "whole-book-button",
            }
            button["buttons"].append(entry)


def name_references(
    app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Call the entries of a list of references its items, no two parts of a page the same, and
    folded code by its name."""
    body = context.get("body", "")
    if 'class="citation-list"' in body:
        body = body.replace('role="doc-biblioentry"', 'role="listitem"')
    if body:
        context["body"] = FOLDED_SOURCE.sub(r">\1 the code</p>", REPEATED.sub("", body))


def setup(app: Any) -> dict[str, bool]:
    """Register the hook with Sphinx."""
    app.connect("html-page-context", name_references)
    app.connect("html-page-context", offer_whole_book, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
