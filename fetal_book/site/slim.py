"""Take out of a built site what no reader sees: source maps, icons, colour of grey images, bytes
of large pictures of scans, and the second copy of each notebook's outputs."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_book.site.kept import Kept

if TYPE_CHECKING:
    from PIL import Image

ICON_SCRIPT = "_static/scripts/fontawesome.js"
LARGE_IMAGE_BYTES = 50_000
IMAGE_FOLDERS = ("_images", "_downloads")
SCAN_QUALITY = 88
"""Of a picture of scans on a page, of 100; its download keeps every pixel."""
PNG_LEVEL = 6
"""Of zlib; 9, which ``optimize`` takes, needs three times as long for 4 % fewer bytes."""
SCAN_SHARE = 0.6
"""A picture holds scans, not lines, where WebP takes less than this share of its bytes."""
PAGE_IMAGE = re.compile(r"(_images/[^\"'()<>]+)\.png")
USED = re.compile(r"\bfa-([a-z0-9-]+)")
ALIAS = re.compile(r'"([a-z0-9-]+)"')
ICON = re.compile(
    r'(?P<quote>"?)(?P<name>[a-z0-9][a-z0-9-]*)(?P=quote):\[\d+,\d+,(?P<aliases>\[[^\]]*\]),'
    r'"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?'
)


def slim_site(site: Path, kept: Kept | None = None) -> None:
    """Drop source maps, store large images of scans on pages as WebP and all others without loss in
    fewer bytes, take the outputs out of the notebooks behind the theme's button, and drop from its
    script of icons those that nothing in the site names.

    The script holds about two thousand icons in one and a half megabytes, which every page loads.
    The theme's style sheet has a rule for each of them, which draws none: only pages and scripts
    are asked what they name. The executed notebook of a chapter stays: it is among the downloads of
    its page. What was packed before is taken from ``kept``.
    """
    packed = kept or Kept()
    for path in site.rglob("*.map"):
        path.unlink()
    for path in (site / "_sources").rglob("*.ipynb"):
        path.write_bytes(packed(without_outputs, path.read_bytes()))
    send_scans_as_webp(site, packed)
    images = [path for name in IMAGE_FOLDERS for path in (site / name).rglob("*.png")]
    large = [path for path in images if path.stat().st_size > LARGE_IMAGE_BYTES]
    for path, content in zip(large, packed.all(smaller_png, _read(large)), strict=True):
        path.write_bytes(content)
    script = site / ICON_SCRIPT
    if not script.is_file():
        return
    texts = [p for p in site.rglob("*") if p.suffix in (".html", ".js") and p != script]
    used = {name for path in texts for name in USED.findall(path.read_text("utf-8", "replace"))}
    script.write_text(keep_icons(script.read_text(encoding="utf-8"), used), encoding="utf-8")


def send_scans_as_webp(site: Path, packed: Kept) -> None:
    """Store large pictures of scans on pages as WebP, and name that on every page.

    A figure of lines stays a PNG: WebP makes it larger, or its lines grey.
    """
    large = [p for p in (site / "_images").glob("*.png") if p.stat().st_size > LARGE_IMAGE_BYTES]
    found = dict(zip(large, packed.all(scan_as_webp, _read(large)), strict=True))
    sent = {f"_images/{path.stem}" for path, content in found.items() if content}
    for path, content in found.items():
        if content:
            path.with_suffix(".webp").write_bytes(content)
            path.unlink()
    for page in site.rglob("*.html") if sent else ():
        text = page.read_text(encoding="utf-8")
        to = PAGE_IMAGE.sub(lambda m: f"{m[1]}.webp" if m[1] in sent else m[0], text)
        if to != text:
            page.write_text(to, encoding="utf-8")


def _read(paths: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def scan_as_webp(content: bytes) -> bytes:
    """Return an opaque PNG as WebP where that takes far fewer bytes, else nothing."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        if not is_opaque(image):
            return b""
        packed = io.BytesIO()
        image.convert("RGB").save(packed, "WEBP", quality=SCAN_QUALITY)
    return packed.getvalue() if packed.tell() < SCAN_SHARE * len(content) else b""


def is_opaque(image: Image.Image) -> bool:
    """Say whether every pixel of a grey or coloured image hides what is behind it."""
    if image.mode == "RGBA":
        return image.getchannel("A").getextrema()[0] == 255
    return image.mode in ("L", "RGB") and "transparency" not in image.info


def without_outputs(notebook: bytes) -> bytes:
    """Return a notebook's JSON with its code and text, and no outputs.

    Examples
    --------
    >>> without_outputs(b'{"cells": [{"cell_type": "code", "source": "1", "outputs": [1]}]}')
    b'{"cells": [{"cell_type": "code", "source": "1", "outputs": [], "execution_count": null}]}'
    """
    content = json.loads(notebook)
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return json.dumps(content).encode()


def keep_icons(script: str, names: set[str]) -> str:
    """Drop the icons of other names from Font Awesome's script.

    Examples
    --------
    >>> keep_icons('{bars:[448,512,["navicon"],"f0c9","M0"],"a-b":[1,2,[],"f1","M1"]}', {"navicon"})
    '{bars:[448,512,["navicon"],"f0c9","M0"],}'
    """

    def kept(match: re.Match[str]) -> str:
        known = {match["name"], *ALIAS.findall(match["aliases"])}
        return match[0] if known & names else ""

    return ICON.sub(kept, script)


def smaller_png(content: bytes) -> bytes:
    """Return the same image as a PNG without the channels that carry nothing.

    An opaque image loses its transparency, a grey one its colours; what does not get smaller
    stays as it is.
    """
    import numpy as np
    from PIL import Image

    image = Image.open(io.BytesIO(content))
    if image.mode == "L" or not is_opaque(image):
        return content
    pixels = np.asarray(image.convert("RGB"))
    grey = (pixels == pixels[..., :1]).all()
    packed = io.BytesIO()
    image.convert("L" if grey else "RGB").save(packed, "PNG", compress_level=PNG_LEVEL)
    return min(content, packed.getvalue(), key=len)
