"""Damaged and disguised volumes: a volume, or a VolumeReadError that names the file."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from damaged_files import changes_near, fuzz, mutated
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_scans import real_data
from made_up_volumes import save_frames, save_nifti, save_series

from fetal_lib.readers.volume import VolumeReadError, read_volume

pytest.importorskip("nibabel")
pytest.importorskip("pydicom")
FUZZ = fuzz(250)
SMALL = np.random.default_rng(1).integers(0, 200, (4, 5, 6)).astype(np.int16)
CHANGES = changes_near(0.5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """Return undamaged files by name."""
    folder = tmp_path_factory.mktemp("whole")
    paths = [
        save_nifti(folder / "one.nii", SMALL),
        save_nifti(folder / "float.nii", SMALL.astype(np.float64)),
        save_nifti(folder / "two.nii", SMALL, kind="Nifti2Image"),
        save_nifti(folder / "packed.nii.gz", SMALL),
        save_nifti(folder / "four.nii", np.stack([SMALL, SMALL], axis=-1)),
        save_frames(folder / "frames.dcm", SMALL),
    ]
    return {path.name: path.read_bytes() for path in paths}


def check(path, content: bytes) -> None:
    """Read a file with this content; fail on anything but a sound volume or a named error."""
    path.write_bytes(content)
    try:
        volume = read_volume(path)
    except VolumeReadError as error:
        assert str(error).startswith(f"{path}: ") and error.path == path
    else:
        assert volume.data.dtype == np.float32 and volume.data.ndim == 3
        assert np.isfinite(volume.data).all() and np.isfinite(volume.affine).all()
        assert abs(np.linalg.det(volume.affine[:3, :3])) > 0
        assert all(0.1 <= edge <= 20 for edge in volume.spacing_mm)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["one.nii", "float.nii", "two.nii", "packed.nii.gz", "four.nii"])
@pytest.mark.slow
def test_a_damaged_nifti_file_is_read_or_named(tmp_path, whole, name):
    @FUZZ
    @given(CHANGES)
    def run(changes):
        check(tmp_path / name, mutated(whole[name], changes))

    run()


@pytest.mark.slow
def test_a_damaged_file_inside_a_sound_gzip_is_read_or_named(tmp_path, whole):
    @FUZZ
    @given(CHANGES)
    def run(changes):
        check(tmp_path / "a.nii.gz", gzip.compress(mutated(whole["one.nii"], changes), 1))

    run()


@pytest.mark.slow
def test_a_damaged_multi_frame_file_is_read_or_named(tmp_path, whole):
    @FUZZ
    @given(CHANGES)
    def run(changes):
        check(tmp_path / "a.dcm", mutated(whole["frames.dcm"], changes))

    run()


@pytest.mark.slow
def test_a_series_with_a_damaged_slice_is_read_or_named(tmp_path):
    folder = save_series(tmp_path / "series", SMALL)
    path = sorted(folder.iterdir())[2]
    content = path.read_bytes()

    @FUZZ
    @given(CHANGES)
    def run(changes):
        path.write_bytes(mutated(content, changes))
        try:
            volume = read_volume(folder)
        except VolumeReadError as error:
            assert str(folder) in str(error)
        else:
            assert np.isfinite(volume.data).all()

    run()


@given(st.binary(max_size=2000))
@settings(parent=FUZZ, max_examples=150)
def test_any_bytes_are_read_or_named(tmp_path, content):
    if content:
        check(tmp_path / "a.nii", content)


@given(CHANGES)
@settings(parent=FUZZ, max_examples=40)
@pytest.mark.slow
def test_a_damaged_real_template_is_read_or_named(tmp_path, changes):
    folder = real_data("spina_bifida_atlas")
    content = (sorted(folder.glob("*/mask.nii.gz"))[0]).read_bytes()
    check(tmp_path / "a.nii.gz", mutated(content, changes))
