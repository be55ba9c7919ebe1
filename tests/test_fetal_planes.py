"""FETAL_PLANES_DB: the release's own split, one side a patient."""

from __future__ import annotations

import pytest
from made_up_scans import write_planes

from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts.brain_anomalies import iter_images
from fetal_lib.data.layouts.fetal_planes import TABLE_NAME, find


def rewrite(folder, old, new):
    path = folder / TABLE_NAME
    path.write_text(path.read_text().replace(old, new, 1))


def test_the_table_gives_planes_patients_and_the_split(tmp_path):
    table = find(write_planes(tmp_path)).usable()
    assert list(table["subject"]) == ["1", "1", "2", "2", "3", "3"]
    assert list(table["split"]) == ["train"] * 4 + ["test"] * 2
    assert list(table["brain_plane"][:3]) == ["Trans-thalamic", "Other", ""]
    assert set(table["machine"]) == {"Voluson E6"}
    sides = table.groupby("subject")["split"].nunique()
    assert (sides == 1).all()


def test_a_patient_on_both_sides_is_named(tmp_path):
    folder = write_planes(tmp_path)
    rewrite(folder, ";Voluson E6;1 ", ";Voluson E6;0 ")
    with pytest.raises(BadFilesError, match="patient 1 has images in Train 1 and 0"):
        find(folder).usable()


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
    with pytest.raises(BadFilesError, match=found):
        find(folder).usable()


def test_all_missing_and_all_bad_images_are_named(tmp_path):
    folder = write_planes(tmp_path)
    table = find(folder).usable()
    for i in (1, 4):
        table["image_path"][i].write_bytes(b"no image")
    with pytest.raises(BadFilesError, match=r"2 file\(s\)") as raised:
        list(iter_images(table))
    assert all(table["image"][i] in str(raised.value) for i in (1, 4))
    for i in (1, 4):
        table["image_path"][i].unlink()
    with pytest.raises(BadFilesError, match=r"2 file\(s\)"):
        find(folder).usable()
