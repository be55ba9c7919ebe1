"""FETAL_PLANES_DB: the release's own split, one side a patient."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_scans import scan, write_planes

from fetal_lib.readers.delimited import TableReadError
from fetal_lib.sets.bad_files import BadFilesError
from fetal_lib.sets.fetal_planes import CSV_NAME, brain_planes, iter_images, read_table


def rewrite(folder, old, new):
    path = folder / CSV_NAME
    path.write_text(path.read_text().replace(old, new, 1))


def test_the_table_gives_planes_patients_and_the_split(tmp_path):
    table = read_table(write_planes(tmp_path))
    assert list(table["subject"]) == ["1", "1", "2", "2", "3", "3"]
    assert list(table["split"]) == ["train"] * 4 + ["test"] * 2
    assert list(table["brain_plane"][:3]) == ["Trans-thalamic", "Other", ""]
    assert set(table["machine"]) == {"Voluson E6"}
    sides = table.groupby("subject")["split"].nunique()
    assert (sides == 1).all()


def test_brain_planes_are_brains_in_a_named_plane(tmp_path):
    table = read_table(write_planes(tmp_path))
    assert list(brain_planes(table).index) == [0, 1]
    assert set(brain_planes(table)["brain_plane"]) == {"Trans-thalamic"}
    assert len(brain_planes(table, with_other=True)) == 4


def test_images_stream_in_order(tmp_path):
    table = read_table(write_planes(tmp_path))
    images = list(iter_images(table, (96, 128)))
    assert all(np.array_equal(image, scan(i)) for i, (image, _) in enumerate(images))
    assert images[0][1] == (96, 128)


def test_a_patient_on_both_sides_is_named(tmp_path):
    folder = write_planes(tmp_path)
    rewrite(folder, ";Voluson E6;1 ", ";Voluson E6;0 ")
    with pytest.raises(TableReadError, match="patient 1 has images in Train 1 and 0"):
        read_table(folder)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("Fetal brain", "Fetal head", "line 2: Plane is 'Fetal head'"),
        ("Trans-thalamic", "Not A Brain", "line 2: Brain_plane is 'Not A Brain'"),
        (";1 \n", ";2 \n", "line 2: Train is '2'; it must be one of 1, 0"),
        ("Brain_plane", "Brain", r"\['Brain_plane'\] missing"),
    ],
)
def test_labels_that_the_release_does_not_have_are_refused(tmp_path, old, new, found):
    folder = write_planes(tmp_path)
    rewrite(folder, old, new)
    with pytest.raises(TableReadError, match=found):
        read_table(folder)


def test_all_missing_and_all_bad_images_are_named(tmp_path):
    folder = write_planes(tmp_path)
    table = read_table(folder)
    for i in (1, 4):
        table["image_path"][i].write_bytes(b"no image")
    with pytest.raises(BadFilesError, match=r"2 file\(s\)") as raised:
        list(iter_images(table, (8, 8)))
    assert all(table["image"][i] in str(raised.value) for i in (1, 4))
    for i in (1, 4):
        table["image_path"][i].unlink()
    with pytest.raises(BadFilesError, match=r"2 file\(s\)"):
        read_table(folder)
