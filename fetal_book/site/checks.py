"""Check a built site: every page is there, nothing is loaded from another host, no link inside it
is broken.

Sphinx is content with a notebook that holds an error, with a missing page and with a script on
another host, so these are looked for in what it wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fetal_book.site.kept import Kept

MIN_PAGE_BYTES = 4000
LOADED_ATTRIBUTES = {"src", "srcset", "data", "poster"}
LOADING_LINKS = set(
    "stylesheet icon shortcut preload prefetch modulepreload manifest preconnect".split()
)
REMOTE = re.compile(r"^(https?:)?//", re.IGNORECASE)
CSS_URL = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", re.IGNORECASE)


@dataclass
class Page:
    """What a page of HTML refers to.

    Attributes
    ----------
    loads : what a browser fetches to show the page: scripts, styles, images, fonts.
    links : where a reader can go from it.
    anchors : places in it that a link can name.
    wordless : images without alternative text, but for decoration.
    """

    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    wordless: list[str] = field(default_factory=list)


class _PageParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        self.page.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        for name in LOADED_ATTRIBUTES & values.keys():
            listed = values[name].split(",") if name == "srcset" else [values[name]]
            self.page.loads += [part.split()[0] for part in listed if part.strip()]
        self.page.loads += _css_urls(values.get("style", ""))
        if tag == "link" and LOADING_LINKS & set(values.get("rel", "").lower().split()):
            self.page.loads.append(values.get("href", ""))
        elif tag == "a" and values.get("href"):
            self.page.links.append(values["href"])
        elif tag == "img" and not is_decoration(values) and not values.get("alt", "").strip():
            self.page.wordless.append(values.get("src", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.page.loads += _css_urls(data)


def is_decoration(attributes: dict[str, str]) -> bool:
    """Tell whether an image is there for the eye only."""
    hidden = attributes.get("aria-hidden") == "true"
    return hidden or attributes.get("role") in ("presentation", "none")


def read_page(html: str) -> Page:
    """Collect what a page loads, where it links to, its anchors, and its images without words.

    Examples
    --------
    >>> page = read_page('<img src="a.png"><a href="b.html#c">b</a><h1 id="top">t</h1>')
    >>> page.loads, page.links, page.anchors, page.wordless
    (['a.png'], ['b.html#c'], {'top'}, ['a.png'])
    """
    parser = _PageParser()
    parser.feed(html)
    return parser.page


def read_kept(path: Path, kept: Kept | None = None) -> Page:
    """Read a written page as ``read_page`` does; a page that was read before is not parsed."""
    return read_all_kept([path], kept)[path]


def read_all_kept(paths: list[Path], kept: Kept | None = None) -> dict[Path, Page]:
    """Read written pages as ``read_page`` does; those that were read before are not parsed."""
    contents = [path.read_bytes() for path in paths]
    found = [json.loads(page) for page in (kept or Kept()).all(_page_json, contents)]
    pages = [Page(**page | {"anchors": set(page["anchors"])}) for page in found]
    return dict(zip(paths, pages, strict=True))


def _page_json(html: bytes) -> bytes:
    page = asdict(read_page(html.decode("utf-8")))
    return json.dumps(page | {"anchors": sorted(page["anchors"])}).encode()


def written_pages(site: Path) -> list[Path]:
    """List the pages of a site without the theme's own templates."""
    return [path for path in sorted(site.rglob("*.html")) if site / "_static" not in path.parents]


def site_problems(site: Path, pages: list[str], kept: Kept | None = None) -> list[str]:
    """List what is wrong with a built site, one sentence each; pages come without suffix."""
    read = read_all_kept(written_pages(site), kept)
    _place.cache_clear()
    problems = [*_missing_pages(site, pages)]
    for path, page in read.items():
        name = path.relative_to(site).as_posix()
        problems += [
            f"{name}: loads {url} from another host" for url in page.loads if REMOTE.match(url)
        ]
        problems += [
            f"{name}: refers to {url}, which is not there"
            for url in _broken(site, path, page, read)
        ]
    for path in sorted(site.rglob("*.css")):
        name, css = path.relative_to(site).as_posix(), path.read_text("utf-8", "replace")
        remote = [url for url in _css_urls(css) if REMOTE.match(url)]
        problems += [f"{name}: loads {url} from another host" for url in remote]
    return problems


def notebook_errors(folder: Path) -> list[str]:
    """List the error outputs in a folder of executed notebooks, one sentence each."""
    problems = []
    for path in sorted(folder.glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for index, cell in enumerate(cells):
            for output in cell.get("outputs", []):
                if output["output_type"] == "error":
                    what = f"{output['ename']}: {output['evalue']}"
                    problems.append(f"{path.name}: cell {index} ended with {what}")
    return problems


def _css_urls(css: str) -> list[str]:
    return [first or second for first, second in CSS_URL.findall(css)]


def _missing_pages(site: Path, pages: list[str]) -> Iterator[str]:
    for page in pages:
        path = site / f"{page}.html"
        if not path.is_file():
            yield f"{page}.html: the page is missing"
        elif path.stat().st_size < MIN_PAGE_BYTES:
            yield f"{page}.html: the page is empty ({path.stat().st_size} bytes)"


def _broken(site: Path, path: Path, page: Page, read: dict[Path, Page]) -> Iterator[str]:
    """Find references inside the site that lead nowhere."""
    for url in [*page.loads, *page.links]:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc or not url.strip():
            continue
        target, there = (
            _place(site, path.parent, unquote(parts.path)) if parts.path else (path, True)
        )
        in_page = read.get(target)
        if not there:
            yield url
        elif (
            in_page and parts.fragment and unquote(parts.fragment) not in in_page.anchors | {"top"}
        ):
            yield url


@cache
def _place(site: Path, folder: Path, name: str) -> tuple[Path, bool]:
    """Return the file that a reference from a folder means, and whether the site has it."""
    target = (folder / name).resolve()
    target = target / "index.html" if target.is_dir() else target
    return target, target.is_file() and site.resolve() in target.parents
