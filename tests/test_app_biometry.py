"""The tab for biometry: the scans of one examination in, one report out."""

from __future__ import annotations

import csv
import io
from urllib.request import urlopen

import pytest
from app_pages import FIELD, PHONE, at, drop, served
from made_up_app import png, shelf_of
from made_up_biometry import GA_DAYS, BiometryOracle, abdomen, femur, head, nothing, write_scans

from fetal_book.app import biometry
from fetal_book.app.shelf import TASKS, choices, named
from fetal_book.app.uploads import ScaleNeeded, Upload
from fetal_lib.growth.gestation import format_weeks_days
from fetal_lib.predict.columns import COLUMNS

MM = 0.12
SCANS = (head(), abdomen(), femur(pixel_size_mm=MM), nothing())


@pytest.fixture
def shelf(tmp_path):
    return shelf_of(BiometryOracle(*SCANS), tmp_path)


@pytest.fixture
def files(tmp_path):
    for one in SCANS:
        (tmp_path / one.name).write_bytes(png(one.image))
    return [Upload(tmp_path / one.name, one.name) for one in SCANS]


def saved(html: str, kind: str) -> str:
    """Return what a link of the result saves."""
    start = html.index(f"data:{kind}")
    return urlopen(html[start : html.index('"', start)]).read().decode()


def test_several_scans_give_one_report_with_a_weight(files, shelf) -> None:
    html = biometry.answer_files(files, shelf, None, str(MM), format_weeks_days(GA_DAYS))
    assert "Estimated fetal weight" in html and "Hadlock 1985 from AC, FL, BPD, HC" in html
    assert html.count("<figure>") == 4 and "30+0 weeks, known from elsewhere" in html
    assert "nothing.png: no plane of fetal biometry is recognised" in html
    rows = list(csv.DictReader(io.StringIO(saved(html, "text/csv"))))
    assert list(rows[0]) == [*COLUMNS["biometry"], "model"]
    assert [row["plane"] for row in rows] == ["head", "abdomen", "femur", "other"]
    assert float(rows[2]["fl_mm"]) == pytest.approx(SCANS[2].mm, rel=0.01)
    page = saved(html, "text/html")
    assert page.startswith("<!doctype html>") and "EFW" not in page[:200]
    assert "window.print()" in html and "CC BY-NC-SA 4.0" in page


def test_one_scan_is_a_report_too_and_nothing_is_not_known(files, shelf) -> None:
    html = biometry.answer_files(files[2:3], shelf, None, str(MM))
    assert "FL " in html and "a weight needs an abdomen" in html
    assert "I don’t know" in biometry.answer_files(files[3:], shelf, None, str(MM))


def test_without_a_scale_it_is_asked_for(files, shelf) -> None:
    with pytest.raises(ScaleNeeded, match="type the pixel size"):
        biometry.answer_files(files, shelf)


def test_the_shipped_network_is_the_only_choice() -> None:
    (choice,) = choices(TASKS["biometry"])
    assert choice.run == "shipped with fetal-lib" and choice.kind == "real data"
    assert named(TASKS["biometry"].loader)(choice.folder).spec.licence


@pytest.mark.slow
@pytest.mark.browser
def test_scans_dropped_together_give_one_report_that_prints_without_the_page_around_it(
    tabs, tmp_path
) -> None:
    pytest.importorskip("gradio")
    folder = write_scans(tmp_path / "scans", *SCANS[:2])
    with served() as server:
        page = at(tabs, server, "Biometry", **PHONE)
        page.type(FIELD.format("biometry-size"), str(MM))
        text = drop(page, "biometry", *sorted(folder.iterdir()))
        assert "Estimated fetal weight" in text and "AC, HC" in text
        assert page.count("#result-biometry .fl-exam img") == 2
        assert page.run("document.documentElement.scrollWidth") == PHONE["width"]
        page.call("Emulation.setEmulatedMedia", media="print")
        shown = "getComputedStyle(document.querySelector('{}')).display != 'none'"
        assert page.run(shown.format("#result-biometry .fl-exam"))
        assert not page.run(shown.format("#result-biometry .fl-button"))
        assert page.run("document.querySelector('#files-biometry').offsetParent === null")
