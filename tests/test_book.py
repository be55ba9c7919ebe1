"""Claims about the book: contents, generated pages, checks of the site."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from fetal_book.runs.results import result_row
from fetal_book.site import checks, contents, jobs, launch, results_page

PROJECT = Path(__file__).resolve().parents[1]
BOOK = PROJECT / "book"
ROW = {
    "model": "unet",
    "data": "phantom",
    "split": "test",
    "metric": "dice",
    "value": 0.97214,
    "unit": "",
    "n": 9,
    "ci95": [0.9701, 0.9743],
}


def write_run(folder: Path, *rows: dict, **record: object) -> Path:
    folder.mkdir(parents=True)
    facts = {
        "chapter": "04_head_circumference",
        "title": "Heads",
        "status": "ok",
        "profile": "smoke",
        "data": "phantom",
        "parameters": {"data": {"value": "phantom"}},
    }
    (folder / "record.json").write_text(json.dumps(facts | record), encoding="utf-8")
    results = {"schema": 1, "chapter": "04_head_circumference", "rows": list(rows), "timings": []}
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (folder / "executed.ipynb").write_text('{"cells": []}', encoding="utf-8")
    return folder


def write_page(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(
        f"<html><body>{body}{'<p>text</p>' * 500}</body></html>", encoding="utf-8"
    )


def test_every_page_of_the_contents_exists() -> None:
    from fetal_book.parameters.chapters import CHAPTERS

    plan = {
        chapter["name"]
        for chapter in yaml.safe_load((BOOK / "chapters.yml").read_text(encoding="utf-8"))
    }
    for file in contents.page_files(
        yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    ):
        if file.startswith(contents.NOTEBOOKS):
            assert file.removeprefix(contents.NOTEBOOKS) in plan | set(CHAPTERS)
        else:
            assert (BOOK / f"{file}.md").is_file(), file
    assert plan <= set(CHAPTERS)


def test_every_page_that_people_write_is_in_the_contents() -> None:
    listed = set(
        contents.page_files(yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8")))
    )
    made = {BOOK / name for name in (*jobs.MADE, "published", "exercises")}  # parts of chapters
    written = [path for path in BOOK.rglob("*.md") if not made & set(path.parents)]
    assert {path.relative_to(BOOK).with_suffix("").as_posix() for path in written} <= listed


def test_missing_chapter_stays_out_of_the_contents_and_is_called_not_yet_built() -> None:
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    files = contents.page_files(contents.filter_contents(toc, ["04_head_circumference"]))
    assert [file for file in files if file.startswith("notebooks/")] == [
        "notebooks/04_head_circumference"
    ]
    plan = yaml.safe_load((BOOK / "chapters.yml").read_text(encoding="utf-8"))
    table = contents.chapters_table(
        plan, {"04_head_circumference": "built, smoke profile on phantoms"}
    )
    assert table.count("not yet built") == 4
    assert table.count("](notebooks/") == 1


def test_the_table_of_the_chapters_names_the_runs_on_real_data_before_those_on_phantoms(
    tmp_path: Path,
) -> None:
    name = "04_head_circumference"
    write_run(tmp_path / "book" / "published" / name / "hc18-quick", ROW, data="hc18")
    write_run(tmp_path / "runs" / "book" / name, ROW)
    kept = contents.kept_runs(tmp_path, [name])
    assert list(kept) == [name] and kept[name].startswith("kept: {ref}`run hc18-quick <run-04-")


def test_every_citation_has_an_entry_and_every_entry_is_cited() -> None:
    entries = set(
        re.findall(
            r"^@\w+\{(\w+),", (BOOK / "references.bib").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    texts = [*BOOK.glob("*.md"), *BOOK.glob("*/*.md"), *(PROJECT / "notebooks").glob("*.py")]
    cited = set()
    for path in texts:
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", path.read_text(encoding="utf-8")):
            cited |= {key.strip() for key in keys.split(",")}
    assert cited <= entries
    assert entries


def test_results_page_shows_value_interval_and_direction(tmp_path: Path) -> None:
    write_run(
        tmp_path / "runs" / "book" / "04_head_circumference",
        ROW,
        ROW | {"model": "mean", "value": 0.5, "ci95": None},
        result_row(model="mean", data="phantom", split="test", metric="adf_mm", value=2.5, n=7),
    )
    results_page.write_results(tmp_path, ["04_head_circumference"])
    page = (tmp_path / "book" / "generated" / "results.md").read_text(encoding="utf-8")
    assert "## 04 Heads, on phantoms" in page
    link = "<run-04-smoke-phantom-shown>`"
    assert "| Model | `dice` ↑ | `adf_mm`, mm ↓ | n |" in page
    mean = f"| mean | {{ref}}`0.500 {link} | {{ref}}`2.50 {link} (n 7) | 9 |\n"
    assert f"| unet | {{ref}}`0.972 {link} (0.970 to 0.974) |  | 9 |\n{mean}" in page
    assert "| **Data** | phantoms, made up by this project |" in page
    again = "`fetal-lib run 04_head_circumference --profile smoke`"
    assert f"| **Makes it again** | {again} |" in page
    table = (
        (tmp_path / "book" / "generated" / "results.csv").read_text(encoding="utf-8").splitlines()
    )
    assert len(table) == 4 and table[0].startswith("chapter,run,model")


def test_published_runs_join_the_results(tmp_path: Path) -> None:
    write_run(
        tmp_path / "book" / "published" / "04_head_circumference" / "hc18",
        ROW | {"data": "hc18"},
        data="hc18",
    )
    results_page.write_results(tmp_path, [])
    page = (tmp_path / "book" / "generated" / "results.md").read_text(encoding="utf-8")
    assert "04 Heads, on hc18" in page
    kept = tmp_path / "book" / "published" / "04_head_circumference" / "hc18"
    assert jobs.published_results(tmp_path) == [
        "book/published/04_head_circumference/hc18/results.json"
    ]
    (kept / "figures").mkdir()
    (kept / "figures" / "index.json").write_text("{}")
    assert set(jobs.published_files(tmp_path)) == {
        f"{kept.relative_to(tmp_path).as_posix()}/{name}"
        for name in ("record.json", "results.json", "figures/index.json")
    }


def test_without_runs_the_results_page_says_so(tmp_path: Path) -> None:
    results_page.write_results(tmp_path, [])
    assert "No chapter has been run" in (tmp_path / "book" / "generated" / "results.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("record", "order", "kept"),
    [
        ({}, ("smoke", "phantom"), True),
        ({"status": "failed"}, ("smoke", "phantom"), False),
        ({}, ("quick", "phantom"), False),
        ({}, ("smoke", "hc18"), False),
    ],
)
def test_marker_is_believed_for_the_same_finished_order_only(
    tmp_path: Path, record: dict, order: tuple[str, str], kept: bool
) -> None:
    write_run(jobs.run_folder(tmp_path, "04_x"), ROW, **record)
    marker = jobs.marker_path(tmp_path, "04_x")
    marker.parent.mkdir(parents=True)
    marker.write_text("smoke\nphantom\n", encoding="utf-8")
    jobs.drop_false_markers(tmp_path, order[0], {"04_x": order[1]})
    assert marker.exists() == kept


def test_deleted_result_makes_the_chapter_run_again(tmp_path: Path) -> None:
    folder = write_run(jobs.run_folder(tmp_path, "04_x"), ROW)
    marker = jobs.marker_path(tmp_path, "04_x")
    marker.parent.mkdir(parents=True)
    marker.write_text("smoke\nphantom\n", encoding="utf-8")
    (folder / "results.json").unlink()
    jobs.drop_false_markers(tmp_path, "smoke", {"04_x": "phantom"})
    assert not marker.exists()


def test_chapter_depends_on_the_modules_that_its_last_run_used() -> None:
    everything = jobs.chapter_inputs(PROJECT, "04_no_run_of_this_name")
    assert "fetal_lib/geometry/ellipse.py" in everything and len(everything) > 30


def test_sound_site_has_no_problems(tmp_path: Path) -> None:
    write_page(
        tmp_path, "a.html", '<h1 id="top-of-a">A</h1><a href="b.html#here">b</a><img src="p.png">'
    )
    write_page(tmp_path, "b.html", '<h2 id="here">B</h2><a href="https://example.org">far</a>')
    (tmp_path / "p.png").write_bytes(b"png")
    assert checks.site_problems(tmp_path, ["a", "b"]) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            '<script src="https://cdn.example.org/x.js"></script>',
            "loads https://cdn.example.org/x.js from another host",
        ),
        ('<link rel="stylesheet" href="//fonts.example.org/f.css">', "from another host"),
        ('<style>@import "https://example.org/a.css";</style>', "from another host"),
        ('<p style="background:url(http://example.org/a.png)">', "from another host"),
        ('<img srcset="https://example.org/a.png 2x">', "from another host"),
        ('<a href="gone.html">gone</a>', "gone.html, which is not there"),
        ('<a href="#nowhere">x</a>', "#nowhere, which is not there"),
        ('<img src="gone.svg">', "gone.svg, which is not there"),
    ],
)
def test_unsound_page_is_named(tmp_path: Path, body: str, problem: str) -> None:
    write_page(tmp_path, "a.html", body)
    found = checks.site_problems(tmp_path, ["a"])
    assert len(found) == 1 and found[0].startswith("a.html: ") and problem in found[0]


def test_missing_and_empty_pages_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.html").write_text("<html></html>", encoding="utf-8")
    found = checks.site_problems(tmp_path, ["empty", "missing"])
    assert found == [
        "empty.html: the page is empty (13 bytes)",
        "missing.html: the page is missing",
    ]


def test_remote_font_in_a_style_sheet_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.css").write_text(
        "@font-face{src:url('https://example.org/f.woff2')}", encoding="utf-8"
    )
    assert checks.site_problems(tmp_path, []) == [
        "s.css: loads https://example.org/f.woff2 from another host"
    ]


def test_error_output_in_a_chapter_is_named(tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
    notebook = {"cells": [{"cell_type": "code", "source": "", "outputs": [error]}]}
    (tmp_path / "04_x.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    assert checks.notebook_errors(tmp_path) == ["04_x.ipynb: cell 0 ended with ValueError: no"]


def test_workflow_command_names_profile_data_and_cores(tmp_path: Path) -> None:
    command = launch.snakemake_command(
        tmp_path, profile="full", data="my data", cores=3, workflow_profile="local", gpu=1
    )
    assert command[command.index("--cores") + 1] == "3"
    assert command[command.index("--config") + 1 :] == ["profile=full", "data=my data", "gpu=1"]


def test_lock_is_seen_only_where_one_is(tmp_path: Path) -> None:
    assert not launch.has_lock(tmp_path)
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    assert not launch.has_lock(tmp_path)
    (tmp_path / ".snakemake" / "locks" / "0.input.lock").touch()
    assert launch.has_lock(tmp_path)
    assert launch.live_workflows(tmp_path) == []
