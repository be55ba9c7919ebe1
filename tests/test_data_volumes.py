"""Volumes of a set: a scan shows something, labels lie on its grid, faults have a short name."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_folders import labels, save_volume

from fetal_lib.data.bad_files import FileFault, problems_of
from fetal_lib.data.volumes import labels_of, read_scan_volume


def kind_of(path):
    with pytest.raises(ValueError) as raised:
        read_scan_volume(path)
    (problem,) = problems_of(raised.value)
    assert problem.file == str(path)
    return problem.kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "zero bytes"),
        (b"no volume at all" * 40, "wrong type"),
        (b"\x1f\x8bxx", "unreadable"),
        (b"/annex/objects/MD5E-s100--0.nii.gz", "pointer"),
        (None, "missing"),
    ],
)
def test_what_is_no_volume_is_told_apart(tmp_path, content, kind):
    path = tmp_path / "a.nii.gz"
    if content is not None:
        path.write_bytes(content)
    assert kind_of(path) == kind


def test_a_volume_that_is_the_same_all_over_is_refused(tmp_path):
    assert kind_of(save_volume(tmp_path / "a.nii.gz", np.zeros((8, 9, 10), np.uint8))) == "empty"


def test_labels_are_whole_numbers_on_the_images_grid(tmp_path):
    image = read_scan_volume(save_volume(tmp_path / "a.nii.gz"))
    good = save_volume(tmp_path / "good.nii.gz", labels())
    assert np.array_equal(labels_of(good, image), labels())
    soft = save_volume(tmp_path / "soft.nii.gz", labels() / np.float32(2))
    with pytest.raises(ValueError, match="soft.nii.gz: values that are no labels"):
        labels_of(soft, image)
    many = save_volume(tmp_path / "many.nii.gz", labels() + np.int16(300))
    with pytest.raises(FileFault, match="labels are 0 to 255"):
        labels_of(many, image)
    moved = save_volume(tmp_path / "moved.nii.gz", labels(), spacing_mm=1.5)
    with pytest.raises(FileFault, match="differ by 0.5") as raised:
        labels_of(moved, image)
    assert raised.value.problem.kind == "affine"
