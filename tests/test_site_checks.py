"""Checks of a built site, what is taken out of it, and the one page of the whole book."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetal_book.site import checks, pdf, reading_checks, site
from fetal_book.site.kept import Kept
from fetal_book.site.slim import (
    LARGE_IMAGE_BYTES,
    keep_icons,
    scan_as_webp,
    slim_site,
    smaller_png,
)
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json

pytest.importorskip("bs4")
from fetal_book.site.print_page import write_print_page

ICON = '{0}:[512,512,{1},"f002","M416 208c0"],'


def write_page(path: Path, body: str, head: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<html><head>{head}</head><body>{body}</body></html>", encoding="utf-8")


@pytest.mark.parametrize(
    ("image", "wordless"),
    [
        ('<img src="a.png" alt="A head">', False),
        ('<img src="a.png">', True),
        ('<img src="a.png" alt="">', True),
        ('<img src="a.png" alt=" ">', True),
        ('<img src="a.png" alt="" role="presentation">', False),
        ('<img src="a.png" aria-hidden="true">', False),
    ],
)
def test_image_without_words_is_named(tmp_path: Path, image: str, wordless: bool) -> None:
    write_page(tmp_path / "a.html", image)
    expected = ["a.html: the image a.png has no alternative text"] if wordless else []
    assert reading_checks.wordless_images(tmp_path) == expected


def test_heavy_page_is_named_and_the_whole_book_may_be_heavy(tmp_path: Path) -> None:
    for name, size in (("noise.png", 3_100_000), ("half.png", 1_600_000)):
        (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(size))
    (tmp_path / "text.js").write_bytes(b"a" * 9_000_000)
    image = '<img src="noise.png" alt="noise">'
    write_page(tmp_path / "light.html", "", '<script src="text.js?v=1"></script>')
    write_page(tmp_path / "heavy.html", image)
    write_page(tmp_path / "print.html", image)
    for page in ("intro.html", "methods.html"):  # the first page may load half as much
        write_page(tmp_path / page, '<img src="half.png" alt="noise">')
    found = reading_checks.heavy_pages(tmp_path)
    assert found == [
        "heavy.html: loads 3.1 MB; it may load 3 MB",
        "intro.html: loads 1.6 MB; it may load 1.5 MB",
    ]


def test_heavy_site_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_checks, "MAX_SITE_MB", 1.0)
    (tmp_path / "data.bin").write_bytes(b"0" * 2_000_000)
    assert reading_checks.heavy_pages(tmp_path) == ["the site has 2 MB; it may have 1 MB"]


def test_dead_address_is_named_once_with_a_page_that_links_to_it(tmp_path, monkeypatch) -> None:
    import requests

    class Answer:
        def __init__(self, code: int) -> None:
            self.status_code = code

        def close(self) -> None:
            pass

    def get(url: str, **_: object) -> Answer:
        if "gone" in url:
            raise requests.ConnectionError
        return Answer({"https://a.example/404": 404, "https://a.example/403": 403}.get(url, 200))

    monkeypatch.setattr(requests, "get", get)
    links = ("a.example/ok#x", "a.example/ok#y", "a.example/404", "a.example/403", "gone.example")
    write_page(tmp_path / "a.html", "".join(f'<a href="https://{link}">x</a>' for link in links))
    write_page(tmp_path / "b.html", '<a href="https://gone.example">x</a>')
    assert list(reading_checks.external_links(tmp_path)) == [
        *("https://a.example/403", "https://a.example/404", "https://a.example/ok"),
        "https://gone.example",
    ]
    assert reading_checks.dead_links(tmp_path) == [
        "a.html: https://a.example/404 answers 404",
        "a.html: https://gone.example does not answer (ConnectionError)",
    ]


def test_only_icons_that_the_site_names_stay(tmp_path: Path) -> None:
    icons = ICON.format("bars", '["navicon"]') + ICON.format('"a-star"', "[9733]")
    icons += ICON.format('"magnifying-glass"', '[128269,"search"]')
    script = tmp_path / "_static" / "scripts" / "fontawesome.js"
    script.parent.mkdir(parents=True)
    script.write_text(f"var icons={{{icons}}};draw(icons);", encoding="utf-8")
    script.with_suffix(".js.map").write_text("{}", encoding="utf-8")
    write_page(tmp_path / "a.html", '<i class="fas fa-bars"></i><i class="fas fa-search"></i>')
    (tmp_path / "_static" / "theme.css").write_text('.fa-a-star{--fa:"*"}', encoding="utf-8")
    slim_site(tmp_path)
    text = script.read_text("utf-8")
    assert "bars:[" in text and '"magnifying-glass":[' in text and "a-star" not in text
    assert text.startswith("var icons={") and text.endswith("};draw(icons);")
    assert not script.with_suffix(".js.map").exists()


def test_notebook_behind_the_button_keeps_code_and_text_only(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Title"},
        {
            "cell_type": "code",
            "execution_count": 3,
            "metadata": {},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}],
            "source": "print(1)",
        },
    ]
    path = tmp_path / "_sources" / "notebooks" / "a.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {"kernelspec": {}}, "nbformat": 4}))
    slim_site(tmp_path)
    kept = json.loads(path.read_text("utf-8"))
    assert [cell["source"] for cell in kept["cells"]] == ["# Title", "print(1)"]
    assert kept["cells"][1]["outputs"] == [] and kept["cells"][1]["execution_count"] is None
    assert kept["metadata"] == {"kernelspec": {}} and kept["nbformat"] == 4


def test_icon_with_two_paths_is_dropped_whole() -> None:
    assert keep_icons('{a:[1,2,[],"f1",["M1","M2"]],b:[1,2,[],"f2","M3"]}', {"b"}) == (
        '{b:[1,2,[],"f2","M3"]}'
    )


@pytest.mark.parametrize("grey", [True, False])
def test_smaller_png_shows_the_same_pixels(grey: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    if grey:
        pixels[..., 1] = pixels[..., 2] = pixels[..., 0]
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    found = smaller_png(packed.getvalue())
    assert len(found) < len(packed.getvalue())
    image = Image.open(io.BytesIO(found))
    assert image.mode == ("L" if grey else "RGB")
    np.testing.assert_array_equal(np.asarray(image.convert("RGBA")), pixels)


def test_large_images_among_the_downloads_keep_their_pixels_in_fewer_bytes(tmp_path: Path) -> None:
    pixels = np.full((300, 300, 4), 255, dtype=np.uint8)
    pixels[..., :3] = np.random.default_rng(0).integers(0, 255, (300, 300, 1), dtype=np.uint8)
    path = tmp_path / "_downloads" / "0a1b" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path)
    before = path.stat().st_size
    slim_site(tmp_path)
    assert path.stat().st_size < before
    np.testing.assert_array_equal(np.asarray(Image.open(path).convert("RGBA")), pixels)


def test_pages_load_pictures_of_scans_as_webp_and_lines_as_they_were(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).normal(128, 20, (300, 300, 1)).clip(0, 255)
    scan = np.repeat(grey.astype(np.uint8), 3, axis=2)
    lines = np.full((1200, 1200, 3), 255, dtype=np.uint8)
    at = np.random.default_rng(1).integers(0, 1200, (2, 60_000))
    lines[at[0], at[1]] = (0, 90, 180)  # single pixels, which no lossy picture holds cheaply
    (tmp_path / "_images").mkdir()
    for name, pixels in {"scan": scan, "lines": lines}.items():
        path = tmp_path / "_images" / f"{name}.png"
        Image.fromarray(pixels).save(path)
        assert path.stat().st_size > LARGE_IMAGE_BYTES
    page = tmp_path / "notebooks" / "a.html"
    shown = '<img src="../_images/{}.png" alt="a"><a href="../_images/{}.png">large</a>'
    write_page(page, shown.format("scan", "scan") + shown.format("lines", "lines"))
    slim_site(tmp_path)
    sent = {path.name for path in (tmp_path / "_images").iterdir()}
    assert sent == {"scan.webp", "lines.png"}
    named = re.findall(r"_images/(\w+\.\w+)", page.read_text("utf-8"))
    assert named == ["scan.webp", "scan.webp", "lines.png", "lines.png"]
    with Image.open(tmp_path / "_images" / "scan.webp") as image:
        assert np.abs(np.asarray(image.convert("L")) - grey[..., 0]).mean() < 6


def test_a_picture_is_packed_once_and_forgotten_where_no_page_has_it(tmp_path, monkeypatch) -> None:
    pixels = np.random.default_rng(0).normal(128, 20, (300, 300, 3)).clip(0, 255).astype(np.uint8)
    picture, found = io.BytesIO(), {}
    Image.fromarray(pixels).save(picture, "PNG")
    for build in ("first", "second", "without"):
        site = tmp_path / build
        (site / "_images").mkdir(parents=True)
        if build != "without":
            (site / "_images" / "a.png").write_bytes(picture.getvalue())
        kept = Kept(tmp_path / "kept")
        slim_site(site, kept)
        kept.drop_others()
        found[build] = [path.read_bytes() for path in (site / "_images").iterdir()]
        monkeypatch.delattr(Image.Image, "save", raising=False)
    assert found["first"] == found["second"] != [] and not any(kept.folder.iterdir())


def test_many_contents_are_worked_out_in_processes_each_once_and_in_order(tmp_path) -> None:
    pages = [f'<img src="{k % 10}.png">'.encode() for k in range(24)]
    kept = Kept(tmp_path / "kept")
    found = kept.all(checks._page_json, pages)
    assert [json.loads(one)["loads"] for one in found] == [[f"{k % 10}.png"] for k in range(24)]
    assert len(list(kept.folder.iterdir())) == 10 and found == Kept().all(checks._page_json, pages)


@pytest.mark.parametrize(
    ("mode", "colour", "more"),
    [("RGBA", (9, 9, 9, 100), {}), ("RGB", (9, 9, 9), {"transparency": (9, 9, 9)})],
    ids=["each its own", "a colour"],
)
def test_png_with_transparent_pixels_stays_as_it_is(mode, colour, more) -> None:
    packed = io.BytesIO()
    Image.new(mode, (400, 400), colour).save(packed, "PNG", compress_level=0, **more)
    assert smaller_png(packed.getvalue()) == packed.getvalue()
    assert scan_as_webp(packed.getvalue()) == b""


def test_whole_book_has_every_page_and_its_links_stay_inside(tmp_path: Path) -> None:
    style = '<link rel="stylesheet" href="_static/a.css?v=1">'
    intro = '<article><h1>Intro<a class="headerlink" href="#x">#</a></h1>'
    intro += '<a href="methods/metrics.html#dice">Dice</a><a href="try_it.html">Try</a></article>'
    write_page(tmp_path / "intro.html", intro, style)
    body = '<article><h1>Metrics</h1><h2 id="dice">Dice</h2><img src="../_images/a.png" alt="A">'
    body += '<a href="#dice">up</a><a href="../intro.html">back</a><button>Copy</button>'
    body += '<details class="hide"><summary>Show</summary>code</details></article>'
    maths = "<script>window.MathJax = {}</script>"
    write_page(tmp_path / "methods" / "metrics.html", body, maths)
    pages = ["intro", "methods/metrics", "try_it", "api/growth"]
    for page in pages[2:]:
        write_page(tmp_path / f"{page}.html", "<article><h1>Try it</h1></article>")
    text = write_print_page(tmp_path, pages, "A & B").read_text()
    assert "<title>A &amp; B, on one page</title>" in text and 'href="_static/a.css"' in text
    assert "<h2>Intro</h2>" in text and '<h3 id="methods-metrics--dice">Dice</h3>' in text
    links = ('"#methods-metrics--dice">Dice', '"#methods-metrics--dice">up', '"#intro">back')
    assert [link for link in links if f"href={link}" not in text] == []
    assert 'href="try_it.html"' in text and 'src="_images/a.png"' in text
    assert not [word for word in ("<button", "code", "headerlink", "Try it") if word in text]
    assert text.index("window.MathJax") < text.index("_static/mathjax/tex-svg.js")


def test_pdf_without_site_or_browser_says_what_is_missing(tmp_path, monkeypatch) -> None:
    with pytest.raises(UserError, match="there is no print.html in it. Build the book first"):
        pdf.print_book(tmp_path, tmp_path / "a.pdf")
    write_page(tmp_path / "print.html", "text")
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="no Chromium was found"):
        pdf.print_book(tmp_path, tmp_path / "a.pdf")


@pytest.mark.parametrize(
    "changed", ["nothing", "requirements.lock", "book/_config.yml", "book/_ext/a.py", "frame.json"]
)
def test_pages_are_kept_as_read_by_a_sound_build_with_the_same_settings(
    tmp_path: Path, changed: str
) -> None:
    """A refused build leaves no ``frame.json``, and the warnings of its pages must come again."""
    reference, work = tmp_path / "book" / "generated" / "autoapi", tmp_path / "work"
    for name in ("requirements.lock", "_config.yml", "generated/_toc.yml", "_ext/a.py"):
        write_page(tmp_path / ("" if name == "requirements.lock" else "book") / name, "a")
    write_page(work / "page.doctree", "read")
    reference.mkdir()
    write_json(work / site.FRAME, site.page_frame(tmp_path))
    if changed == site.FRAME:
        (work / changed).unlink()
    elif changed != "nothing":
        write_page(tmp_path / changed, "b")
    site.keep_what_was_read(work, site.page_frame(tmp_path), reference)
    assert (work / "page.doctree").exists() == (changed == "nothing")
    assert not (work / site.FRAME).exists()
