"""The page's tabs for MRI: an age with interval and picture, or the reason why there is none."""

import gzip
import re

import numpy as np
import pytest

keras = pytest.importorskip("keras")
nibabel = pytest.importorskip("nibabel")

from made_up_app import shelf_of  # noqa: E402
from made_up_models import (  # noqa: E402
    GA_INTERVAL,
    GA_TOLD,
    adult_age_model,
    fetal_age_model,
    make_fetus,
    save_volume,
)

from fetal_book.app import brain_age, gestational_age, volumes  # noqa: E402
from fetal_book.app.uploads import Upload, UploadError  # noqa: E402
from fetal_phantoms.adult_brain.brain import make_adult_brain  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fetus():
    return make_fetus()


@pytest.fixture(scope="module")
def fetal_model(fetus):
    return fetal_age_model(fetus)


def upload(folder, name, data, affine):
    """Write a volume under a name that says nothing, as an upload."""
    place = save_volume(folder / f"{name}.nii", data, affine)
    return Upload(place.rename(folder / f"upload-{name}"), f"{name}.nii")


def test_a_fetal_brain_gets_weeks_days_interval_and_what_was_looked_at(
    tmp_path, fetus, fetal_model
):
    file = upload(tmp_path, "fetus", fetus.t2, fetus.affine)
    html = gestational_age.answer_files([file], shelf_of(fetal_model, tmp_path))
    assert GA_TOLD in html and GA_INTERVAL in html
    assert 'data-picture="overlay"' in html and "runs/mine" in html
    assert file.path.is_file()  # it goes with the request, not before


def test_a_mask_belongs_to_the_volume_that_it_is_named_after(tmp_path, fetus, fetal_model):
    rng = np.random.default_rng(0)
    unmasked = fetus.t2 + np.where(fetus.labels > 0, 0, 20 + rng.random(fetus.t2.shape))
    volume = upload(tmp_path, "fetus", unmasked, fetus.affine)
    mask = upload(tmp_path, "fetus_mask", fetus.labels > 0, fetus.affine)
    alone = gestational_age.answer_files([volume], shelf_of(fetal_model, tmp_path))
    both = gestational_age.answer_files([volume, mask], shelf_of(fetal_model, tmp_path))
    assert "I don’t know" in alone and GA_TOLD in both


def test_what_is_no_fetal_brain_is_not_told_and_no_path_is_shown(tmp_path, fetus, fetal_model):
    shelf = shelf_of(fetal_model, tmp_path)
    noise = np.where(fetus.labels > 0, np.random.default_rng(0).random(fetus.t2.shape), 0)
    html = gestational_age.answer_files([upload(tmp_path, "noise", noise, fetus.affine)], shelf)
    assert "I don’t know" in html and "does not look like a fetal brain" in html
    (tmp_path / "letter").write_bytes(b"no gzip")
    broken = gestational_age.answer_files([Upload(tmp_path / "letter", "a.nii.gz")], shelf)
    assert "I don’t know" in broken and "a.nii.gz" in broken and "/tmp" not in broken
    with pytest.raises(UploadError, match="no .nii or .nii.gz file") as error:
        gestational_age.answer_files([Upload(tmp_path / "letter", "letter.txt")], shelf)
    assert "/tmp" not in str(error.value)
    with pytest.raises(UploadError, match="two files have this name"):
        gestational_age.answer_files([Upload(tmp_path / "letter", "a.nii")] * 2, shelf)


def test_an_adult_brain_gets_years_volumes_and_centiles_for_a_known_age(tmp_path):
    brain = make_adult_brain(5, age_years=60, space="mni")
    file, shelf = (
        upload(tmp_path, "t1", brain.t1, brain.affine),
        shelf_of(adult_age_model(), tmp_path),
    )
    html = brain_age.answer_files([file], shelf, None, "60")
    years = float(re.search(r'fl-value">([\d.]+) years', html)[1])
    assert f"{years - 7:.1f} to {years + 7:.1f} years, 90% interval" in html
    assert html.count("centile") == 3 and 'data-picture="overlay"' in html
    assert "centile" not in brain_age.answer_files([file], shelf, None, "")


def test_a_head_with_its_skull_is_told_what_to_do(tmp_path):
    brain = make_adult_brain(6, age_years=50, with_skull=True)
    file, shelf = (
        upload(tmp_path, "t1", brain.t1, brain.affine),
        shelf_of(adult_age_model(), tmp_path),
    )
    html = brain_age.answer_files([file], shelf, None, "")
    assert "I don’t know" in html and "mri_synthstrip" in html


def bomb(path, shape):
    """Write a few kilobytes that become as large as their header says."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.float64)
    header["magic"], header["vox_offset"] = b"n+1", 352
    with gzip.open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(40):
            file.write(bytes(1_000_000))
    return Upload(path, "bomb.nii.gz")


def test_a_packed_volume_that_would_become_too_large_is_not_unpacked(
    tmp_path, fetal_model, monkeypatch
):
    file = bomb(tmp_path / "bomb", (1000, 1000, 199))
    assert file.path.stat().st_size < 100_000
    monkeypatch.setattr(brain_age, "read_age", lambda *_: pytest.fail("it was read"))
    told = brain_age.answer_files([file], shelf_of(adult_age_model(), tmp_path), None, "")
    assert "I don’t know" in told and "199 million voxels; at most 50 million" in told
    monkeypatch.setattr(gestational_age, "read_age", lambda *_: pytest.fail("it was read"))
    with pytest.raises(UploadError, match="bomb.nii.gz: 199 million voxels"):
        gestational_age.answer_files([file], shelf_of(fetal_model, tmp_path))
    assert volumes.check_volume(bomb(tmp_path / "small", (100, 100, 100))) is None


def test_a_volume_is_read_under_a_name_of_the_app(tmp_path):
    """A name that ends in .hdr would have the reader look for a file beside it."""
    brain = make_adult_brain(5, age_years=60, space="mni")
    file = upload(tmp_path, "t1", brain.t1, brain.affine)
    renamed = Upload(file.path.rename(tmp_path / "t1.hdr"), "t1.hdr")
    with volumes.volume_path(renamed) as path:
        assert path.name == "scan.nii" and path.read_bytes() == renamed.path.read_bytes()
    assert not path.exists() and renamed.path.is_file()
    (tmp_path / "t1.hdr").write_bytes(bytes(128) + b"DICM" + bytes(500))
    with pytest.raises(UploadError, match="t1.hdr: a DICOM file"):
        volumes.check_volume(renamed)
