"""Galleries of cases: sorted and filtered in the page, by mouse or keys, whole without a script."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from chromium import OfflinePage, find_chromium
from test_book import BOOK, PROJECT

from fetal_book.runs.case_gallery import Tile, gallery_html

NAN = float("nan")
NO_PICTURES = ("oasis", "crl")
"""Data sets whose people are shown nowhere in the project."""


def tile(name, kind, error, dice):
    values = {"error (mm)": (error, f"{error:+.1f} mm"), "Dice": (dice, f"{dice:.2f}")}
    return Tile(b"RIFF", name, kind, values)


TILES = [
    tile("a", "right", 1.0, 0.95),
    tile("b", "not found", NAN, 0.0),
    tile("c", "wrong", -7.0, 0.80),
    tile("d", "right", 3.0, 0.90),
]


def test_a_gallery_is_whole_and_has_words_for_every_picture_without_its_script():
    page = BeautifulSoup(gallery_html(TILES, "some_heads", 'Heads, "all".'), "html.parser")
    assert (
        page.section["id"] == "gallery-some-heads" and page.section["aria-label"] == 'Heads, "all".'
    )
    assert [one["alt"] for one in page.select("li img")][1] == "b: not found"
    assert "2 right, 1 not found, 1 wrong" in page.get_text()
    assert page.select("li")[1].figcaption.get_text().endswith("Dice 0.00")


@pytest.mark.browser
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine")
def test_a_reader_sorts_and_filters_it_and_cases_without_a_value_stand_last(tmp_path):
    script = (BOOK / "_static" / "gallery.js").read_text("utf-8")
    html = gallery_html(TILES, "heads", "Heads.")
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html>{html}<script>{script}</script>", "utf-8")
    page = OfflinePage(tmp_path / "profile")
    order = "[...document.querySelectorAll('li:not([hidden]) img')].map(i => i.alt[0]).join('')"
    choose = (
        "((n, to) => {const s = document.querySelectorAll('select')[n]; s.value = to;"
        " s.dispatchEvent(new Event('change')); return 0;})"
    )
    try:
        page.open(path.as_uri())
        assert page.run(order) == "abcd"
        page.run(f"{choose}(0, '0')")
        assert page.run(order) == "dacb"
        page.run("document.querySelector('button').focus()")
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
            page.call("Input.dispatchKeyEvent", type=kind, **key)
        assert page.run(order) == "cadb" and page.text("button") == "lowest first"
        page.run(f"{choose}(1, '0')")
        assert page.run(order) == "ad" and page.text("[role=status]") == "2 of 4 shown"
        assert page.errors == []
    finally:
        page.close()


def test_no_person_of_a_set_that_forbids_it_stands_in_a_kept_gallery():
    found = [
        path.relative_to(PROJECT).as_posix()
        for path in Path(BOOK / "published").glob("*/*/galleries/*.html")
        if any(name in path.as_posix() for name in NO_PICTURES)
    ]
    assert found == []
