"""What a build of the book would do is told for each chapter with its reason; nothing changes."""

import pytest
from made_up_project import CHAPTER
from test_status import change, finished_run

from fetal_book.parameters.chapters import get_chapter
from fetal_book.runs.pairs import read_chapter
from fetal_book.runs.record import read_record
from fetal_book.site.jobs import marker_path, run_folder
from fetal_book.site.plan import chapter_plan
from fetal_lib.files.atomic import write_json, write_text

MARKER = f"runs/book/.workflow/{CHAPTER}.done"


@pytest.fixture
def book(project):
    """Give a project whose book holds a smoke run on a folder of data."""
    (project / "heads").mkdir()
    (project / "heads" / "a").write_text("1")
    place = run_folder(project, CHAPTER)
    folder = finished_run(project / "heads", profile="smoke", data="heads", out=str(place))
    write_json(folder / "executed.ipynb", read_chapter(get_chapter(CHAPTER).notebook()))
    parameters = read_record(folder).parameters
    for entry in parameters.values():
        entry["origin"] = entry["origin"].replace("notebook", "command line")
    change(folder, started_by="fetal-lib run", parameters=parameters)
    write_text(marker_path(project, CHAPTER), "smoke\nheads\n")
    return project


def rewrite(project, old, new):
    path = project / "notebooks" / f"{CHAPTER}.py"
    path.write_text(path.read_text().replace(old, new))


def fail(project):
    (run_folder(project, CHAPTER) / "record.json").rename(project / "record.json")
    attempt = run_folder(project, CHAPTER).with_name(f"{CHAPTER}.attempt")
    attempt.mkdir()
    (project / "record.json").rename(attempt / "record.json")
    change(attempt, status="failed", reason="cell 3 raised OSError")


def other_module(project):
    change(run_folder(project, CHAPTER), modules={"fetal_lib.geometry.ellipse": "0"})


@pytest.mark.parametrize(
    ("happens", "profile", "what", "why"),
    [
        (lambda p: None, "smoke", "keeps its outputs", "nothing that they rest on differs"),
        (lambda p: rewrite(p, "Training", "Learning"), "smoke", "keeps its outputs", "the text"),
        (lambda p: rewrite(p, "n=3", "n=4"), "smoke", "runs", "the notebook's code changed"),
        (lambda p: None, "quick", "runs", "parameters: profile smoke -> quick"),
        (other_module, "smoke", "runs", "changed: fetal_lib.geometry.ellipse"),
        (lambda p: (p / "heads" / "a").write_text("22"), "smoke", "runs", "the data changed"),
        (fail, "smoke", "runs", "no finished run; the last one: cell 3 raised OSError"),
    ],
)
def test_a_chapter_that_the_workflow_would_start_says_why(book, happens, profile, what, why):
    happens(book)
    before = sorted(book.rglob("*"))
    found = chapter_plan(book, CHAPTER, profile, "heads", {MARKER})
    assert found[:2] == (CHAPTER, what) and why in found[2]
    assert sorted(book.rglob("*")) == before


def test_a_chapter_that_it_would_not_start_stands(book):
    assert chapter_plan(book, CHAPTER, "smoke", "heads", set())[1] == "stands"
    assert chapter_plan(book, CHAPTER, "smoke", "phantom", set())[1] == "runs"
