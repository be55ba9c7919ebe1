"""The picture of the leak ladder: every pair of scores, each kind of data in its own column."""

from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import pytest
from test_book import BOOK, write_run
from test_claims import millimetres

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.site.claims import Flaw, read_sources
from fetal_book.site.ladder import change_text, rung
from fetal_book.site.ladder_picture import (
    PICTURE,
    Rung,
    first_run,
    ladder_figure,
    scores,
    write_ladder_picture,
)
from fetal_book.site.shown_runs import shown_runs

matplotlib.use("Agg")
NAME = "04_head_circumference"
FLAW = Flaw(flaw="Cheating", metric="adf_mm", flawed="old", honest="unet")


def test_a_score_that_no_skill_reaches_too_adds_nothing():
    empty = FLAW.model_copy(update={"floor": "an empty mask"})
    assert change_text(empty, 0.0, None) == "adds nothing over an empty mask"


@pytest.fixture
def runs(tmp_path):
    """Write a run on phantoms that has the flaw, and one on real data that has not."""
    shown = tmp_path / "runs" / "book" / NAME
    write_run(shown, millimetres("unet", "test", 5.0), millimetres("old", "protocol", 3.0))
    published = tmp_path / "book" / "published" / NAME / "hc18-quick"
    write_run(published, millimetres("unet", "test", 2.1, data="hc18"), data="hc18")
    return shown_runs(tmp_path, [NAME])


def test_scores_come_from_the_first_run_of_their_kind_that_has_both(runs):
    flawed, honest = scores(FLAW, first_run(FLAW, runs, "phantom"))
    assert (flawed["value"], honest["value"]) == (3.0, 5.0)
    assert first_run(FLAW, runs, "real") is None


def test_the_difference_has_its_own_interval_where_the_run_kept_one(runs, tmp_path):
    phantom = next(run for run in runs if run.phantom)
    assert rung(FLAW, phantom)[-1] == "2.00 mm better than it is"
    tables = phantom.folder / "tables"
    tables.mkdir(exist_ok=True)
    lines = "flawed,honest,metric,difference,low,high,subjects\nold,unet,adf_mm,-2.0,-3.1,-0.94,9\n"
    (tables / "flaws.csv").write_text(lines, encoding="utf-8")
    again = next(run for run in shown_runs(tmp_path, [NAME]) if run.phantom)
    assert rung(FLAW, again)[-1] == "2.00 mm better than it is (0.94 to 3.10)"


@pytest.mark.parametrize(
    ("difference", "low", "high", "words"),
    [
        (1.25, 0.5, 2.0, "1.25 mm worse (0.50 to 2.00)"),
        (-1.25, -3.0, 0.5, "1.25 mm better than it is (0.50 worse to 3.00 better)"),
        (0.0002, -0.2, 0.3, "no different (0.300 worse to 0.200 better)"),
        (0.0, 0.0, 0.0, "no different"),
        (1.0, float("nan"), float("nan"), "1.00 mm worse"),
    ],
)
def test_a_change_says_which_way_and_from_where_to_where(difference, low, high, words):
    assert change_text(FLAW, difference, {"low": low, "high": high}) == words


def test_every_score_is_drawn_in_the_column_of_its_data_and_a_gap_says_so():
    nan = float("nan")
    pair = (
        {"value": 3.0, "ci95_low": 2.0, "ci95_high": 4.0},
        {"value": 5.0, "ci95_low": nan, "ci95_high": nan},
    )
    panels = {"error, mm": [Rung("one", {"phantom": pair}), Rung("two", {"real": pair})]}
    figure = ladder_figure(panels, {"real": "real data", "phantom": "phantoms"})
    real, phantom = figure.axes[:2]
    assert [axes.get_title() for axes in (real, phantom)] == ["real data", "phantoms"]
    drawn = {
        tuple(line.get_xdata()): line.get_ydata()[0]
        for line in phantom.lines
        if len(line.get_xdata())
    }
    assert set(drawn) == {(2.0, 4.0), (3.0,), (5.0,)}
    assert drawn[(3.0,)] < 0 < drawn[(5.0,)] < 0.5  # both on the first row, the flaw above
    assert [text.get_text() for text in real.texts] == ["no run"] and real.texts[0].get_position()[
        1
    ] == 0
    assert [text.get_text() for text in phantom.texts] == ["no run"]
    assert [tick.get_text() for tick in real.get_yticklabels()] == ["one", "two"]
    assert not phantom.get_yticklabels() and phantom.get_xlabel() == "error, mm"
    plt.close(figure)


def test_a_rung_of_a_data_set_is_named_after_it_and_not_after_the_source():
    source = SimpleNamespace(source="002")
    assert FLAW.origin(source) == "002"
    assert FLAW.model_copy(update={"of_data": "callipers"}).origin(source) == "callipers"


def test_the_page_gets_the_picture_of_all_flaws_and_none_where_no_run_shows_one(tmp_path):
    project = BOOK.parent
    sources = read_sources(BOOK)
    runs = shown_runs(project, list(CHAPTERS))
    by_chapter = {s.chapter: [run for run in runs if run.chapter == s.chapter] for s in sources}
    text = write_ladder_picture(tmp_path, sources, by_chapter)
    assert text.startswith(f"```{{figure}} generated/{PICTURE}\n:name: fig-leak-ladder\n:alt: ")
    height, width, _ = plt.imread(tmp_path / PICTURE).shape
    assert width == 1440 and height > 800
    assert write_ladder_picture(tmp_path, sources, {s.chapter: [] for s in sources}) == ""
    assert not (tmp_path / PICTURE).exists()
