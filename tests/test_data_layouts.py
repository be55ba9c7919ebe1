"""Every layout: a sound folder passes and is recognised, each planted fault is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_up_folders import (
    FOLDERS,
    WITH_SCANS,
    disc,
    labels,
    noise,
    save,
    save_text,
    save_volume,
)
from made_up_scans import real_data

from fetal_lib.data.catalogue import load_manifest
from fetal_lib.data.layouts.registry import LAYOUTS, LayoutError, detect_layout, layout_named
from fetal_lib.data.verify import verify_folder


@pytest.fixture
def copy(sound, tmp_path):
    return lambda name: Path(shutil.copytree(sound / name, tmp_path / name))


def found(folder: Path, **options) -> set[tuple[str, str]]:
    report = verify_folder(folder, **options)
    return {(one.file, one.kind) for one in (*report.problems, *report.notes)}


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_sound_folder_is_recognised_and_passes(sound, name):
    steps = []
    report = verify_folder(sound / name, progress=lambda *step: steps.append(step))
    assert report.layout == FOLDERS[name][0]
    assert report.ok, report.problems
    assert report.n_cases > 0 and steps[-1][0] == len(steps)


def test_every_layout_has_a_made_up_folder():
    assert {layout for layout, _ in FOLDERS.values()} == set(LAYOUTS)


@pytest.mark.parametrize("name", WITH_SCANS)
@pytest.mark.parametrize(
    ("content", "kinds"),
    [(b"", {"zero bytes"}), (b"%PDF-1.7 no scan", {"wrong type"})],
)
def test_a_file_that_is_no_scan_is_named_in_every_layout(copy, name, content, kinds):
    folder = copy(name)
    scans = (".png", ".jpg", ".nii.gz")
    path = sorted(p for p in folder.rglob("*") if p.name.endswith(scans))[0]
    path.write_bytes(content)
    assert (path.relative_to(folder).as_posix(), *kinds) in found(folder)


@pytest.mark.parametrize("name", WITH_SCANS)
def test_a_truncated_scan_is_named_in_every_layout(copy, name):
    folder = copy(name)
    scans = (".png", ".jpg", ".nii.gz")
    path = sorted(p for p in folder.rglob("*") if p.name.endswith(scans))[-1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    kinds = {kind for file, kind in found(folder) if file == path.relative_to(folder).as_posix()}
    assert kinds & {"truncated", "unreadable"}


def test_all_faults_of_a_folder_are_reported_at_once(copy):
    folder = copy("clinical")
    (folder / "images" / "0.png").unlink()
    save(folder / "masks" / "1.png", disc((10, 10)))
    save(folder / "masks" / "2.png", np.zeros((24, 32), np.uint8))
    replace_in(folder / "table.csv", "s1,head,0.2,150", "s1,heart,2,150")
    replace_in(folder / "table.csv", "180.5", '"180,5"')
    assert found(folder) == {
        ("images/0.png", "missing"),
        ("masks/1.png", "size"),
        ("masks/2.png", "empty mask"),
        ("table.csv", "value"),
        ("table.csv", "out of range"),
        ("table.csv", "decimal comma"),
    }


@pytest.mark.parametrize(
    ("name", "table", "old", "new", "kind"),
    [
        ("clinical", "table.csv", "subject", "patient", "columns"),
        ("clinical", "table.csv", "ga_days", "ga_weeks", "columns"),
        ("clinical", "table.csv", "images/1.png", "../1.png", "file name"),
        ("clinical", "table.csv", "masks/1.png", "/masks/1.png", "file name"),
        ("clinical", "table.csv", "images/1.png", "images/0.png", "duplicate"),
        ("clinical", "table.csv", ",s1,", ",,", "no value"),
        ("clinical", "table.csv", "0.2,150", "0.2,21", "out of range"),
        ("clinical", "table.csv", "0.2,150", "0,2,150", "fields"),
        ("clinical", "table.csv", "180.5", "big", "not a number"),
        ("planes", "FETAL_PLANES_DB_data.csv", "Train", "Part", "columns"),
        ("planes", "FETAL_PLANES_DB_data.csv", "E6;0", "E6;1", "split"),
        ("planes", "FETAL_PLANES_DB_data.csv", "Fetal brain", "Brain", "value"),
        ("one_hot", "train/_classes.csv", "rf.0123456789abcdef0.jpg, 0", "x.jpg, 2", "value"),
        ("one_hot", "test/_classes.csv", "filename", "file", "columns"),
        ("cases", "cases.csv", "0.2", "20", "out of range"),
        ("cases", "cases.csv", ",porencephaly,", ",,", "no value"),
        ("two_folders", "pixel_sizes.csv", "1.png,0.2\n", "", "no value"),
        ("two_folders", "pixel_sizes.csv", "0.2", "0.2 mm", "not a number"),
        ("slices", "table.csv", "150", "21 weeks", "not a number"),
        ("slices", "table.csv", "150", "", "no value"),
        ("slices", "table.csv", "ga_days", "age", "columns"),
        ("slices", "table.csv", "201.5", '"2,015"', "decimal comma"),
        ("slices", "table.csv", "p2", "p1", "duplicate"),
        ("fetal_bids", "participants.tsv", "150", "21.4", "out of range"),
        ("fetal_bids", "participants.tsv", "230", "n/a", "no value"),
        ("fetal_bids", "participants.tsv", "sub-02", "sub 02", "file name"),
        ("adult_bids", "participants.tsv", "71", "71,5", "decimal comma"),
        ("adult_bids", "participants.tsv", "71", "seventy", "not a number"),
        ("adult_bids", "participants.tsv", "71", "710", "out of range"),
        ("adult_bids", "participants.tsv", "sub-02", "sub-01", "duplicate"),
        ("ixi", "IXI.csv", "38.78", '"38,78"', "decimal comma"),
        ("oasis", "oasis_cross-sectional.csv", "0.743", "74.3", "out of range"),
        ("oasis", "oasis_cross-sectional.csv", "OAS1_0061_MR2", "OAS1_0061_MR1", "duplicate"),
        ("oasis", "oasis_cross-sectional.csv", ",Age,", ",age at scan,", "columns"),
    ],
)
def test_a_fault_of_a_table_is_named(copy, name, table, old, new, kind):
    folder = copy(name)
    replace_in(folder / table, old, new)
    assert (table, kind) in found(folder, layout=FOLDERS[name][0])


@pytest.mark.parametrize(
    ("name", "gone", "file", "kind"),
    [
        ("planes", "Images/Patient00001_Plane3_1_of_2.png", None, "missing"),
        ("one_hot", "valid/valid-1_png.rf.0123456789abcdef1.jpg", None, "missing"),
        ("boxes", "train/labels/train_1.txt", None, "missing"),
        ("boxes", "train/images/train_1.jpg", "train/labels/train_1.txt", "no image"),
        ("boxes", "data.yaml", None, "missing"),
        ("cases", "lesions/Patient00001_Plane1.png", None, "missing"),
        ("two_folders", "masks/1_mask.png", "images/1.png", "missing mask"),
        ("two_folders", "images/1.png", "masks/1_mask.png", "missing"),
        ("slices", "p1/coronal", None, "missing"),
        ("slices", "p2", "p2/axial", "missing"),
        ("fetal_bids", "sub-02", None, "missing"),
        ("fetal_bids", "participants.tsv", None, "missing"),
        ("adult_bids", "sub-01/anat/sub-01_T1w.nii.gz", "sub-01", "missing"),
        ("oasis", "OAS1_0061_MR2", None, "missing"),
        ("atlas", "STA22.nii.gz", "STA22_tissue.nii.gz", "missing image"),
    ],
)
def test_what_is_gone_is_named(copy, name, gone, file, kind):
    folder = copy(name)
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert (file or gone, kind) in found(folder, layout=FOLDERS[name][0])


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("planes", "Images/Patient00009_Plane3_1_of_1.png"),
        ("one_hot", "train/other.jpg"),
        ("fetal_bids", "sub-99/anat/sub-99_T2w.nii.gz"),
        ("slices", "p9/axial/0.jpg"),
    ],
)
def test_what_no_table_lists_is_named(copy, name, extra):
    folder = copy(name)
    path = folder / extra
    save_volume(path) if extra.endswith(".nii.gz") else save(path, noise(9))
    assert "not listed" in {kind for _, kind in found(folder)}


def test_a_volume_named_for_another_subject_is_named(copy):
    folder = copy("fetal_bids")
    place = folder / "sub-01" / "anat"
    (place / "sub-01_T2w.nii.gz").rename(place / "sub-02_T2w.nii.gz")
    assert ("sub-01/anat/sub-02_T2w.nii.gz", "file name") in found(folder)


def test_labels_on_another_grid_are_named(copy):
    folder = copy("fetal_bids")
    place = folder / "derivatives" / "labels"
    save_volume(place / "sub-01" / "anat" / "sub-01_dseg.nii.gz", labels()[:-1])
    save_volume(place / "sub-02" / "anat" / "sub-02_dseg.nii.gz", labels(), spacing_mm=2.0)
    assert found(folder) == {
        ("derivatives/labels/sub-01/anat/sub-01_dseg.nii.gz", "size"),
        ("derivatives/labels/sub-02/anat/sub-02_dseg.nii.gz", "affine"),
    }


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("2 0.5 0.5 0.2 0.2", "box"),
        ("0 0,5 0.5 0.2 0.2", "box"),
        ("0 0.5 0.5 0.2", "box"),
        ("0 0.5 1.5 0.2 0.2", "box"),
        ("0 0.5 0.5 0 0.2", "box"),
        ("nan 0.5 0.5 0.2 0.2", "box"),
        ("", "box"),
    ],
)
def test_a_faulty_box_is_named(copy, line, kind):
    folder = copy("boxes")
    save_text(folder / "train" / "labels" / "train_0.txt", line)
    assert found(folder) == {("train/labels/train_0.txt", kind)}


def test_an_image_of_two_classes_is_named(copy):
    folder = copy("one_hot")
    replace_in(folder / "valid" / "_classes.csv", ", 0, 1", ", 1, 1")
    assert ("valid/valid-0_png.rf.0123456789abcdef0.jpg", "class") in found(folder)


def test_a_class_that_the_manifest_does_not_map_is_named(copy):
    folder = copy("one_hot")
    manifest = load_manifest("fetal_brain_anomalies_16")
    assert verify_folder(folder, manifest).ok
    replace_in(folder / "train" / "_classes.csv", "polencephaly", "porencephali")
    report = verify_folder(folder, manifest)
    assert [problem.kind for problem in report.problems] == ["class"]
    folders = copy("class_folders")
    (folders / "train" / "normal").rename(folders / "train" / "nromal")
    assert "class" in {problem.kind for problem in verify_folder(folders, manifest).problems}


def test_an_image_in_place_of_a_mask_is_named(copy):
    folder = copy("two_folders")
    save(folder / "masks" / "0_mask.png", np.full((24, 32), 128, np.uint8))
    blocks = np.kron(noise(5, (3, 4)), np.ones((8, 8), np.uint8))
    blocks[:8, :8] = 255
    blocks[8:16] = 128
    save(folder / "masks" / "1_mask.png", blocks)
    assert found(folder) == {("masks/0_mask.png", "full mask"), ("masks/1_mask.png", "not a mask")}


def test_slices_of_another_size_are_named(copy):
    folder = copy("slices")
    save(folder / "p1" / "axial" / "2.jpg", noise(1, (10, 10)))
    assert found(folder) == {("p1/axial/2.jpg", "size")}


def test_the_old_excel_table_of_ixi_is_asked_for_as_csv(copy):
    folder = copy("ixi")
    (folder / "IXI.csv").rename(folder / "IXI.xls")
    assert found(folder) == {("IXI.xls", "table")}


def test_a_volume_of_ixi_without_an_age_is_named(copy):
    folder = copy("ixi")
    replace_in(folder / "IXI.csv", "38.78", "")
    assert found(folder) == {("IXI-T1/IXI012-HH-1211-T1.nii.gz", "no age")}


def test_a_template_without_a_week_is_named(copy):
    folder = copy("atlas")
    (folder / "STA21.nii.gz").rename(folder / "mean.nii.gz")
    assert ("mean.nii.gz", "no age") in found(folder)


def test_a_git_annex_pointer_is_told_from_a_volume(copy):
    folder = copy("atlas")
    (folder / "STA21.nii.gz").write_text("/annex/objects/MD5E-s100--0.nii.gz\n")
    assert ("STA21.nii.gz", "pointer") in found(folder)


def test_hidden_files_and_those_of_other_programs_are_passed_over(copy):
    folder = copy("planes")
    (folder / "Images" / ".DS_Store").write_bytes(b"x")
    (folder / "Images" / "__MACOSX").mkdir()
    (folder / "Images" / "__MACOSX" / "._1.png").write_bytes(b"x")
    assert found(folder) == set()


def test_a_named_set_in_another_layout_is_checked_as_what_it_is(sound):
    report = verify_folder(sound / "adult_bids", load_manifest("oasis1"))
    assert report.layout == "bids_adult" and report.ok


def test_an_unknown_layout_and_an_unknown_folder_list_what_there_is(tmp_path):
    with pytest.raises(LayoutError, match="did you mean 'bids_adult'"):
        layout_named("bids_adlut")
    save_text(tmp_path / "notes.txt", "nothing")
    with pytest.raises(LayoutError, match="no layout is recognised"):
        detect_layout(tmp_path)
    with pytest.raises(NotADirectoryError, match="is no folder"):
        verify_folder(tmp_path / "none")


REAL = {
    "fetal_us_abnormalities": ("yolo_boxes", 420),
    "oasis1": ("bids_adult", 220),
    "spina_bifida_atlas": ("fetal_atlas", 15),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_data_pass_and_are_recognised(name):
    folder = real_data(name)
    report = verify_folder(folder)
    assert (report.layout, report.n_cases) == REAL[name]
    assert report.ok, report.problems[:5]


@pytest.mark.slow
def test_real_heads_pass():
    folder = real_data("hc18")
    report = verify_folder(folder)
    assert report.layout == "hc18" and report.n_cases >= 746
    assert report.ok, report.problems[:5]
