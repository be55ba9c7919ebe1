"""The banner of a chapter: the same words for the same data, and a command that makes it again."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_project import environment, write_project
from pydantic import TypeAdapter

from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.parse import parse_assignments, value_text
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.runs.again import again_text, command_again
from fetal_book.runs.banner import banner_text
from fetal_book.runs.folder import public_parameters
from fetal_book.runs.record import RunRecord, read_record
from fetal_book.site.shown_runs import data_kind
from fetal_lib.data.kinds import atlases, data_words

CHAPTER = get_chapter("01")


def made(chapter=CHAPTER, profile="quick", **values):
    """Return parameters, and the record of a run with them."""
    resolved = resolve_parameters(chapter, profile, values)
    known = public_parameters(resolved.parameters, resolved.origin)
    record = RunRecord(chapter=chapter.name, profile=profile, data="heads", parameters=known)
    return resolved.parameters, record


def banner(**values):
    return banner_text(*made(**values))


@pytest.mark.parametrize("data", [*atlases(), "feta", "a-folder-of-mine"])
def test_banner_and_pages_agree(tmp_path, data):
    words = data_words(data, data_kind(tmp_path, data), mark="`")
    assert f"**Data: {words}.**" in banner(data=data)


@pytest.mark.parametrize("data", atlases())
def test_blends_of_templates_are_not_called_plain_data(data):
    text = banner(data=data)
    assert text.startswith("> **Data")
    assert f"**Data: individuals blended from templates of `{data}`.**" in text
    assert "no blend of two is a person" in text and "numbers of folds flatter" in text
    assert "come from this data set" not in text


def test_an_atlas_in_a_folder_of_another_name_is_known_by_its_layout(tmp_path):
    for week in (22, 27):
        home = tmp_path / "averages" / f"GA{week}"
        home.mkdir(parents=True)
        (home / "srr.nii.gz").touch()
    text = banner(data=str(tmp_path / "averages"))
    assert "**Data: individuals blended from templates of `averages`.**" in text
    (tmp_path / "heads").mkdir()
    assert "**Data: `heads`.**" in banner(data=str(tmp_path / "heads"))


def test_phantoms_scored_on_an_atlas_name_its_templates():
    text = banner(external_data="spina_bifida_atlas")
    assert "draws itself, but for templates of `spina_bifida_atlas`." in text


@pytest.mark.slow
def test_a_run_is_made_again_by_the_command_that_its_page_prints(project):
    """Typed into a shell, with all that a shell would change: blanks, quotes, dollars."""
    write_project(project, "from IPython.display import Markdown\nMarkdown(run.banner())")
    odd = project / 'It\'s $HOME of "A" & `B`; *'
    odd.mkdir()
    own = {"seed": 7, "augment": False, "learning_rate": 1e-5, "n_phantoms": 24}
    words = [w for k, v in own.items() for w in ("-p", f"{k}={value_text(v)}")]
    words += ["-p", f"data={odd}", "--profile", "smoke", "--out", "first"]
    again = f"{shlex.quote(sys.executable)} -m fetal_book run 04 {shlex.join(words)}"

    def record_of(command, folder):
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment(project),
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return read_record(project / folder)

    first = record_of(again, "first")
    (page,) = [
        "".join(output["data"]["text/markdown"])
        for cell in json.loads((project / "first" / "executed.ipynb").read_text())["cells"]
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    (printed,) = re.findall(r"^```bash\n(fetal-lib .*)\n```$", page, re.MULTILINE)
    assert printed == command_again(first)
    python = f"{shlex.quote(sys.executable)} -m fetal_book "
    second = record_of(printed.replace("fetal-lib ", python, 1) + " --out second", "second")
    values = [{k: e["value"] for k, e in r.parameters.items()} for r in (first, second)]
    assert values[0] | {"out": ""} == values[1] | {"out": ""}
    assert values[1]["data"] == odd.name and values[1] | own == values[1]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (float | None, None),
        (bool, True),
        (list[int], [1, 2]),
        (dict[str, float], {"a b": 0.5}),
        (str, "it's 'a' \"b\"\n$c"),
        (str, " blanks "),
        (str, "7"),
        (str, ""),
        (float, 1e-7),
    ],
)
def test_a_value_of_any_kind_comes_back_from_a_shell(kind, value):
    from fetal_book.parameters.base import ChapterParameters

    cls = type("Odd", (ChapterParameters,), {"__annotations__": {"x": kind}})
    words = shlex.split(shlex.join([f"x={value_text(value)}"]))
    found = parse_assignments(cls, words)["x"]
    assert found == TypeAdapter(kind).validate_python(value) and type(found) is type(value)


def test_names_of_folders_elsewhere_are_said_to_be_names(project, tmp_path_factory):
    _, record = made(get_chapter("04"), data="/somewhere/of/mine/heads")
    text = again_text(record)
    assert "-p data=heads" in text and "/somewhere" not in text
    assert "In place of `heads` write where it lies" in text
    folder = tmp_path_factory.mktemp("sets") / "phantom"
    folder.mkdir()
    _, namesake = made(get_chapter("04"), data=str(folder))
    assert "-p data=phantom" in again_text(namesake)
    assert "In place of `phantom` write" in again_text(namesake)
    record.parameters["precision"]["value"] = "32-true"
    assert "made with `precision=32-true`, which this version does not take" in again_text(record)
    assert "32-true" not in command_again(record)


PUBLISHED = sorted((Path(__file__).parents[1] / "book" / "published").glob("*/*/record.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_the_command_of_a_published_run_gives_its_parameters(path):
    record = read_record(path.parent)
    words = shlex.split(command_again(record))
    assert words[:4] == ["fetal-lib", "run", record.chapter, "--profile"]
    assert not any("/" in word for word in words)  # data by their names
    chapter = get_chapter(record.chapter)
    own = parse_assignments(chapter.parameters_class(), words[6::2])
    now = resolve_parameters(chapter, words[4], own).parameters.model_dump(exclude={"out"})
    known = {name: record.parameters[name]["value"] for name in now if name in record.parameters}
    refused = {"precision"} if "does not take" in again_text(record) else set()
    assert {k for k, value in known.items() if now[k] != value} == refused
