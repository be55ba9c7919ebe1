"""After a change of prose alone a finished run keeps its outputs; after any other it does not."""

import json

import pytest
from made_up_project import CHAPTER, work_in, write_project

from fetal_book.runs.execute import run_chapter
from fetal_book.runs.record import read_record
from fetal_book.runs.stale import notebook_sha256
from fetal_book.runs.text_only import with_outputs

PRINTS = "import time; print('made at', time.time_ns())"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return a project whose chapter has been run once, with a parameter of the user's own."""
    patch = pytest.MonkeyPatch()
    root = work_in(write_project(tmp_path_factory.mktemp("project"), PRINTS), patch)
    run_chapter("04", "smoke", {"seed": 3})
    yield root
    patch.undo()


def again(values=None):
    """Run the chapter where needed; return the outcome and the executed cells."""
    outcome = run_chapter("04", "smoke", values or {"seed": 3}, only_if_needed=True)
    return outcome, json.loads((outcome.folder / "executed.ipynb").read_text("utf-8"))["cells"]


def printed(cells):
    """Return what the chapter printed: another text each time it is executed."""
    texts = ["".join(o.get("text", "")) for cell in cells for o in cell.get("outputs", [])]
    return next(text for text in texts if text.startswith("made at"))


@pytest.mark.slow
def test_new_words_come_around_the_outputs_of_the_run(ran):
    first, before = again()
    path = ran / "notebooks" / f"{CHAPTER}.py"
    path.write_text(path.read_text().replace("## Training", "## How it learns\n#\n# Slowly."))
    outcome, cells = again()
    assert printed(cells) == printed(before)
    assert any("How it learns" in "".join(cell["source"]) for cell in cells)
    assert [cell["cell_type"] for cell in cells] == [cell["cell_type"] for cell in before]
    record = read_record(outcome.folder)
    assert record.status == "ok" and record.text_renewed > record.finished
    assert record.started == first.record.started
    assert record.notebook["sha256"] == notebook_sha256(path)
    assert again()[0].record.text_renewed == record.text_renewed  # nothing is left to do


@pytest.mark.slow
def test_another_parameter_another_line_of_code_and_a_plain_run_execute_the_chapter(ran):
    last = printed(again()[1])
    seen = {last}
    seen.add(printed(again({"seed": 4})[1]))
    path = ran / "notebooks" / f"{CHAPTER}.py"
    path.write_text(path.read_text().replace("time.time_ns())", "time.time_ns(), 'new')"))
    seen.add(printed(again({"seed": 4})[1]))
    run_chapter("04", "smoke", {"seed": 4})
    seen.add(printed(again({"seed": 4})[1]))
    assert len(seen) == 4


def code(source, outputs=()):
    """Return a code cell."""
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": list(outputs)}


def test_the_cell_with_the_parameters_that_were_given_stays_in_its_place():
    first = code("epochs = 3") | {"metadata": {"tags": ["parameters"]}}
    given = code("epochs = 1") | {"metadata": {"tags": ["injected-parameters"]}}
    executed = [first, given, code("fit()", ["loss"])]
    words = {"cell_type": "markdown", "source": "Words", "metadata": {}}
    cells = with_outputs([words, first, code("fit()")], executed)
    assert [cell["source"] for cell in cells] == ["Words", "epochs = 3", "epochs = 1", "fit()"]
    assert cells[-1]["outputs"] == ["loss"]


def test_another_default_is_no_other_code_but_another_parameter_is():
    def first(source):
        return code(source) | {"metadata": {"tags": ["parameters"]}}

    executed = [first("epochs = 3"), code("fit()", ["loss"])]
    cells = with_outputs([first("epochs = 4"), code("fit()")], executed)
    assert cells[0]["source"] == "epochs = 4" and cells[1]["outputs"] == ["loss"]
    assert with_outputs([first("epochs = 3\nseed = 0"), code("fit()")], executed) is None


@pytest.mark.parametrize("suffix", [".py", ".ipynb"])
def test_a_notebook_is_the_same_with_other_values_of_its_parameters_only(tmp_path, suffix):
    def sha256(parameters, rest="x = 1", prose="Words."):
        path = tmp_path / f"chapter{suffix}"
        if suffix == ".py":
            cells = [f"# %% [markdown]\n# {prose}", f'# %% tags=["parameters"]\n{parameters}']
            path.write_text("\n\n".join([*cells, f"# %%\n{rest}\n"]))
        else:
            cells = [
                {"cell_type": "markdown", "source": [prose], "metadata": {}},
                code(parameters) | {"metadata": {"tags": ["parameters"]}},
                code(rest),
            ]
            path.write_text(json.dumps({"cells": cells}))
        return notebook_sha256(path)

    same = sha256('seed = 0\nname = "a = b"')
    assert sha256('seed = 7\nname = "other"') == same
    others = [sha256("seed = 0"), sha256('size = 0\nname = "a"')]
    others += [sha256('seed = 0\nname = "a"', rest="x = 2")]
    others += [sha256('seed = 0\nname = "a"', prose="Other words.")]
    assert same not in others and len(set(others)) == 4


@pytest.mark.parametrize(
    "changed", [["fit( )"], [], ["fit()", "show()"], ["show()"]], ids=["space", "gone", "more", "o"]
)
def test_other_code_has_no_outputs(changed):
    assert with_outputs([code(source) for source in changed], [code("fit()", ["loss"])]) is None
