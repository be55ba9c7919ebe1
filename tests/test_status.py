"""Status and staging: what is said of a run, and what of it reaches the book."""

import json
import re

import pytest
from made_up_project import CHAPTER, parameters_source, run_folder

from fetal_book.parameters.chapters import get_chapter
from fetal_book.runs.record import RecordError, read_record
from fetal_book.runs.session import open_run
from fetal_book.runs.stage import StageError, stage_chapter
from fetal_book.runs.status import (
    chapter_statuses,
    up_to_date_text,
    write_status_page,
)
from fetal_lib.files.atomic import write_json


def finished_run(folder_of=None, **values):
    namespace = {}
    exec(parameters_source(), namespace)
    run = open_run(CHAPTER, namespace | values)
    run.data_fingerprint = "made up"
    run.add_result(model="mean", split="test", metric="dice", value=0.5)
    if folder_of is not None:
        run.fingerprint_folder(folder_of)
    run.finish()
    return run.folder


def change(folder, **values):
    record = read_record(folder)
    for name, value in values.items():
        setattr(record, name, value)
    record.write(folder)


def status():
    return chapter_statuses(get_chapter("04"))[0]


def test_a_chapter_without_a_run_says_so(project):
    assert status().status == "never run"


def test_a_fresh_run_is_up_to_date(project):
    finished_run()
    found = status()
    assert (found.status, found.stale, found.data) == ("ok", False, "phantom")
    assert found.again == f"fetal-lib run {CHAPTER} --profile quick"
    assert up_to_date_text(found) == "up to date"


def test_a_changed_notebook_makes_a_run_stale(project):
    finished_run()
    path = project / "notebooks" / f"{CHAPTER}.py"
    path.write_text(path.read_text().replace("Training", "Learning"))
    assert status().stale_because == ["the notebook changed"]


def test_changed_and_removed_modules_are_named(project):
    folder = finished_run()
    change(folder, modules={"fetal_lib.geometry.ellipse": "0", "fetal_lib.gone": "0"})
    because = status().stale_because
    assert because == ["changed: fetal_lib.geometry.ellipse", "removed: fetal_lib.gone"]


def test_a_changed_default_is_named_and_an_own_value_is_not(project):
    folder = finished_run(seed=7)
    parameters = read_record(folder).parameters
    new = parameters["epochs"]["value"]
    parameters["epochs"] = {"value": new + 1, "origin": "default"}
    change(folder, parameters=parameters)
    assert status().stale_because == [f"parameters: epochs {new + 1} -> {new}"]


def test_changed_data_makes_a_run_stale(project):
    (project / "heads").mkdir()
    (project / "heads" / "a").write_text("1")
    finished_run(folder_of=project / "heads")
    assert not status().stale
    (project / "heads" / "a").write_text("22")
    assert status().stale_because == ["the data changed"]


def test_a_changed_environment_names_the_key_packages(project):
    folder = finished_run()
    versions = read_record(folder).versions | {"numpy": "0.1"}
    change(folder, versions=versions, environment={"sha256": "0"})
    assert re.match(r"the environment changed \(numpy 0.1 -> \d", status().stale_because[0])


def test_a_running_record_without_a_process_is_shown_as_killed(project):
    folder = finished_run()
    change(folder, status="running", process={"pid": 1, "started": 1.0}, finished=None)
    found = status()
    assert (found.status, found.reason) == ("killed", "the process that ran it is gone")


def test_each_profile_and_data_has_its_newest_finished_run_and_what_failed_since(project):
    """Whoever started them: the book, `--out`; a failure does not hide what stands."""
    old = finished_run(out=str(project / "runs" / "longer"))
    change(old, started="2026-01-01T09:00:00.000Z", finished="2026-01-01T09:10:00.000Z")
    newest = finished_run(out=str(project / "runs" / "book" / CHAPTER))
    finished_run(profile="smoke")
    failed = finished_run(out=str(project / "runs" / "later"))
    change(failed, status="failed", reason="a cell raised OSError")
    broken = run_folder(project, "broken")
    broken.mkdir(exist_ok=True)
    (broken / "record.json").write_text("{")
    found = chapter_statuses(get_chapter("04"))
    assert [(one.profile, one.status, one.folder) for one in found] == [
        ("quick", "ok", newest.relative_to(project).as_posix()),
        ("quick", "failed", "runs/later"),
        ("smoke", "ok", f"runs/{CHAPTER}/smoke-phantom"),
    ]


def test_sweeps_tell_how_far_they_are_and_hide_no_run_of_their_chapter(project):
    from typer.testing import CliRunner

    from fetal_book.cli import app
    from fetal_book.runs.sweep import Sweep
    from fetal_book.runs.sweep_state import note_sweep

    finished_run()
    folder = project / "runs" / "sweeps" / "widths"
    note_sweep(Sweep(chapter="04", grid={"base_filters": [4, 8]}, seeds=[0, 1]), folder)
    for name in ("base_filters-4-seed-0", "base_filters-4-seed-1"):
        finished_run(out=str(folder / name))
    failed = finished_run(out=str(folder / "base_filters-8-seed-0"))
    change(failed, status="failed", reason="no memory")
    table = CliRunner().invoke(app, ["status"]).output
    assert re.search(
        r"^widths +04_head_circumference +quick +2/4 finished; failed: base_filters-8-seed-0, in",
        table,
        re.M,
    )
    known = json.loads(CliRunner().invoke(app, ["status", "--json"]).output)
    assert known["sweeps"][0]["finished"] == 2 and known["sweeps"][0]["cases"] == 4
    assert [run["folder"] for run in known["runs"] if run["folder"]] == [
        f"runs/{CHAPTER}/quick-phantom"
    ]


def test_the_status_page_is_a_table_with_a_row_a_chapter(project, tmp_path):
    finished_run(out=str(project / "runs" / "book" / CHAPTER))
    page = tmp_path / "status.md"
    write_status_page(page)
    lines = page.read_text().splitlines()
    assert len({line.count("|") for line in lines}) == 1
    line = next(line for line in lines if line.startswith("| 04 "))
    assert "phantom (made up)" in line and "up to date" in line


def executed(folder, **cell):
    """Put an executed notebook into a run folder."""
    code = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "id": "one"}
    code["execution_count"] = 1
    injected = {
        **code,
        "id": "two",
        "metadata": {"tags": ["injected-parameters"], "papermill": {"duration": 1}},
        "source": '# Parameters\ndata = "/home/somebody/heads"\n',
    }
    title = {"cell_type": "markdown", "metadata": {}, "source": "# Title\n\nText.", "id": "t"}
    cells = [title, injected, {**code, "metadata": {"tags": ["remove-cell"]}, **cell}]
    write_json(
        folder / "executed.ipynb",
        {"cells": cells, "metadata": {"papermill": {}}, "nbformat": 4, "nbformat_minor": 5},
    )


def test_a_staged_page_has_the_run_box_after_its_title_and_hides_nothing(project, tmp_path):
    import nbformat

    folder = finished_run(seed=7)
    (folder / "figures").mkdir()
    (folder / "figures" / "heads.svg").write_text("<svg/>")
    executed(folder)
    page = stage_chapter(folder, tmp_path / "book")
    assert page == tmp_path / "book" / "notebooks" / f"{CHAPTER}.ipynb"
    notebook = nbformat.read(page, as_version=4)
    nbformat.validate(notebook)
    sources = [cell.source for cell in notebook.cells]
    assert sources[0] == "# Title" and sources[2] == "Text."
    assert (
        "Made-up data" in sources[1] and "**ok**" in sources[1] and "-p seed=7\n```" in sources[1]
    )
    assert notebook.cells[3].metadata.tags == ["injected-parameters", "hide-input"]
    assert sources[3] == '# Parameters\ndata = "heads"\n'
    assert notebook.cells[4].metadata.tags == ["remove-cell"]
    assert "papermill" not in json.dumps(notebook)
    assert (tmp_path / "book" / "runs" / CHAPTER / "figures" / "heads.svg").is_file()


def test_a_page_of_a_smoke_run_says_what_that_is(project, tmp_path):
    folder = finished_run(profile="smoke")
    executed(folder)
    text = stage_chapter(folder, tmp_path / "book").read_text()
    assert "**A smoke run**: it proves that the chapter runs; its numbers say nothing." in text


def test_a_page_with_an_error_or_of_an_unfinished_run_is_refused(project, tmp_path):
    folder = finished_run()
    with pytest.raises(StageError, match="executed.ipynb is missing"):
        stage_chapter(folder, tmp_path / "book")
    executed(folder, outputs=[{"output_type": "error", "ename": "ValueError"}])
    with pytest.raises(StageError, match="cell 3 holds an error output"):
        stage_chapter(folder, tmp_path / "book")
    executed(folder)
    change(folder, status="failed", reason="cell 2 raised OSError")
    with pytest.raises(RecordError, match="'failed' \\(cell 2 raised OSError\\)"):
        stage_chapter(folder, tmp_path / "book")
    with pytest.raises(RecordError, match="must hold a record.json"):
        stage_chapter(tmp_path / "nothing", tmp_path / "book")
    assert not (tmp_path / "book").exists()
