"""Put into a file of slides what nbconvert would load from the network: reveal.js, and MathJax."""

from __future__ import annotations

import re
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from fetal_book.parameters.project import project_root
from fetal_book.site.npm_package import get_package_files

LOCK = Path(__file__).with_name("slides_reveal.json")
MATHJAX = "book/_vendor/mathjax/tex-svg.js"
IMPORT = re.compile(rb"@import[^;]*;")
"""Of a theme: fonts from elsewhere."""
STYLE = """
.reveal { font-size: 26px; }
.reveal h1, .reveal h2, .reveal h3, .reveal h4 { text-transform: none; text-align: center; }
.reveal h4 { font-size: 0.9em; margin: 0; }
.reveal p { line-height: 1.35; }
.reveal h4 + p { font-size: 0.6em; margin: 0 0 0.6em; text-align: center; }
.reveal h4 + p em { color: #555; font-style: normal; }
.reveal .jp-RenderedHTMLCommon table { font-size: 0.62em; margin: 0 auto; }
.reveal .jp-OutputArea-output { max-height: 62vh; overflow: auto; }
.reveal .jp-OutputArea-output img { max-height: 58vh; width: auto; margin: 0 auto; }
.reveal .jp-RenderedMarkdown { max-width: 36em; margin: 0 auto; }
.reveal .case-gallery ol { display: flex; flex-wrap: wrap; list-style: none; margin: 0; }
.reveal .case-gallery li { width: 12em; font-size: 0.55em; }
"""
START = """
Reveal.initialize({hash: true, slideNumber: true, transition: "none", width: 1100, height: 700,
  plugins: [RevealNotes]});
"""
MATH = 'window.MathJax = {tex: {inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]]}};'


def without_network(html: str) -> str:
    """Return slides as nbconvert writes them, as one file that asks no other host for anything."""
    page = BeautifulSoup(html, "html.parser")
    scripts = [tag for tag in page.find_all("script") if is_loader(tag)]
    links = page.select('link[rel="stylesheet"]')
    for tag in [*scripts, *links]:
        tag.decompose()
    files = get_package_files(LOCK)
    styles = [IMPORT.sub(b"", files[name]).decode() for name in ("style", "theme")]
    for text in [*styles, STYLE]:
        page.head.append(_new(page, "style", text))
    parts = [files["script"].decode(), files["notes"].decode(), START]
    if "$" in page.body.get_text():
        parts = [MATH, (project_root() / MATHJAX).read_text(encoding="utf-8"), *parts]
    for text in parts:
        page.body.append(_new(page, "script", text.replace("</script", "<\\/script")))
    return str(page)


def is_loader(tag: Tag) -> bool:
    """Say whether a script loads others, or sets up what they are."""
    text = tag.get_text()
    loads = ("require(", "mermaid", "MathJax.Hub")
    return bool(tag.get("src")) or any(word in text for word in loads)


def _new(page: BeautifulSoup, name: str, text: str) -> Tag:
    tag = page.new_tag(name)
    tag.string = text
    return tag
