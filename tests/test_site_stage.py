"""What a staged chapter says of its figures and tables, and what it offers for download."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import jupytext
import pytest
from made_up_project import CHAPTER

from fetal_book.runs.exhibits import describe_outputs, saved_captions
from fetal_book.runs.stage_downloads import buttons, percent_text, section, write_downloads, zipped

FIGURES = {"agreement": {"caption": "Agreement.", "alt": "A scatter plot."}}
TABLES = {"results": {"caption": "All models."}, "split": {"caption": "The split."}}
DRAW = 'figure = draw()\nrun.save_figure(figure, "agreement", "Agreement.", "A scatter plot.")'
TABLE = {"output_type": "execute_result", "data": {"text/html": ["<table>", "</table>"]}}
IMAGE = {"output_type": "display_data", "data": {"image/png": "iVBOR"}}


def described(source: str, *outputs: dict, **metadata: object) -> dict:
    cell = {"cell_type": "code", "source": source, "outputs": [*outputs], "metadata": metadata}
    describe_outputs(cell, CHAPTER, FIGURES, TABLES)
    return cell["metadata"]


def test_saved_figure_gives_its_cell_name_caption_and_alternative_text() -> None:
    found = described(DRAW, IMAGE)
    assert found["mystnb"]["figure"] == {"name": "fig-04-agreement", "caption": "Agreement."}
    assert found["mystnb"]["image"] == {"alt": "A scatter plot."}
    assert found["tags"] == ["hide-input"]


def test_caption_of_the_cell_itself_comes_first() -> None:
    own = {"figure": {"name": "fig-own", "caption": "Mine."}, "image": {"width": "80%"}}
    found = described(DRAW, IMAGE, mystnb=own, tags=["remove-input"])
    assert found["mystnb"]["figure"] == own["figure"]
    assert found["mystnb"]["image"] == {"alt": "A scatter plot.", "width": "80%"}
    assert found["tags"] == ["remove-input"]


@pytest.mark.parametrize(
    ("source", "tables", "expected"),
    [
        ('run.save_table(a, "results", "All.")\na', 1, ["tab-04-results"]),
        ('run.save_table(a, "results", "All.")\na', 2, [None, "tab-04-results"]),
        (
            'run.save_table(a, "split", "x")\nrun.save_table(b, "results", "y")',
            1,
            ["tab-04-results"],
        ),
        ('run.save_table(a, name="split", caption="x")', 1, ["tab-04-split"]),
        ('run.save_table(a, "results", "All.")', 0, []),
        ('run.save_table(a, f"results_{k}", "All.")', 1, []),
        ("a.describe()", 1, []),
    ],
)
def test_shown_table_takes_the_caption_it_was_saved_with(source, tables, expected) -> None:
    found = described(source, *[TABLE] * tables).get("exhibits", [])
    assert [entry and entry["name"] for entry in found] == expected
    assert all(entry["caption"] in ("All models.", "The split.") for entry in found if entry)


def test_table_that_is_only_shown_gets_a_caption_from_the_cell() -> None:
    own = {"table": {"name": "tab-04-first", "caption": "The first rows."}}
    found = described("table.head()", TABLE, mystnb=own)
    assert found["exhibits"] == [{"name": "tab-04-first", "caption": "The first rows."}]
    assert "table" not in found["mystnb"]


def test_cell_that_shows_two_tables_gives_each_its_caption() -> None:
    own = {"table": [{"name": "tab-04-a", "caption": "A."}, {"name": "tab-04-b", "caption": "B."}]}
    found = described("display(a)\ndisplay(b)", TABLE, TABLE, mystnb=own)
    assert [entry["name"] for entry in found["exhibits"]] == ["tab-04-a", "tab-04-b"]


def test_cell_that_drew_nothing_in_this_run_has_no_figure_to_caption() -> None:
    own = {"figure": {"name": "fig-own", "caption": "A curve."}}
    said = {"output_type": "display_data", "data": {"text/markdown": "no set was named"}}
    assert "figure" not in described("show()", said, mystnb=own)["mystnb"]


def test_cell_that_is_no_python_saves_nothing() -> None:
    assert saved_captions("%matplotlib inline\nrun.save_table(a, 'b', 'c')", "save_table") == {}


@pytest.fixture
def exhibits(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / CHAPTER
    for kind, index, endings in (
        ("figures", FIGURES, ("png", "svg")),
        ("tables", TABLES, ("csv",)),
    ):
        (folder / kind).mkdir(parents=True)
        (folder / kind / "index.json").write_text(json.dumps(index))
        for name in index:
            for ending in endings:
                (folder / kind / f"{name}.{ending}").write_text(f"{name} {ending}")
    for name in ("results.json", "record.json"):
        (folder / name).write_text("{}")
    return folder


def notebook() -> dict:
    code = {"cell_type": "code", "execution_count": 1, "outputs": [TABLE], "id": "a"}
    code["outputs"] = [TABLE | {"metadata": {}, "execution_count": 1}]
    given = code | {
        "source": ["seed = 7"],
        "metadata": {"tags": ["injected-parameters"]},
        "id": "b",
    }
    title = {"cell_type": "markdown", "source": ["# Heads\n", "Text."], "metadata": {}, "id": "c"}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python"}}
    cells = [title, given, code | {"source": ["1 + 1"], "metadata": {"tags": ["hide-input"]}}]
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def test_every_link_of_a_page_leads_to_a_file(exhibits: Path) -> None:
    write_downloads(notebook(), CHAPTER, exhibits)
    text = f"{buttons(CHAPTER, exhibits)}\n{section(CHAPTER, exhibits)}"
    links = re.findall(r"\{download\}`[^<]+ <\.\./runs/([^>]+)>`", text)
    assert len(links) == 5 + 2 + 2
    assert [link for link in links if not (exhibits.parent / link).is_file()] == []
    assert "| All models. |" in text and "(#downloads-04)" in text and "(downloads-04)=" in text
    with zipfile.ZipFile(exhibits / f"{CHAPTER}-tables.zip") as archive:
        assert archive.namelist() == ["results.csv", "split.csv"]
        assert archive.read("split.csv") == b"split csv"


def test_downloaded_notebook_has_its_outputs_and_its_text_has_no_injected_cell(exhibits) -> None:
    write_downloads(notebook(), CHAPTER, exhibits)
    kept = json.loads((exhibits / f"{CHAPTER}.ipynb").read_text("utf-8"))
    assert kept["cells"][0]["source"] == "".join(notebook()["cells"][0]["source"])
    assert kept["cells"][1:] == notebook()["cells"][1:] and kept["metadata"]["kernelspec"]
    text = (exhibits / f"{CHAPTER}.py").read_text("utf-8")
    assert text == percent_text(notebook()) and "seed = 7" not in text
    assert text.startswith("# %% [markdown]\n# # Heads\n")
    cells = jupytext.reads(text, fmt="py:percent").cells
    assert [cell.source for cell in cells] == ["# Heads\nText.", "1 + 1"]
    assert cells[1].metadata.tags == ["hide-input"]


def test_run_without_tables_and_figures_offers_what_it_has(tmp_path: Path) -> None:
    write_downloads(notebook(), CHAPTER, tmp_path)
    assert section(CHAPTER, tmp_path) == ""
    found = buttons(CHAPTER, tmp_path)
    assert found.count("{download}") == 2 and "Each figure" not in found


def test_archive_of_the_same_files_has_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1")
    first = zipped([path])
    path.touch()
    assert zipped([path]) == first
