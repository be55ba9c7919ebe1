"""The newest finished run of a chapter is found, whoever started it, and by the chapter's name."""

import json

import pytest
from typer.testing import CliRunner

from fetal_book.cli.predict import app
from fetal_book.parameters.chapters import get_chapter
from fetal_book.runs.find_runs import ModelError, chapter_runs, finished_runs, model_home

CHAPTER = get_chapter("05")
NAME = CHAPTER.name


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def write(folder, day, model=True, **values):
    record = {"chapter": NAME, "status": "ok", "profile": "quick", "data": "phantom"}
    (folder / "model").mkdir(parents=True)
    if model:
        (folder / "model" / "model.json").write_text("{}")
    started = {"started": f"2026-01-{day:02}T09:00:00.000Z"}
    (folder / "record.json").write_text(json.dumps(record | started | values))
    return folder


PLACES = (f"{NAME}/quick-phantom", f"book/{NAME}", "sweeps/widths/width-4-seed-0", "longer")


@pytest.mark.parametrize("newest", PLACES)
def test_a_chapters_name_stands_for_its_newest_finished_run_wherever_it_is(runs, newest):
    for place in PLACES:
        write(runs / place, day=20 if place == newest else 10)
    write(runs / f"{newest}.attempt", day=25, status="failed")
    write(runs / f"{newest}.previous", day=28)
    write(runs / "book" / "04_head_circumference", day=26, chapter="04_head_circumference")
    write(runs / "no_model", day=27, model=False)
    for named in ("05", "5", "brain_age", NAME):
        assert model_home(CHAPTER, named) == runs / newest / "model"
    assert len(chapter_runs(CHAPTER)) == 6 and len(finished_runs(CHAPTER)) == 5


def test_real_data_come_before_phantoms_and_a_run_for_the_wiring_last(runs):
    write(runs / "a", day=1, profile="smoke", data="oasis1")
    assert model_home(CHAPTER, "05").parent.name == "a"
    write(runs / "b", day=2)
    assert model_home(CHAPTER, "05").parent.name == "b"
    write(runs / "c", day=1, data="oasis1")
    write(runs / "d", day=3)
    assert model_home(CHAPTER, "05").parent.name == "c"


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("runs/05_brain_age/quick-phantom", "there is no such folder"),
        ("empty", "no model.json in it"),
        ("04", "that is 04_head_circumference; models of 05_brain_age are asked for"),
        ("05", "no run of 05_brain_age left a model yet"),
        (None, "no model is shipped"),
    ],
)
def test_a_model_that_is_not_there_is_told_apart_and_those_that_are_there_are_listed(
    runs, tmp_path, monkeypatch, named, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fetal_lib.predict.model_folder.PRETRAINED", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError) as none:
        model_home(CHAPTER, named)
    assert words in str(none.value) and "`fetal-lib run 05` makes one." in str(none.value)
    if named == "05":
        return
    write(runs / "book" / NAME, day=1)
    with pytest.raises(ModelError) as some:
        model_home(CHAPTER, named)
    assert f"  {runs}/book/{NAME}, quick, phantom, " in str(some.value)


def test_the_command_says_which_run_it_took_and_fails_in_a_sentence(runs, tmp_path):
    (tmp_path / "T1.nii.gz").touch()
    gone = CliRunner().invoke(app, ["brain-age", str(tmp_path / "T1.nii.gz"), "--model", "nowhere"])
    assert gone.exit_code == 2 and "no such folder" in gone.output
    write(runs / "book" / NAME, day=1)
    done = CliRunner().invoke(app, ["brain-age", str(tmp_path / "T1.nii.gz"), "--model", "05"])
    assert f"model: {runs}/book/{NAME}, quick, phantom, " in done.output
    assert "Traceback" not in gone.output + done.output
