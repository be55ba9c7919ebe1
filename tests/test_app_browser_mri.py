"""The tabs for MRI in a real browser: an age with interval and picture, or why there is none."""

import numpy as np
import pytest

pytest.importorskip("gradio")
pytest.importorskip("keras")
pytest.importorskip("nibabel")

from app_pages import (
    DONE,
    FIELD,
    PHONE,
    WEEKS,
    YEARS,
    at,
    drop,
    served,
    take_home,
    wait_for_no_files,
)
from made_up_models import (
    GA_INTERVAL,
    GA_TOLD,
    adult_age_model,
    fetal_age_model,
    make_fetus,
    save_volume,
)

from fetal_phantoms.adult_brain.brain import make_adult_brain

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Write brains of a fetus and an adult, and what is neither."""
    folder, fetus = tmp_path_factory.mktemp("scans"), make_fetus()
    inside, rng = fetus.labels > 0, np.random.default_rng(0)
    save_volume(folder / "fetus_T2w.nii.gz", fetus.t2, fetus.affine)
    save_volume(
        folder / "noise.nii.gz", np.where(inside, rng.random(inside.shape), 0), fetus.affine
    )
    unmasked = fetus.t2 + np.where(inside, 0, 20 + rng.random(inside.shape))
    save_volume(folder / "open_T2w.nii.gz", unmasked, fetus.affine)
    save_volume(folder / "open_mask.nii.gz", inside, fetus.affine)
    save_volume(folder / "large.nii.gz", fetus.t2, fetus.affine @ np.diag([1.7, 1.7, 1.7, 1]))
    adult = make_adult_brain(5, age_years=60, space="mni")
    save_volume(folder / "adult_T1w.nii.gz", adult.t1, adult.affine)
    head = make_adult_brain(6, age_years=50, with_skull=True)
    save_volume(folder / "skull_T1w.nii.gz", head.t1, head.affine)
    (folder / "letter.nii.gz").write_text("<b>no volume</b>")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    ga = fetal_age_model(make_fetus()).save(folder / "ga", "# One fetus")
    adult = adult_age_model().save(folder / "adult", "# A rule")
    with served(ga=ga, brain_age=adult) as one:
        yield one


def width_of_picture(page, task):
    return page.run(
        f"document.querySelector('#result-{task} [data-picture=overlay] img').naturalWidth"
    )


def test_a_fetal_brain_gets_its_age_interval_picture_and_source(tabs, server, scans):
    page = at(tabs, server, WEEKS)
    text = drop(page, "ga", scans / "fetus_T2w.nii.gz")
    assert page.text("#result-ga h2") == "fetus_T2w.nii.gz"
    assert page.text("#result-ga .fl-value") == GA_TOLD and GA_INTERVAL in text
    assert "Brain with its fluid" in text and "models0/ga" in text
    assert width_of_picture(page, "ga") > 300
    wait_for_no_files(server.folder)
    assert page.errors == []


def test_a_volume_and_its_mask_dropped_together_are_one_brain(tabs, server, scans):
    page = at(tabs, server, WEEKS)
    text = drop(page, "ga", scans / "open_T2w.nii.gz")
    assert "I don’t know" in text and "nothing says where the brain ends" in text
    drop(page, "ga", scans / "open_T2w.nii.gz", scans / "open_mask.nii.gz")
    assert page.text("#result-ga .fl-value") == GA_TOLD
    wait_for_no_files(server.folder)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("noise.nii.gz", "does not look like a fetal brain"),
        ("large.nii.gz", "larger than any of"),
        ("letter.nii.gz", "letter.nii.gz: a web page or XML"),
    ],
)
def test_what_is_no_fetal_brain_has_no_age(tabs, server, scans, name, words):
    page = at(tabs, server, WEEKS)
    text = drop(page, "ga", scans / name)
    assert page.text("#result-ga .fl-value") == "I don’t know" and words in text
    assert " weeks" not in page.text("#result-ga .fl-headline .fl-value")
    assert str(server.folder) not in text and "/tmp" not in text
    wait_for_no_files(server.folder)


def test_an_adult_brain_gets_years_volumes_centiles_and_a_picture(tabs, server, scans):
    page = at(tabs, server, YEARS)
    page.type(FIELD.format("years"), "60")
    text = drop(page, "brain-age", scans / "adult_T1w.nii.gz")
    years = float(page.text("#result-brain-age .fl-value").split()[0])
    assert f"{years - 7:.1f} to {years + 7:.1f} years, 90% interval" in text
    assert text.count("for the age that was given") == 3 and "White matter" in text
    assert width_of_picture(page, "brain-age") > 300
    page.type(FIELD.format("years"), "7")
    assert "must be 18 to 100 years" in drop(page, "brain-age", scans / "adult_T1w.nii.gz")
    wait_for_no_files(server.folder)
    assert page.errors == []


def test_several_heads_of_which_none_is_a_bare_adult_brain(tabs, server, scans, tmp_path):
    page = at(tabs, server, YEARS)
    names = ["skull_T1w.nii.gz", "fetus_T2w.nii.gz", "letter.nii.gz"]
    assert "3 scans" in drop(page, "brain-age", *(scans / name for name in names))
    saved = take_home(page, "brain-age", tmp_path, "brain_age.csv")
    rows = {row["scan"]: row for row in saved}
    assert list(rows) == names
    assert [rows[name]["status"] for name in names] == ["declined", "declined", "failed"]
    assert all(row["brain_age_years"] == "" for row in rows.values())
    assert "the skull is not stripped" in rows["skull_T1w.nii.gz"]["reason"]
    assert "a web page or XML" in rows["letter.nii.gz"]["reason"]
    wait_for_no_files(server.folder)


def test_users_of_three_tabs_at_once_get_their_own_answers(tabs, server, scans):
    plan = [(WEEKS, "ga", "fetus_T2w.nii.gz"), (YEARS, "brain-age", "skull_T1w.nii.gz")]
    plan.append((WEEKS, "ga", "noise.nii.gz"))
    users = [at(tabs, server, title) for title, *_ in plan]
    for page, (_, task, name) in zip(users, plan, strict=True):
        page.upload(f"#files-{task} input[type=file]", scans / name)
    told = []
    for page, (_, task, name) in zip(users, plan, strict=True):
        page.wait(DONE.format(task))
        assert page.text(f"#result-{task} h2") == name
        told.append(page.text(f"#result-{task} .fl-value"))
    assert told == [GA_TOLD, "I don’t know", "I don’t know"]
    wait_for_no_files(server.folder)


def test_an_answer_about_mri_fits_a_phone(tabs, server, scans):
    page = at(tabs, server, WEEKS, **PHONE)
    drop(page, "ga", scans / "fetus_T2w.nii.gz")
    assert page.run("document.documentElement.scrollWidth") == PHONE["width"]
