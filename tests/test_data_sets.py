"""A data set that a parameter names is found, or refused before anything is trained."""

import pytest
from made_up_folders import FOLDERS
from made_up_project import call_cli, environment, write_project
from typer.testing import CliRunner

from fetal_book.cli.data import app as data_app
from fetal_book.parameters.base import ParameterError
from fetal_book.parameters.biometry_segmentation import BiometrySegmentationParameters
from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.parameters.head_circumference import HeadCircumferenceParameters
from fetal_book.runs.data_sets import (
    chapter_data,
    check_data,
    check_layout,
    data_folder,
    find_data,
    with_folders,
)
from fetal_book.runs.execute import POOLS, worker_environment


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Make a project with one manifest, and hc18 and heads under FETAL_DATA; return that."""
    project, root = tmp_path / "project", tmp_path / "sets"
    for folder in (project / "notebooks", project / "mine", root / "hc18", root / "heads"):
        folder.mkdir(parents=True)
    (project / "data_manifests").mkdir()
    (project / "data_manifests" / "ixi.yml").touch()
    monkeypatch.setenv("FETAL_PROJECT", str(project))
    monkeypatch.setenv("FETAL_DATA", str(root))
    return root


def test_a_set_is_found_by_its_path_in_the_project_and_under_fetal_data(sets, tmp_path):
    assert find_data("hc18") == sets / "hc18"
    assert find_data("mine") == tmp_path / "project" / "mine"
    assert find_data(str(sets / "heads")) == sets / "heads"
    assert find_data("nowhere") is None and find_data("") is None


def test_one_order_holds_in_any_working_folder(sets, tmp_path, monkeypatch):
    """The command line, JupyterLab in notebooks/ and papermill elsewhere find the same folder."""
    project = tmp_path / "project"
    (tmp_path / "near" / "mine_too").mkdir(parents=True)
    (tmp_path / "near" / "ixi").mkdir()
    (sets / "ixi").mkdir()
    for place in (project, project / "notebooks", tmp_path / "near", sets):
        monkeypatch.chdir(place)
        assert find_data("mine") == data_folder("mine", lambda _: None, {}) == project / "mine"
        assert find_data("ixi") == sets / "ixi"  # it has a manifest
    monkeypatch.chdir(tmp_path / "near")
    assert find_data("mine_too") == tmp_path / "near" / "mine_too"


def test_phantoms_and_sets_that_are_there_are_taken(sets):
    for parameters in (
        HeadCircumferenceParameters(),
        HeadCircumferenceParameters(data="hc18", external_data="heads"),
        BiometrySegmentationParameters(also="phantom"),
    ):
        check_data(parameters)


def test_every_set_that_is_missing_is_told_with_the_way_out(sets, monkeypatch):
    with pytest.raises(ParameterError) as caught:
        check_data(HeadCircumferenceParameters(data="hc81", external_data="ixi"))
    first, second = str(caught.value).splitlines()
    assert first.startswith("data: received 'hc81'; it is neither 'phantom', nor a folder, nor")
    assert "where it was not found; did you mean 'hc18'?" in first
    assert second.startswith("external_data: received 'ixi'")
    assert "`fetal-lib data fetch ixi` gets it, or says how" in second
    monkeypatch.delenv("FETAL_DATA")
    with pytest.raises(ParameterError, match="FETAL_DATA, which is not set"):
        check_data(HeadCircumferenceParameters(data="hc18"))


def test_a_set_that_is_scored_after_training_is_no_phantom(sets):
    with pytest.raises(ParameterError, match="external_data: received 'phantom'.*fetal-lib phan"):
        check_data(HeadCircumferenceParameters(external_data="phantom"))


def test_a_chapter_gets_the_folder_of_a_further_set_and_the_name_of_its_own(sets):
    given = HeadCircumferenceParameters(data="hc18", external_data="heads")
    taken = with_folders(given)
    assert (taken.data, taken.external_data) == ("hc18", str(sets / "heads"))
    assert with_folders(HeadCircumferenceParameters()) == HeadCircumferenceParameters()


def test_every_parameter_for_a_further_set_is_marked_as_one():
    fields = {name: chapter.parameters_class() for name, chapter in CHAPTERS.items()}
    for cls in fields.values():
        further = {name for name in cls.model_fields if name in ("also", "external_data")}
        assert set(cls.data_fields()) == {"data", *further}


def test_the_book_on_one_data_set_keeps_the_other_chapters_on_phantoms(tmp_path):
    (tmp_path / "training_set_pixel_size_and_HC.csv").touch()  # the sign of HC18's layout
    for data in ("hc18", str(tmp_path)):
        assert chapter_data("04_head_circumference", data) == data
        assert chapter_data("05_brain_age", data) == "phantom"
    assert chapter_data("05_brain_age", "phantom") == "phantom"
    assert chapter_data("02_brain_anomalies", "fetal_planes_db") == "phantom"  # no chapter reads it
    assert chapter_data("05_brain_age", "/no/such/folder") == "/no/such/folder"


@pytest.mark.parametrize(("name", "made"), FOLDERS.items())
def test_a_run_takes_a_folder_exactly_when_verifying_says_that_the_chapter_reads_it(
    name, made, tmp_path, monkeypatch
):
    layout, write = made
    write(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(data_app, ["verify", name]).stdout
    last = next(line for line in told.splitlines() if line.startswith(("read by", "no chapter")))
    assert f"(layout {layout})" in told
    for chapter in CHAPTERS:
        if last.startswith("read by") and chapter[:2] in last:
            check_layout(chapter, name)
        elif f"too few for chapter {chapter[:2]}: 3 of at least 20 examinations" in told:
            with pytest.raises(ParameterError, match="3 of at least 20 examinations, too few for"):
                check_layout(chapter, name)
        else:
            with pytest.raises(
                ParameterError, match=rf"'{name}', a folder in the layout {layout} "
            ):
                check_layout(chapter, name)


def test_a_relative_fetal_data_holds_in_the_chapter_s_own_working_folder(sets, monkeypatch):
    monkeypatch.chdir(sets.parent)
    monkeypatch.setenv("FETAL_DATA", "sets")
    assert worker_environment(sets, sets)["FETAL_DATA"] == str(sets)


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(sets, monkeypatch):
    monkeypatch.setenv("GOMP_SPINCOUNT", "100")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    found = worker_environment(sets, sets)
    assert (found["OMP_WAIT_POLICY"], found["GOMP_SPINCOUNT"]) == ("PASSIVE", "100")


def test_every_library_s_threads_follow_the_one_number_that_the_workflow_sets(sets, monkeypatch):
    for name in POOLS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert not set(POOLS) & set(worker_environment(sets, sets))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "3")
    found = worker_environment(sets, sets)
    assert found["TF_NUM_INTEROP_THREADS"] == "3"  # a person's own word counts
    assert {found[name] for name in POOLS if name != "TF_NUM_INTEROP_THREADS"} == {"1"}


@pytest.mark.slow
def test_a_further_set_named_under_fetal_data_reaches_the_notebook(tmp_path, monkeypatch):
    check = "from pathlib import Path\nassert (Path(run.parameters.external_data) / 'a').exists()"
    project = write_project(tmp_path / "project", check)
    (tmp_path / "sets" / "heads").mkdir(parents=True)
    (tmp_path / "sets" / "heads" / "a").touch()
    monkeypatch.setattr(
        "made_up_project.environment",
        lambda root: environment(root) | {"FETAL_DATA": str(tmp_path / "sets")},
    )
    words = ("run", "04", "--profile", "smoke", "-p", "external_data=heads")
    code, output, errors = call_cli(project, *words)
    assert (code, errors) == (0, ""), output
    record = (project / "runs/04_head_circumference/smoke-phantom/record.json").read_text()
    assert str(tmp_path) not in record
