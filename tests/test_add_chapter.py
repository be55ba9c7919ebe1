"""Claims about a further chapter: the files on the page "Add a chapter" are all that it takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from chapter_checks import oversized_cells, typed_results
from made_up_project import call_cli, copy_project

from fetal_book.parameters.chapters import (
    CHAPTERS,
    PLANNED,
    Chapter,
    ChapterError,
    further_chapters,
)
from fetal_lib.data.catalogue import load_manifest, manifest_names
from fetal_lib.data.verify import verify_folder
from fetal_lib.growth.intergrowth_size import size_mm

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "book" / "howto" / "add_chapter.md"
BLOCK = re.compile(
    r"^```\{code-block\} \w+\n:caption: ([^\n]+)\n\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
CHAPTER = "06_femur_age"
CONTENTS = "book/_toc.yml"
LAST_LINE = "      - file: notebooks/05_brain_age\n"


def blocks() -> dict[str, str]:
    """Return the page's files, name to text."""
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    return {caption.partition(",")[0]: text for caption, text in found}


def write_blocks(root: Path) -> None:
    """Do what the page says: write its files, add its line to the table of contents."""
    for name, text in blocks().items():
        path = root / name
        if name == CONTENTS:
            old = path.read_text(encoding="utf-8")
            assert LAST_LINE in old
            text = old.replace(LAST_LINE, LAST_LINE + text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_the_page_has_a_notebook_a_class_its_profiles_a_manifest_and_a_line():
    assert list(blocks()) == [
        f"notebooks/{CHAPTER}.py",
        "fetal_book/parameters/femur_age.py",
        f"fetal_book/parameters/profiles/{CHAPTER}.yml",
        "data_manifests/own_femurs.yml",
        CONTENTS,
    ]
    assert blocks()[CONTENTS] == f"      - file: notebooks/{CHAPTER}\n"


def test_the_pages_notebook_keeps_the_rules_for_notebooks(tmp_path):
    path = tmp_path / "06.py"
    path.write_text(blocks()[f"notebooks/{CHAPTER}.py"], encoding="utf-8")
    assert oversized_cells(path) == [] and typed_results(path) == []


def test_what_the_page_draws_has_no_problem_for_the_verifier_that_it_names(tmp_path, monkeypatch):
    (draw,) = re.findall(
        r"def write_phantoms.*?(?=\n\n\n)", blocks()[f"notebooks/{CHAPTER}.py"], re.S
    )
    names = {"np": np, "pd": pd, "size_mm": size_mm, "p": SimpleNamespace(seed=0, n_fetuses=300)}
    exec(draw, names)
    names["write_phantoms"](tmp_path)
    manifest = yaml.safe_load(blocks()["data_manifests/own_femurs.yml"])
    report = verify_folder(tmp_path)
    assert (report.layout, report.n_cases) == (manifest["verifier"], 300)
    assert report.ok and not report.notes


@pytest.mark.parametrize("chapter", PLANNED, ids=lambda chapter: chapter.name)
def test_parameters_and_profiles_are_found_by_the_chapters_name(chapter):
    assert chapter.parameters_class().__module__ == f"fetal_book.parameters.{chapter.topic}"
    profiles = PROJECT / "fetal_book" / "parameters" / "profiles"
    assert (profiles / f"{chapter.name}.yml").is_file()


def test_a_chapter_without_its_class_says_what_to_write_and_where():
    with pytest.raises(ChapterError, match="class KneeAngleParameters in fetal_book/param"):
        Chapter("07_knee_angle", "Knees").parameters_class()


def test_a_class_whose_own_import_fails_is_not_called_missing(tmp_path, monkeypatch):
    import fetal_book.parameters

    (tmp_path / "broken_toy.py").write_text("import no_such_module_at_all\n", encoding="utf-8")
    monkeypatch.setattr(
        fetal_book.parameters, "__path__", [*fetal_book.parameters.__path__, str(tmp_path)]
    )
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        Chapter("07_broken_toy", "Broken").parameters_class()


def test_numbered_notebooks_are_chapters_and_drafts_until_the_contents_list_them(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("04_head_circumference", "06_toy", "07_other", "scratch", "08-draft"):
        (folder / f"{name}.py").write_text(f"# %% [markdown]\n# # About {name}\n", "utf-8")
    assert further_chapters(tmp_path) == [
        Chapter("06_toy", "About 06_toy", draft=True),
        Chapter("07_other", "About 07_other", draft=True),
    ]
    contents = tmp_path / CONTENTS
    contents.parent.mkdir()
    contents.write_text("    #  - file: notebooks/07_other\n      - file: notebooks/06_toy\n")
    assert [chapter.draft for chapter in further_chapters(tmp_path)] == [False, True]


@pytest.mark.parametrize("name", manifest_names())
def test_a_manifest_names_chapters_that_exist(name):
    assert set(load_manifest(name).chapters) <= set(CHAPTERS)


class Copy:
    """A copy of the project without its runs, its site and its own chapters."""

    def __init__(self, root: Path) -> None:
        self.root = copy_project(root)
        (root / "notebooks").mkdir()

    def call(self, *words: str) -> str:
        code, output, errors = call_cli(self.root, *words)
        assert code == 0, output + errors
        return output

    def page(self, name: str) -> str:
        return (self.root / "book" / "_build" / "html" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    copy = Copy(tmp_path_factory.mktemp("work") / "a project")
    write_blocks(copy.root)
    copy.call("notebooks", "sync")
    copy.call("book", "build", "--profile", "smoke")
    return copy


@pytest.mark.slow
def test_the_toy_chapter_has_a_page_results_a_status_and_a_row_on_the_first_page(built: Copy):
    page = built.page(f"notebooks/{CHAPTER}.html")
    assert "Gestational age from the femur" in page and "Made-up data" in page
    assert f'href="notebooks/{CHAPTER}.html"' in built.page("intro.html")
    assert "a straight line (NumPy), against the mean age" in built.page("intro.html")
    results = (built.root / "book" / "generated" / "results.csv").read_text(encoding="utf-8")
    rows = [line for line in results.splitlines() if line.startswith(CHAPTER)]
    assert sorted(row.split(",")[2] for row in rows) == ["line", "mean"]
    shown = built.page("results.html")
    assert "Gestational age from the femur" in shown and "mae_days" in shown
    status = (built.root / "book" / "generated" / "status.md").read_text(encoding="utf-8")
    (row,) = [line for line in status.splitlines() if "Gestational age from the femur" in line]
    assert row.startswith("| 06 ") and "| ok smoke |" in row and "up to date" in row


@pytest.mark.slow
def test_the_toy_chapters_line_beats_the_mean_and_its_profile_was_read(built: Copy):
    run = built.root / "runs" / "book" / CHAPTER
    rows = json.loads((run / "results.json").read_text(encoding="utf-8"))["rows"]
    errors = {row["model"]: row["value"] for row in rows}
    assert errors["line"] < errors["mean"] / 2
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    assert record["parameters"]["n_fetuses"] == {"value": 60, "origin": "profile smoke"}


@pytest.mark.slow
def test_the_toy_chapter_is_known_to_the_command_line(built: Copy):
    assert "06_femur_age: Gestational age from the femur." in built.call("parameters", "06")
    assert "06_femur_age" in built.call("status")
    assert "subject names the fetus" in built.call("data", "show", "own_femurs")
    assert "equal    06_femur_age.ipynb" in built.call("notebooks", "check")


@pytest.mark.slow
def test_a_real_site_is_released_twice_alike_and_holds_the_chapter(built: Copy):
    built.call("book", "release", "--dirty")
    built.call("book", "release", "--dirty", "--out", "again")
    dist, again = built.root / "dist", built.root / "again"
    assert len(list(dist.iterdir())) == 5
    assert all(path.read_bytes() == (again / path.name).read_bytes() for path in dist.iterdir())
    manifest = json.loads((dist / "manifest.json").read_text(encoding="utf-8"))
    assert [run["chapter"] for run in manifest["runs"]] == [CHAPTER]
    paths = {entry["path"] for entry in manifest["files"]}
    assert {"site/index.html", f"site/notebooks/{CHAPTER}.html", "site/search.html"} <= paths
