"""The banner of a chapter and the book's own pages name the same data by the same words."""

import pytest

from fetal_book.parameters.chapters import get_chapter
from fetal_book.runs.banner import banner_text
from fetal_book.site.shown_runs import data_kind
from fetal_lib.data.kinds import atlases, data_words

CHAPTER = get_chapter("01")


def banner(**values):
    return banner_text(CHAPTER, CHAPTER.parameters_class()(**values))


@pytest.mark.parametrize("data", [*atlases(), "feta", "a-folder-of-mine"])
def test_banner_and_pages_agree(tmp_path, data):
    words = data_words(data, data_kind(tmp_path, data), mark="`")
    assert f"**Data: {words}.**" in banner(data=data)


@pytest.mark.parametrize("data", atlases())
def test_blends_of_templates_are_not_called_plain_data(data):
    text = banner(data=data)
    assert text.startswith(":::{warning}\n")
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
