"""Fetal MRI folders: every layout gives its cases and ages; all that is wrong is named at once."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from made_up_scans import real_data
from made_up_volumes import DATA, save_nifti, save_picture, write_bids, write_slices

from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts.fetal_mri import iter_scans, read_cases
from fetal_phantoms.fetal_brain.write import write_fetal_brain_set

pytest.importorskip("nibabel")


def problems(folder) -> str:
    with pytest.raises(ValueError) as caught:
        read_cases(folder)
    return str(caught.value)


def participants(folder, *rows: str) -> None:
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")


def test_bids_gives_one_row_a_volume_with_age_labels_and_group(tmp_path):
    table = read_cases(write_bids(tmp_path))
    assert list(table["subject"]) == list(table["group"]) == ["sub-01", "sub-02"]
    assert list(table["ga_days"]) == [180, 187]
    scan = next(iter_scans(table))
    assert (scan.kind, scan.subject, scan.ga_days) == ("volume", "sub-01", 180)
    assert scan.labels.dtype == np.uint8 and set(np.unique(scan.labels)) == {0, 2}
    np.testing.assert_array_equal(scan.mask, scan.volume.data > 0)
    assert scan.pictures == {}


def test_sessions_have_their_own_ages_and_share_the_fetus(tmp_path):
    folder = write_bids(tmp_path)
    home = folder / "sub-01"
    for session in ("ses-1", "ses-2"):
        save_nifti(home / session / "anat" / f"sub-01_{session}_T2w.nii.gz")
    shutil.rmtree(home / "anat")
    assert list(read_cases(folder)["ga_days"]) == [180, 180, 187]
    (home / "sub-01_sessions.tsv").write_text("session_id\tga_days\nses-1\t150\n2\t200\n")
    table = read_cases(folder)
    assert list(table["ga_days"]) == [150, 200, 187]
    assert list(table["group"]) == ["sub-01", "sub-01", "sub-02"]
    assert list(table["session"]) == ["ses-1", "ses-2", ""]


def test_weeks_become_days_and_a_split_is_kept(tmp_path):
    folder = write_bids(tmp_path)
    participants(
        folder, "participant_id\tGestational age\tsplit", "01\t25,5\ttrain", "02\t30\ttest"
    )
    table = read_cases(folder)
    assert list(table["ga_days"]) == [178.5, 210.0]
    assert list(table["split"]) == ["train", "test"]


def test_all_problems_of_a_bids_folder_are_named_together(tmp_path):
    folder = write_bids(tmp_path, 4)
    rows = ["sub-01\t25", "sub-02\t", "sub-03\t200", "sub-03\t201", "sub-9\t200", "sub-a/b\t200"]
    participants(folder, "participant_id\tga_days", *rows)
    message = problems(folder)
    for words in ("ga_days is 25", "weeks × 7", "sub-02: no gestational age", "no BIDS name"):
        assert words in message
    assert "participant_id 03 stands more than once" in message
    assert "sub-9/anat/sub-9_T2w.nii.gz: no such file" in message
    participants(folder, "participant_id\tage", "sub-01\t30")
    assert "column 'ga_days' missing" in problems(folder)


def test_bad_volumes_are_named_together_after_the_sound_ones(tmp_path):
    folder = write_bids(tmp_path, 4)
    (folder / "sub-02/anat/sub-02_T2w.nii.gz").write_bytes(b"")
    save_nifti(folder / "sub-03/anat/sub-03_T2w.nii.gz", np.full((5, 5, 5), 7, np.int16))
    labels = folder / "derivatives/labels/sub-04/anat/sub-04_dseg.nii.gz"
    save_nifti(labels, (DATA > 50).astype(np.uint8))
    seen = []
    with pytest.raises(BadFilesError) as caught:
        for scan in iter_scans(read_cases(folder)):
            seen.append(scan.subject)
    assert seen == ["sub-01"] and len(caught.value.problems) == 3
    message = str(caught.value)
    assert "0 bytes" in message and "all voxels are alike" in message
    assert "labels and masks must be drawn on the scan's own grid" in message


def test_a_mask_beside_the_volume_is_found(tmp_path):
    folder = write_bids(tmp_path, 1)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[4:8, 4:8, 4:8] = 1
    save_nifti(folder / "sub-01/anat/sub-01_desc-brain_mask.nii.gz", mask, affine)
    scan = next(iter_scans(read_cases(folder)))
    np.testing.assert_array_equal(scan.mask, mask > 0)
    assert scan.labels.max() == 2


def test_written_phantoms_are_read_back(tmp_path):
    folder = write_fetal_brain_set(tmp_path / "set", 2, seed=1, spacing_mm=3.0)
    table = read_cases(folder)
    assert table["ga_days"].between(133, 273).all()
    for scan in iter_scans(table):
        assert scan.kind == "volume" and scan.labels.max() == 9
        assert scan.volume.data[~scan.mask].max() == 0


def test_written_stacks_are_three_a_fetus(tmp_path):
    folder = write_fetal_brain_set(tmp_path / "set", 1, seed=1, spacing_mm=3.0, kind="stacks")
    table = read_cases(folder)
    assert list(table["subject"]) == ["sub-0001"] * 3
    assert {scan.kind for scan in iter_scans(table)} == {"stack"}


def write_atlas(folder):
    for week in (21, 22):
        place = folder / f"fetal_atlas_GA{week}_x"
        save_nifti(place / "srr.nii.gz", DATA)
        save_nifti(place / "parcellation.nii.gz", (DATA % 9).astype(np.uint8))
        save_nifti(place / "mask.nii.gz", (DATA > 100).astype(np.uint8))
    return folder


def test_templates_have_the_age_in_their_path_and_are_one_group(tmp_path):
    table = read_cases(write_atlas(tmp_path / "atlas"))
    assert list(table["ga_days"]) == [147, 154] and set(table["kind"]) == {"template"}
    assert set(table["group"]) == {"atlas"} and table["subject"].is_unique
    scan = next(iter_scans(table))
    np.testing.assert_array_equal(scan.mask, DATA > 100)
    np.testing.assert_array_equal(scan.labels, DATA % 9)


def test_templates_in_one_folder_find_their_own_labels(tmp_path):
    for week in (30, 31):
        save_nifti(tmp_path / f"STA{week}.nii.gz")
        save_nifti(tmp_path / f"STA{week}_tissue.nii.gz", (DATA % 3).astype(np.uint8))
    table = read_cases(tmp_path)
    assert list(table["subject"]) == ["STA30", "STA31"]
    assert [path.name for path in table["labels_path"]] == [
        "STA30_tissue.nii.gz",
        "STA31_tissue.nii.gz",
    ]
    save_nifti(tmp_path / "other.nii.gz")
    assert "other.nii.gz: its path names no week" in problems(tmp_path)


def test_pictures_by_patient_and_plane_come_in_the_order_of_their_numbers(tmp_path):
    table = read_cases(write_slices(tmp_path))
    assert list(table["ga_days"]) == [150, 151] and set(table["kind"]) == {"slices"}
    scan = next(iter_scans(table))
    assert {plane: len(images) for plane, images in scan.pictures.items()} == {
        "axial": 12,
        "coronal": 12,
        "sagittal": 12,
    }
    from fetal_lib.readers.image import read_gray

    tenth = read_gray(tmp_path / "p0" / "axial" / "slice_10.jpg")
    np.testing.assert_array_equal(scan.pictures["axial"][10], tenth)
    assert scan.volume is None and scan.mask is None


def test_problems_of_pictures_are_named_together(tmp_path):
    folder = write_slices(tmp_path, 3)
    shutil.rmtree(folder / "p1" / "sagittal")
    (folder / "table.csv").write_text("patient_id;ga_days\np0;150\np1;\n../p2;151\np0;150\n")
    message = problems(folder)
    for words in (
        "p1/sagittal: no slice",
        "no gestational age for p1",
        "'../p2'",
        "p0 stands more",
    ):
        assert words in message
    write_slices(folder, 1)
    (folder / "p0" / "axial" / "slice_3.jpg").write_bytes(b"")
    (folder / "p0" / "sagittal" / "slice_4.jpg").write_bytes(b"\xff\xd8\xff damaged")
    with pytest.raises(BadFilesError, match="(?s)slice_3.jpg: 0 bytes.*slice_4.jpg"):
        list(iter_scans(read_cases(folder)))


def test_a_folder_of_no_known_layout_says_what_is_read(tmp_path):
    assert "neither participants.tsv" in problems(tmp_path)
    save_picture(tmp_path / "a.png")
    assert "PATIENT/axial/" in problems(tmp_path)
    assert "no such folder" in problems(tmp_path / "none")


def test_the_real_spina_bifida_atlas_is_read():
    folder = real_data("spina_bifida_atlas")
    table = read_cases(folder)
    weeks = sorted(table["ga_days"] / 7)
    assert weeks == sorted([*range(21, 35), 25]) and table["group"].nunique() == 1
    scan = next(iter_scans(table[table["ga_days"] == 154]))
    assert scan.labels.max() == 8 and scan.mask.any()
    inside = scan.volume.data[scan.mask]
    assert np.median(inside) > 20 * scan.volume.data[~scan.mask].mean()
