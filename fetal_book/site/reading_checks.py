"""Check what a reader needs of a built site: images with words for them, pages that load fast."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fetal_book.site.checks import read_kept, written_pages
from fetal_book.site.kept import Kept

MAX_PAGE_MB = 3.0
MAX_FIRST_PAGE_MB = 1.5
FIRST_PAGE = "intro.html"
MAX_SITE_MB = 60.0
WHOLE_BOOK = "print.html"  # every picture of the book on one page, so heavier than a page may be
PACKED = {".html", ".css", ".js", ".svg", ".json"}
EXTERNAL = re.compile(r"^https?://", re.IGNORECASE)


def page_mb(path: Path, kept: Kept | None = None) -> float:
    """Return what a browser downloads to show a page, in MB.

    Text counts as packed by gzip, which static hosts do; images as they are.
    """
    loads = [urlsplit(url) for url in read_kept(path, kept).loads]
    local = {unquote(parts.path) for parts in loads if not parts.scheme and not parts.netloc}
    files = {(path.parent / name).resolve() for name in local if name} | {path.resolve()}
    return sum(_sent_bytes(file, kept) for file in files if file.is_file()) / 1e6


def wordless_images(site: Path, kept: Kept | None = None) -> list[str]:
    """List the images of a built site that have no words for who does not see them."""
    found = []
    for path in written_pages(site):
        name = path.relative_to(site).as_posix()
        for source in read_kept(path, kept).wordless:
            found.append(f"{name}: the image {Path(source).name} has no alternative text")
    return found


def heavy_pages(site: Path, kept: Kept | None = None) -> list[str]:
    """List the pages of a built site that load too much, and the site if it is too large.

    The first page, which people open on phones, may load half as much as another. Runs on other
    data have other pictures, so a build tells of this and `fetal-lib book check` refuses it.
    """
    _sent_bytes.cache_clear()
    return [*_page_weights(site, kept), *_site_weight(site)]


def _page_weights(site: Path, kept: Kept | None) -> Iterator[str]:
    for path in written_pages(site):
        name = path.relative_to(site).as_posix()
        weight = page_mb(path, kept)
        limit = MAX_FIRST_PAGE_MB if name == FIRST_PAGE else MAX_PAGE_MB
        if weight > limit and name != WHOLE_BOOK:
            yield f"{name}: loads {weight:.1f} MB; it may load {limit:g} MB"


def _site_weight(site: Path) -> Iterator[str]:
    weight = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6
    if weight > MAX_SITE_MB:
        yield f"the site has {weight:.0f} MB; it may have {MAX_SITE_MB:.0f} MB"


@cache
def _sent_bytes(path: Path, kept: Kept | None) -> int:
    if path.suffix not in PACKED:
        return path.stat().st_size
    return int((kept or Kept())(_gzip_bytes, path.read_bytes()))


def _gzip_bytes(content: bytes) -> bytes:
    return str(len(gzip.compress(content, 6))).encode()


def external_links(site: Path) -> dict[str, list[str]]:
    """List the addresses outside the site that pages link to, each with the pages that do."""
    found: dict[str, list[str]] = {}
    for path in written_pages(site):
        links = read_kept(path).links
        for url in dict.fromkeys(url.partition("#")[0] for url in links if EXTERNAL.match(url)):
            found.setdefault(url, []).append(path.relative_to(site).as_posix())
    return dict(sorted(found.items()))


def dead_links(site: Path, timeout_s: float = 20) -> list[str]:
    """Ask every address outside the site, and list those that do not answer well.

    A host that refuses programs (403, 405, 429) counts as there.
    """
    import requests

    problems = []
    for url, pages in external_links(site).items():
        try:
            answer = requests.get(url, timeout=timeout_s, stream=True)
            answer.close()
            state = f"answers {answer.status_code}"
            dead = answer.status_code >= 400 and answer.status_code not in (403, 405, 429)
        except requests.RequestException as error:
            state, dead = f"does not answer ({type(error).__name__})", True
        if dead:
            problems.append(f"{pages[0]}: {url} {state}")
    return problems
