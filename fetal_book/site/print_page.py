"""Write the whole book as one page, to print or to read without turning pages.

It is put together from the built pages, so that numbers of figures and tables are the same ones.
"""

from __future__ import annotations

import json
import posixpath
import re
from html import escape
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from bs4 import BeautifulSoup, SoupStrainer

from fetal_book.site.kept import Kept

NAME = "print.html"
LEFT_OUT = (
    "a.headerlink, script, style, button, .onlyprint, .prev-next-footer, .downloads, summary, "
    "details.hide:not(:has(.cell_output)), details.hide .cell_input"
)
NOT_FOR_PAPER = ("try_it", "api/")  # nothing without scripts; looked up, not read
STYLES = re.compile(r'<link[^>]*href="([^"?]*_static/[^"?]*\.css)')
MATHJAX = re.compile(r"<script>window\.MathJax = .*?</script>", re.DOTALL)
REFERRING = ("href", "src", "for", "aria-labelledby", "aria-describedby", "xlink:href")


def write_print_page(site: Path, pages: list[str], title: str, kept: Kept | None = None) -> Path:
    """Write ``print.html`` beside the pages of a built site."""
    first = (site / f"{pages[0]}.html").read_text(encoding="utf-8")
    chosen = [page for page in pages if not page.startswith(NOT_FOR_PAPER)]
    texts = [(site / f"{page}.html").read_text(encoding="utf-8") for page in chosen]
    given = [
        json.dumps([page, chosen, text]).encode() for page, text in zip(chosen, texts, strict=True)
    ]
    bodies = [json.loads(body) for body in (kept or Kept()).all(page_body, given)]
    contents = [
        f'<li><a href="#{anchor(page)}">{escape(name)}</a></li>'
        for page, (name, _) in zip(chosen, bodies, strict=True)
    ]
    styles = [
        f'<link rel="stylesheet" href="{url}">' for url in dict.fromkeys(STYLES.findall(first))
    ]
    text = "\n".join(
        [
            '<!doctype html>\n<html lang="en" data-theme="light" data-mode="light">\n<head>',
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            f"<title>{escape(title)}, on one page</title>",
            *styles,
            *mathjax(site, chosen),
            '</head>\n<body class="whole-book">\n<main class="bd-article">',
            f"<h1>{escape(title)}</h1>",
            '<p class="not-printed"><a href="index.html">Back to the pages</a></p>',
            f'<nav aria-label="Contents"><ol>{"".join(contents)}</ol></nav>',
            *(body for _, body in bodies),
            '</main>\n<script src="_static/reading.js"></script>\n</body>\n</html>\n',
        ]
    )
    target = site / NAME
    target.write_text(text, encoding="utf-8")
    return target


def page_body(given: bytes) -> bytes:
    """Return a page's title, and its article as a section whose names and links fit the one page.

    Given and returned as JSON: the page's name, the names of all pages, the HTML; title and HTML.
    """
    page, pages, text = json.loads(given)
    article = BeautifulSoup(text, "html.parser", parse_only=SoupStrainer("article")).find("article")
    for part in article.select(LEFT_OUT):
        part.extract()
    for level in range(5, 0, -1):
        for heading in article.find_all(f"h{level}"):
            heading.name = f"h{level + 1}"
    for part in article.find_all(True):
        if part.get("id"):
            part["id"] = f"{anchor(page)}--{part['id']}"
        for name in REFERRING:
            if part.get(name):
                part[name] = moved(part[name], name, page, set(pages))
    for folded in article.select("details.sd-dropdown, details.hide"):
        folded["open"] = ""
    article.name, article.attrs = "section", {"id": anchor(page), "class": "book-page"}
    title = article.find("h2").get_text(strip=True)
    return json.dumps([title, str(article)]).encode()


def moved(value: str, name: str, page: str, pages: set[str]) -> str:
    """Return a reference of a page as the one page has to write it.

    Examples
    --------
    >>> moved("../glossary.html#term-dice", "href", "methods/metrics", {"glossary"})
    '#glossary--term-dice'
    >>> moved("../_images/a.png", "src", "methods/metrics", set())
    '_images/a.png'
    """
    if name in ("for", "aria-labelledby", "aria-describedby"):
        return " ".join(f"{anchor(page)}--{word}" for word in value.split())
    parts = urlsplit(value)
    if parts.scheme or parts.netloc:
        return value
    if not parts.path:
        return f"#{anchor(page)}--{parts.fragment}" if parts.fragment else f"#{anchor(page)}"
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), parts.path))
    target = path.removesuffix(".html")
    if path.endswith(".html") and target in pages:
        return f"#{anchor(target)}--{parts.fragment}" if parts.fragment else f"#{anchor(target)}"
    return urlunsplit(("", "", path, parts.query, parts.fragment))


def anchor(page: str) -> str:
    """Return the name of a page's section.

    Examples
    --------
    >>> anchor("methods/data_and_splits")
    'methods-data_and_splits'
    """
    return page.replace("/", "-")


def mathjax(site: Path, pages: list[str]) -> list[str]:
    """Return the scripts that set formulas, as the first page with formulas has them."""
    for page in pages:
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        if found := MATHJAX.search(text):
            return [found[0], '<script defer src="_static/mathjax/tex-svg.js"></script>']
    return []
