"""Galleries of right and wrong cases: one piece of HTML each, which a page can sort.

``run.save_gallery(tiles, "name", "caption")`` writes ``galleries/<name>.html``. The pictures are in
it, so that a notebook shows it alone; the site's own script adds the order and the choice of kind.
Without the script the cases stand in the order given.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Tile:
    """Hold a case as it is shown.

    Attributes
    ----------
    picture : bytes
        WebP.
    name : str
        Of the case, such as the file's.
    kind : str
        What became of it, in a few words, such as ``within 3 %``.
    values : mapping of str to (float, str)
        What cases are sorted by: name and unit to the number and its text.
    """

    picture: bytes
    name: str
    kind: str
    values: Mapping[str, tuple[float, str]]


def gallery_html(tiles: Sequence[Tile], name: str, caption: str) -> str:
    """Write a gallery as HTML: a list of figures, the numbers that sort it in their attributes."""
    keys = list(dict.fromkeys(key for tile in tiles for key in tile.values))
    items = "\n".join(_item(tile, keys) for tile in tiles)
    counts = {kind: sum(tile.kind == kind for tile in tiles) for kind in _kinds(tiles)}
    told = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    heads = escape(json.dumps(keys), quote=True)
    return (
        f'<section class="case-gallery" id="gallery-{name.replace("_", "-")}" '
        f'aria-label="{escape(caption, quote=True)}" data-keys="{heads}">\n'
        f"<p>{escape(caption)} Shown: {escape(told)}.</p>\n<ol>\n{items}\n</ol>\n</section>\n"
    )


def _kinds(tiles: Sequence[Tile]) -> list[str]:
    return list(dict.fromkeys(tile.kind for tile in tiles))


def _item(tile: Tile, keys: list[str]) -> str:
    image = base64.b64encode(tile.picture).decode()
    values = [tile.values.get(key, (float("nan"), "–")) for key in keys]
    numbers = json.dumps([None if value != value else float(f"{value:.6g}") for value, _ in values])
    texts = (text for _, text in values)
    words = "; ".join(f"{k.partition(' (')[0]} {text}" for k, text in zip(keys, texts, strict=True))
    kind = escape(tile.kind, quote=True)
    return (
        f'<li data-kind="{kind}" data-values="{numbers}"><figure><img loading="lazy" '
        f'alt="{escape(tile.name, quote=True)}: {kind}" '
        f'src="data:image/webp;base64,{image}"/><figcaption><strong>{escape(tile.kind)}</strong> '
        f"{escape(words)}</figcaption></figure></li>"
    )
