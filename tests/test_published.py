"""Reference runs: small parts only, finished runs only, and what the chapter shows of them."""

import json

import pytest

from fetal_book.parameters.chapters import CHECKOUT as ROOT
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.project import project_root
from fetal_book.runs.main_scores import main_scores
from fetal_book.runs.published import (
    PublishError,
    publish,
    published_runs,
    reference_table,
    score_text,
)
from fetal_book.runs.record import RecordError, RunRecord
from fetal_book.runs.results import result_row, results_document

CHAPTER = "04_head_circumference"


@pytest.fixture
def run(tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    monkeypatch.setenv("FETAL_PROJECT", str(project))
    folder = tmp_path / "run"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights.npz").write_bytes(b"x" * 100)
    record = RunRecord(
        chapter=CHAPTER,
        status="ok",
        data="hc18",
        hardware={"cpu": "a processor", "cores": 2, "gpu": None},
        parameters={"data": {"value": "hc18", "origin": "command line"}},
    )
    record.write(folder)
    row = result_row(
        model="unet", data="hc18", split="test", metric="adf_mm", value=2.0, n=9, ci95=(1.0, 3.0)
    )
    (folder / "results.json").write_text(json.dumps(results_document(CHAPTER, [row])))
    return folder


def test_weights_stay_behind(run):
    target = publish(run, "hc18-quick")
    assert {p.name for p in target.iterdir()} == {"record.json", "results.json"}
    (published,) = published_runs(CHAPTER)
    assert published.name == "hc18-quick" and published.hardware == "a processor, 2 cores"
    assert published.parameters == {"data": "hc18"} and published.rows[0]["value"] == 2


def test_figures_of_persons_stay_behind_where_a_licence_asks_for_it(run):
    (run / "figures").mkdir()
    for name in ("faces.png", "faces.svg", "curve.png"):
        (run / "figures" / name).write_bytes(b"x")
    index = {"faces": {"caption": "Faces."}, "curve": {"caption": "Curve."}}
    (run / "figures" / "index.json").write_text(json.dumps(index))
    target = publish(run, "x", without=["faces"]) / "figures"
    assert {path.name for path in target.iterdir()} == {"curve.png", "index.json"}
    assert json.loads((target / "index.json").read_text()) == {"curve": {"caption": "Curve."}}
    with pytest.raises(PublishError, match="without=hands: the run has no such figure or table"):
        publish(run, "x", without=["hands"])


@pytest.mark.parametrize("name", ["..", "../../notebooks", "", ".hidden", "two words"])
def test_a_name_that_leads_elsewhere_removes_nothing(run, name):
    project = project_root()
    with pytest.raises(PublishError, match="it must be letters, digits"):
        publish(run, name)
    assert [path.name for path in project.iterdir()] == ["notebooks"]


def test_a_copy_that_fails_keeps_the_older_run(run):
    target = publish(run, "x")
    (run / "figures").mkdir()
    (run / "figures" / "faces.png").symlink_to(run / "gone.png")  # cannot be copied
    with pytest.raises(OSError):
        publish(run, "x")
    assert (target / "results.json").is_file()
    assert [path.name for path in target.parent.iterdir()] == ["x"]


def test_an_unfinished_run_is_not_published(run):
    RunRecord(chapter=CHAPTER, status="killed").write(run)
    with pytest.raises(RecordError, match="run is 'killed' .*; only one that ended 'ok'"):
        publish(run, "x")


def test_the_chapter_shows_real_test_rows_and_never_phantoms_as_real(run):
    from fetal_book.chapters.head_circumference.external import published_table

    publish(run, "hc18-quick")
    table = published_table()
    assert table["tested on"].tolist() == ["hc18 (test)"]
    assert table["adf_mm"].tolist() == ["2.00 (1.00 to 3.00)"]
    document = json.loads((run / "results.json").read_text())
    document["rows"][0]["data"] = "phantom"
    (run / "results.json").write_text(json.dumps(document))
    publish(run, "hc18-quick")
    assert published_table().empty


def test_a_table_of_reference_runs_keeps_the_order_asked_for(run):
    rows = [
        result_row(model=m, data=d, split="test", metric="adf_mm", value=v, n=9)
        for m, d, v in (("mean", "hc18", 48.0), ("unet", "hc18", 2.0), ("unet", "phantom", 1.0))
    ]
    (run / "results.json").write_text(json.dumps(results_document(CHAPTER, rows)))
    publish(run, "hc18-quick")
    table = reference_table(CHAPTER, ["adf_mm", "dice"], ["unet", "no_such_model", "mean"])
    assert table["model"].tolist() == ["unet", "mean"]
    assert table["adf_mm"].tolist() == ["2.00", "48.00"] and table["n"].tolist() == [9, 9]
    assert reference_table("05_brain_age", ["mae_years"]).empty


def test_other_sets_have_a_table_of_their_own_that_says_what_was_learnt_from(run):
    rows = [
        result_row(model=m, data=d, split=s, metric="adf_mm", value=v, n=n, ci95=(v - 1, v + 1))
        for m, d, s, v, n in (
            ("unet", "hc18", "test", 2.0, 9),
            ("unet", "clinic", "external", 7.0, 4),
            ("unet", "field", "external", 1.0004, 5),
            ("mean", "clinic", "external", 5.0, 4),
            ("unet", "phantom", "external", 1.0, 6),
        )
    ]
    (run / "results.json").write_text(json.dumps(results_document(CHAPTER, rows)))
    publish(run, "hc18-quick")
    table = reference_table(CHAPTER, ["adf_mm"], ["unet", "mean"], part="external")
    assert list(table) == ["run", "learnt from", "data", "model", "adf_mm", "n"]
    assert table[["data", "model", "n"]].to_numpy().tolist() == [
        ["clinic", "unet", 4],
        ["field", "unet", 5],
        ["clinic", "mean", 4],
    ]
    assert set(table["learnt from"]) == {"hc18"}
    assert table["adf_mm"].tolist()[1] == "1.00 (0.00 to 2.00)"
    assert reference_table(CHAPTER, ["adf_mm"])["data"].tolist() == ["hc18"]


def test_no_nought_has_a_minus():
    row = {"metric": "r2", "value": -0.001, "ci95": [-0.62, -7e-5]}
    assert score_text(row) == "0.00 (-0.62 to 0.00)"


def test_what_the_project_publishes_can_be_read():
    for path in (project_root() / "book" / "published").glob("*"):
        for published in published_runs(path.name):
            assert published.rows and published.hardware


@pytest.mark.parametrize(
    "one", sorted((ROOT / "book/published").glob("*/*")), ids=lambda one: one.name
)
def test_the_end_of_a_run_shows_a_network_beside_a_baseline(one):
    chapter = get_chapter(one.parent.name)
    (title, (head, *lines)), *_ = main_scores(chapter, one)
    assert title.startswith("held-out cases of ") and head == ["", *chapter.metrics, "n"]
    baselines = [line[0] for line in lines if line[0].endswith(" (baseline)")]
    assert baselines and 0 < len(lines) - len(baselines) < 10
    assert set(chapter.baselines) == {name.removesuffix(" (baseline)") for name in baselines}
