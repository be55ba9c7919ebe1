"""Data are named for what they are: people, phantoms, or made of an atlas' templates."""

import pytest
from test_book import ROW, write_run

from fetal_book.site.contents import chapter_state
from fetal_book.site.results_page import run_section
from fetal_book.site.shown_runs import ShownRun, data_kind, data_text
from fetal_lib.data.kinds import atlases

SETS = "data,part,kind\nmine,own,blend\nmine,external,template\nkids,external,scan\n"


@pytest.fixture
def run(tmp_path):
    """Return a run on an atlas of a name that no manifest has; it says so in its table."""
    rows = [ROW | {"data": "mine"}, ROW | {"data": "mine", "split": "external"}]
    rows.append(ROW | {"data": "kids", "split": "external"})
    folder = write_run(tmp_path / "runs" / "book" / "01_x", *rows, data="mine")
    (folder / "tables").mkdir()
    (folder / "tables" / "data_sets.csv").write_text(SETS, encoding="utf-8")
    return ShownRun(tmp_path, folder)


def test_atlases_are_known_by_their_manifests():
    assert set(atlases()) == {"crl_atlas", "dhcp_fetal_atlas", "spina_bifida_atlas"}
    assert "spina bifida aperta" in atlases()["spina_bifida_atlas"]


@pytest.mark.parametrize(
    ("data", "split", "kind"),
    [
        ("phantom, head", "test", "phantom"),
        ("hc18", "test", "scan"),
        ("spina_bifida_atlas", "test", "blend"),
        ("spina_bifida_atlas", "protocol", "blend"),
        ("spina_bifida_atlas", "external", "template"),
    ],
)
def test_without_a_table_of_data_sets_the_name_tells(tmp_path, data, split, kind):
    assert data_kind(tmp_path, data, split) == kind


def test_what_a_run_says_of_its_data_comes_first(run):
    assert [data_text(row, run) for row in run.rows] == [
        "individuals blended from templates of **mine**",
        "templates of **mine**",
        "**kids**",
    ]
    assert [run.group_of(row) for row in run.rows] == ["atlas", "atlas", "real"]
    assert run.group == "atlas" and not run.phantom


def test_no_page_calls_blends_by_the_bare_name_of_their_atlas(run):
    text = run_section(run, [])
    words = "individuals blended from templates of mine"
    assert f"on {words}: run" in text and f"{{dropdown}} Held-out test cases: {words}\n" in text
    assert "{dropdown} Cases of another source: templates of mine\n" in text
    assert "they share a few templates, so that folds flatter; none of them is a person" in text
    assert chapter_state(run.folder) == f"built, smoke profile on {words}"


def test_an_atlas_with_a_manifest_is_named_by_its_title(tmp_path):
    folder = tmp_path / "runs" / "book" / "01_x"
    row = ROW | {"data": "spina_bifida_atlas"}
    text = run_section(ShownRun(tmp_path, write_run(folder, row, data=row["data"])), [])
    assert "templates of spina_bifida_atlas (Spatio-temporal 3D MRI atlas of the fetal" in text
