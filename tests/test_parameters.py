"""Parameters: what may be given, what is refused before anything starts, and where it came from."""

import json
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.chapters import CHAPTERS, ChapterError, get_chapter
from fetal_book.parameters.notebook_cell import (
    cell_faults,
    check_parameters_cell,
    read_parameters_cell,
)
from fetal_book.parameters.parse import anchor_paths, parse_assignments
from fetal_book.parameters.project import ProjectError, project_root, public_path
from fetal_book.parameters.resolve import load_profiles, resolve_parameters

CHAPTER = get_chapter("04")
CLS = CHAPTER.parameters_class()


class MadeUp(ChapterParameters):
    """Parameters of every kind."""

    threshold: float | None = Field(None, ge=0, le=1, description="cut")
    mode: Literal["a", "b"] = Field("a", description="way")
    size: int = Field(8, ge=1, le=64, multiple_of=2, description="px")
    rate: float = Field(1e-3, gt=0, description="rate")
    word: str = Field("none", description="text")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("rate=1e-4", 1e-4),
        ("rate=1", 1.0),
        ("size=16", 16),
        ("refit=true", True),
        ("refit=False", False),
        ("threshold=none", None),
        ("threshold=0.5", 0.5),
        ("mode=b", "b"),
        ("word=7", "7"),
        ("word=a=b", "a=b"),
        ("word=", ""),
    ],
)
def test_a_value_is_read_by_the_type_of_its_parameter(text, value):
    name = text.partition("=")[0]
    found = parse_assignments(MadeUp, [text])[name]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["size=3.5", "size=seven", "size=1_6", "refit=1", "refit=yes", "rate=", "mode=c"]
)
def test_a_value_of_the_wrong_type_is_refused_with_rule_and_fix(text):
    name, _, value = text.partition("=")
    with pytest.raises(ParameterError) as caught:
        parse_assignments(MadeUp, [text])
    message = str(caught.value)
    assert message.startswith(f"{name}: received {value!r}; it must be")
    assert f"for example -p {name}=" in message


def test_all_faults_are_told_together_and_names_get_a_suggestion():
    with pytest.raises(ParameterError) as caught:
        parse_assignments(MadeUp, ["sized=3", "nonsense", "size=2", "size=4"])
    lines = str(caught.value).splitlines()
    assert "did you mean 'size'?" in lines[0] and "known: profile, data" in lines[0]
    assert "must be name=value" in lines[1]
    assert lines[2] == "size: received twice; give it once"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": 0}, "size: received 0 (int); it must be a whole number, at least 1, at most 64"),
        ({"size": 7}, "a multiple of 2"),
        ({"size": 8.0}, "size: received 8.0 (float); it must be a whole number"),
        ({"size": True}, "size: received True (bool)"),
        ({"size": "8"}, "write the number without quotes"),
        ({"rate": "1e-4"}, "in YAML 1e-4 is text: write 1.0e-04"),
        ({"rate": float("nan")}, "rate: received nan"),
        ({"threshold": 1.5}, "a number or none"),
        ({"data": ""}, "not empty"),
        ({"profile": "big"}, "one of 'smoke', 'quick', 'long', 'full'"),
    ],
)
def test_a_value_outside_its_rule_is_refused_with_name_received_rule_and_fix(values, words):
    with pytest.raises(ParameterError) as caught:
        MadeUp.check(values)
    assert words in str(caught.value)


def test_a_whole_number_is_a_number_too():
    assert MadeUp.check({"rate": 1}).rate == 1.0


def test_every_parameter_has_title_help_and_a_default_that_is_valid():
    for chapter in CHAPTERS.values():
        cls = chapter.parameters_class()
        cls.check({name: field.default for name, field in cls.model_fields.items()})
        for name, field in cls.model_fields.items():
            assert field.title and field.description, name


@pytest.mark.parametrize("chapter", CHAPTERS.values(), ids=CHAPTERS)
def test_profile_quick_is_the_defaults(chapter):
    fields = chapter.parameters_class().model_fields
    for name, value in load_profiles(chapter)["quick"].items():
        assert value == fields[name].default


def test_drafts_can_be_run_and_are_left_out_of_the_book():
    from fetal_book.site.jobs import book_chapters

    root = Path(__file__).parents[1]
    drafts = {name for name, chapter in CHAPTERS.items() if chapter.draft}
    assert not drafts & set(book_chapters(root))
    assert all(get_chapter(name).notebook().is_file() for name in drafts)


def test_the_origin_of_every_value_is_kept():
    resolved = resolve_parameters(CHAPTER, "smoke", {"seed": 0, "epochs": 5})
    assert resolved.origin["epochs"] == "command line"
    assert resolved.origin["seed"] == "command line"  # also when it is the default
    assert resolved.origin["data"] == "default"
    assert resolved.origin["n_phantoms"] == "profile smoke"
    assert resolved.parameters.epochs == 5 and resolved.parameters.profile == "smoke"


def test_a_profile_file_with_a_wrong_name_or_value_says_where(tmp_path):
    path = tmp_path / f"{CHAPTER.name}.yml"
    path.write_text("smoke: {epoch: 3}\n")
    with pytest.raises(ParameterError, match="yml, profile smoke: epoch: no such parameter"):
        load_profiles(CHAPTER, tmp_path)
    path.write_text("smoke: {learning_rate: 1e-4}\n")
    with pytest.raises(ParameterError, match="in YAML 1e-4 is text"):
        load_profiles(CHAPTER, tmp_path)
    path.write_text("tiny: {}\n")
    with pytest.raises(ParameterError, match="its keys must be"):
        load_profiles(CHAPTER, tmp_path)


def test_two_profiles_are_refused():
    with pytest.raises(ParameterError, match="it must be given once"):
        resolve_parameters(CHAPTER, "smoke", {"profile": "full"})


@pytest.mark.parametrize("name", ["04", "4", "04_head_circumference", "head_circumference"])
def test_a_chapter_is_found_by_number_or_name(name):
    assert get_chapter(name) is CHAPTER


def test_an_unknown_chapter_is_refused_with_the_nearest_name():
    with pytest.raises(ChapterError, match="did you mean '04_head_circumference'"):
        get_chapter("04_head_circumferense")


def existing_notebooks():
    try:
        folder = project_root() / "notebooks"
    except ProjectError:
        return []
    paths = [folder / f"{name}{end}" for name in CHAPTERS for end in (".py", ".ipynb")]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("path", existing_notebooks(), ids=lambda path: path.name)
def test_the_parameters_cell_equals_the_class(path):
    check_parameters_cell(path, get_chapter(path.stem).parameters_class())


def write_notebook(path, source):
    if path.suffix == ".py":
        path.write_text(f'# %% [markdown]\n# parameters\n\n# %% tags=["parameters"]\n{source}\n')
    else:
        cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": [source]}
        path.write_text(json.dumps({"cells": [cell]}))
    return path


@pytest.mark.parametrize("ending", ["py", "ipynb"])
def test_a_parameters_cell_is_read_without_being_run(tmp_path, ending):
    source = 'a: float | None = None  # x = 1\nb = -2.5\nc = "== 3"\nd = (1, 2)'
    path = write_notebook(tmp_path / f"04_made_up.{ending}", source)
    assert read_parameters_cell(path) == {"a": None, "b": -2.5, "c": "== 3", "d": (1, 2)}


def test_a_parameters_cell_that_computes_is_refused(tmp_path):
    path = write_notebook(tmp_path / "04_made_up.py", "epochs = 3\nsteps = epochs * 2")
    with pytest.raises(ParameterError, match="compute in a later cell"):
        read_parameters_cell(path)


def test_every_difference_between_cell_and_class_is_told():
    values = {name: field.default for name, field in CLS.model_fields.items()}
    assert cell_faults(CLS, values) == []
    epochs = values.pop("epochs")
    faults = cell_faults(CLS, {**values, "seed": 0.0, "sead": 1})
    assert len(faults) == 3
    assert any(f"add epochs = {epochs}" in fault for fault in faults)


def test_a_path_is_made_independent_of_the_working_folder(tmp_path, monkeypatch):
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (root / "data_manifests").mkdir(parents=True)
    (root / "data_manifests" / "hc18.yml").touch()
    for folder in (root / "sets", elsewhere / "heads", elsewhere / "hc18"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)

    def anchored(value):
        return anchor_paths(CLS, {"data": value}, root)["data"]

    assert anchored("phantom") == "phantom"
    assert anchored("hc18") == "hc18"  # the manifest's name goes first
    assert anchored("heads") == str(elsewhere / "heads")
    assert anchored("../project/sets") == "sets"
    with pytest.raises(ParameterError, match="data: received './missing'"):
        anchored("./missing")


def test_a_public_path_names_no_folder_of_a_person(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("FETAL_PROJECT", str(tmp_path))
    assert public_path(str(tmp_path / "sets" / "heads")) == "sets/heads"
    assert public_path("/home/somebody/heads") == "heads"
    assert public_path("../heads") == "heads"


def test_a_project_variable_that_names_no_project_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_PROJECT", str(tmp_path))
    with pytest.raises(ProjectError, match="must be a folder that holds notebooks/"):
        project_root()
