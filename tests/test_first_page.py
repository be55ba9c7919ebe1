"""The first page: a picture, a number and a way to read, run and try each chapter."""

import json
import re

import pytest
import yaml
from PIL import Image
from test_book import BOOK, ROW, write_run
from test_claims import SHOWN, SOURCE, millimetres

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.runs.published import published_runs
from fetal_book.site.claims import NUMBER
from fetal_book.site.entries import read_entries
from fetal_book.site.first_page import STRIPS_FILE, Strip, strongest, write_first_page
from fetal_book.site.shown_runs import shown_runs

CHAPTER = "04_head_circumference"
STRIP = {
    "chapter": CHAPTER,
    "number": {"model": "unet", "metric": "adf_mm"},
    "measures": "mean difference",
    "said": "that it is easy.",
    "holds": "it takes geometry: [[unet adf_mm]]. Never [[gone adf_mm]].",
    "figures": ["gone", "predictions"],
    "phantoms": "heads",
    "credit": "HC18, CC BY 4.0",
    "try": {"Measure": "try_it.md"},
}


def page(root, *rows, data="hc18", figure=True):
    """Write a project with one strip and one kept run; return its first page."""
    folder = root / "book" / "published" / CHAPTER / "kept"
    write_run(folder, *rows, data=data)
    (folder / "figures").mkdir()
    if figure:
        Image.new("RGB", (40, 20)).save(folder / "figures" / "predictions.png")
        words = {"predictions": {"caption": "Heads.", "alt": "Eight heads."}}
        (folder / "figures" / "index.json").write_text(json.dumps(words))
    drawn = root / "book" / "generated" / "phantoms"
    drawn.mkdir(parents=True)
    Image.new("L", (8, 8)).save(drawn / "heads.png")
    for name, content in ((STRIPS_FILE, [STRIP]), ("sources.yml", [SOURCE])):
        (root / "book" / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    write_first_page(root, [CHAPTER])
    return (root / "book" / "generated" / "first_page.md").read_text("utf-8")


def test_a_strip_shows_a_picture_a_number_of_its_run_and_where_to_go(tmp_path):
    text = page(tmp_path, millimetres("unet", "test", 2.1, data="hc18", ci95=[1.8, 2.4], n=146))
    assert "```{image} generated/first_page/04.webp\n:alt: Eight heads.\n" in text
    number = "[2.10 mm]{.big} mean difference (95 % interval 1.80 to 2.40, n 146, **hc18**, {ref}`"
    assert number in text and "[HC18, CC BY 4.0]{.credit}" in text
    assert "\n**Source 003 says** that it is easy.\n" in text
    holds = "**On real scans** it takes geometry: {ref}`2.10 mm <run-04-kept>` (1.80 to 2.40).\n"
    assert holds in text  # a sentence whose number no run has is left out
    page_link = f"[Read](notebooks/{CHAPTER}.ipynb)"
    assert f"{page_link} · [Run it](howto/rerun.md) · [Measure](try_it.md)" in text
    assert "leak ladder" not in text  # no rung on real data


def test_without_a_figure_or_a_number_it_says_so_and_shows_phantoms(tmp_path):
    text = page(tmp_path, ROW | {"model": "mean"}, figure=False)
    assert "No run in this book has this number yet." in text
    with Image.open(tmp_path / "book" / "generated" / "first_page" / "04.webp") as shown:
        assert shown.size == (8, 8)


@pytest.mark.parametrize(("low", "high", "shown"), [(-3.0, -1.0, True), (-3.0, 0.5, False)])
def test_the_strongest_rung_is_beyond_chance_and_without_a_caveat(tmp_path, low, high, shown):
    sources = [SOURCE | {"flaws": [{k: v for k, v in SOURCE["flaws"][0].items() if k != "note"}]}]
    folder = tmp_path / "book" / "published" / CHAPTER / "kept"
    write_run(folder, *[row | {"data": "hc18"} for row in SHOWN], data="hc18")
    (folder / "tables").mkdir()
    lines = f"flawed,honest,metric,difference,low,high\nold,unet,adf_mm,-2.0,{low},{high}\n"
    (folder / "tables" / "flaws.csv").write_text(lines)
    from fetal_book.site.claims import Source

    runs = shown_runs(tmp_path, [])
    whole = [Source.model_validate(one) for one in sources]
    assert bool(strongest(whole, runs)) is shown
    noted = [Source.model_validate(SOURCE)]
    assert strongest(noted, runs) is None


def test_every_chapter_has_a_strip_whose_numbers_runs_have_and_whose_links_lead_somewhere():
    strips = read_entries(BOOK / STRIPS_FILE, list[Strip])
    assert sorted(one.chapter for one in strips) == sorted(list(CHAPTERS)[:5])
    for one in strips:
        for target in one.links.values():
            path, _, anchor = target.partition("#")
            text = (BOOK / path).read_text("utf-8")
            heads = {re.sub(r"\W+", "-", h.lower()) for h in re.findall(r"^## (.+)$", text, re.M)}
            assert not anchor or anchor in heads, target
        rows = [row for run in published_runs(one.chapter) for row in run.rows]
        known = {(row["model"], row["metric"], row["split"]) for row in rows}
        wanted = {(*place.split(), "test")[:3] for place in NUMBER.findall(one.holds)}
        wanted.add((one.number.model, one.number.metric, one.number.split or "test"))
        assert not known or wanted <= known, wanted - known
