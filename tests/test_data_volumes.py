"""Checking a volume: every way in which NIfTI files go wrong has its own word."""

from __future__ import annotations

import gzip
import tracemalloc

import nibabel
import numpy as np
import pytest
from made_up_folders import labels, save_volume

from fetal_lib.data.layouts.volumes import check_labels, check_volume, read_facts

DATA = np.random.default_rng(0).normal(100, 20, (8, 9, 10)).astype(np.float32)


def kinds(path, **options):
    return [problem.kind for problem in check_volume(path, path.parent, **options)[1]]


def write(path, data=DATA, affine=None, **header):
    image = nibabel.Nifti1Image(data, np.eye(4) if affine is None else affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_a_sound_volume_passes(tmp_path, ending, dtype):
    path = write(tmp_path / f"a{ending}", DATA.astype(dtype))
    facts, problems = check_volume(path, tmp_path)
    assert problems == [] and facts.shape == (8, 9, 10)


def test_nifti_2_and_analyze_pass(tmp_path):
    nibabel.save(nibabel.Nifti2Image(DATA, np.eye(4)), tmp_path / "two.nii")
    nibabel.save(nibabel.Spm99AnalyzeImage(DATA[..., None], np.eye(4)), tmp_path / "old.img")
    assert kinds(tmp_path / "two.nii") == kinds(tmp_path / "old.hdr") == []


def test_a_last_axis_of_one_is_no_fourth_dimension(tmp_path):
    facts, problems = check_volume(write(tmp_path / "a.nii.gz", DATA[..., None]), tmp_path)
    assert facts.shape == (8, 9, 10) and problems == []


def with_nan():
    data = DATA.copy()
    data[3, 4, 5] = np.nan
    return data


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (np.stack([DATA, DATA], axis=-1), "4D"),
        (DATA[:, :, 0], "4D"),
        (with_nan(), "NaN"),
        (np.full_like(DATA, np.inf), "NaN"),
        (np.zeros_like(DATA), "empty"),
        (DATA.astype(np.complex64), "data type"),
        (DATA[:, :, :1], "size"),
    ],
)
def test_a_faulty_content_is_named(tmp_path, data, kind):
    assert kind in kinds(write(tmp_path / "a.nii.gz", data))


def test_odd_geometry_is_named(tmp_path):
    assert kinds(write(tmp_path / "wide.nii", affine=np.diag([30, 30, 30, 1.0]))) == ["spacing"]
    path = write(tmp_path / "metres.nii", affine=np.diag([0.001, 0.001, 0.001, 1]), xyzt_units=1)
    assert kinds(path) == ["unit"]
    flat = np.diag([1.0, 1, 1, 1])
    flat[2] = 0
    image = nibabel.Nifti1Image(DATA, None)
    image.header["sform_code"], image.header["srow_x"] = 1, [1, 0, 0, 0]
    image.header["srow_y"], image.header["srow_z"] = [0, 1, 0, 0], [0, 0, 0, 0]
    (tmp_path / "flat.nii").write_bytes(image.to_bytes())
    assert "orientation" in kinds(tmp_path / "flat.nii")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.7, 0.999])
def test_a_truncated_volume_is_named(tmp_path, ending, share):
    path = write(tmp_path / f"a{ending}")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert kinds(path)


def test_a_flipped_bit_in_a_packed_volume_is_named(tmp_path):
    path = write(tmp_path / "a.nii.gz", (DATA > 100).astype(np.uint8))
    content = bytearray(path.read_bytes())
    content[-6] ^= 4  # in the checksum that closes the file
    path.write_bytes(content)
    assert kinds(path) == ["truncated"]


def test_a_header_that_promises_more_is_named_without_reserving_memory(tmp_path):
    image = nibabel.Nifti1Image(DATA, np.eye(4))
    content = bytearray(image.to_bytes())
    content[42:48] = np.array([900, 900, 900], "<i2").tobytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(bytes(content)))
    tracemalloc.start()
    found = kinds(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ["truncated"] and peak < 50e6


def test_memory_does_not_grow_with_the_volume(tmp_path):
    big = np.tile(np.arange(200, dtype=np.uint8), (400, 400, 1))
    path = write(tmp_path / "a.nii", big)
    tracemalloc.start()
    assert kinds(path) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6 < big.nbytes  # a few pieces of 4 MiB, of 32 MB


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "zero bytes"), (b"no volume at all" * 40, "wrong type"), (b"\x1f\x8bxx", "unreadable")],
)
def test_what_is_no_volume_is_named(tmp_path, content, kind):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(content)
    assert kinds(path) == [kind]
    assert read_facts(path) is None


def test_labels_are_whole_numbers_on_the_images_grid(tmp_path):
    image = read_facts(save_volume(tmp_path / "a.nii.gz"))
    good = save_volume(tmp_path / "good.nii.gz", labels())
    assert check_labels(good, tmp_path, image) == []
    soft = save_volume(tmp_path / "soft.nii.gz", labels() / np.float32(2))
    (problem,) = check_labels(soft, tmp_path, image)
    assert problem.kind == "labels" and "no whole number" in problem.message
    moved = save_volume(tmp_path / "moved.nii.gz", labels(), spacing_mm=1.5)
    (problem,) = check_labels(moved, tmp_path, image)
    assert problem.kind == "affine" and "differ by 0.5" in problem.message
