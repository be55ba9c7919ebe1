"""What `data verify` says of a folder is what a chapter does with it, and what an audit reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_up_folders import FOLDERS, WITH_SCANS, noise, save

from fetal_lib.data.bad_files import BadFilesError, stream
from fetal_lib.data.layouts import adult_mri, brain_anomalies, clinical_ultrasound, fetal_mri, heads
from fetal_lib.data.layouts.registry import layout_named
from fetal_lib.data.masks import iter_cases
from fetal_lib.data.verify import verify_folder


def layouts_own_loader(name: str):
    layout = layout_named(name)
    return lambda folder: list(stream(layout.find(folder).usable().itertuples(), layout.read))


CHAPTERS = {  # as the chapters read it: the cases, then their files
    "hc18": lambda folder: heads.load_arrays(heads.read_cases(folder), (32, 32)),
    "clinical_ultrasound": lambda folder: list(
        iter_cases(clinical_ultrasound.read_cases(folder), (32, 32))
    ),
    "bids_fetal": lambda folder: list(fetal_mri.iter_scans(fetal_mri.read_cases(folder))),
    "bids_adult": lambda folder: list(adult_mri.iter_scans(adult_mri.read_cases(folder).rows)),
    "labelled_images": lambda folder: list(
        brain_anomalies.iter_images(brain_anomalies.read_cases(folder))
    ),
}
CHAPTERS["fetal_atlas"] = CHAPTERS["slices"] = CHAPTERS["bids_fetal"]
CHAPTERS["ixi"] = CHAPTERS["oasis1"] = CHAPTERS["bids_adult"]
CHAPTERS["yolo_boxes"] = CHAPTERS["anomaly_cases"] = CHAPTERS["labelled_images"]


def chapter_takes(layout: str, folder: Path) -> bool:
    load = CHAPTERS.get(layout) or layouts_own_loader(layout)
    try:
        load(folder)
    except BadFilesError as error:
        assert error.problems
        return False
    return True


def one_answer(layout: str, folder: Path) -> bool:
    """Return whether the folder is sound, and hold that both sides say so."""
    report = verify_folder(folder, layout=layout)
    assert chapter_takes(layout, folder) == report.ok, report.problems
    return report.ok


@pytest.mark.parametrize("name", FOLDERS)
def test_a_sound_folder_is_taken_by_both(sound, name):
    layout = FOLDERS[name][0]
    assert one_answer(layout, sound / name)
    assert verify_folder(sound / name).layout == layout
    rows = layout_named(layout).find(sound / name).rows
    assert verify_folder(sound / name).n_cases == len(rows) > 0


@pytest.mark.parametrize("how", ["empty", "cut", "text", "gone"])
@pytest.mark.parametrize("name", WITH_SCANS)
def test_a_spoilt_scan_is_refused_by_both(sound, tmp_path, name, how):
    folder = Path(shutil.copytree(sound / name, tmp_path / name))
    scans = sorted(p for p in folder.rglob("*") if p.name.endswith((".png", ".jpg", ".nii.gz")))
    content = {"empty": b"", "cut": scans[0].read_bytes()[:-3], "text": b"%PDF-1.7 no scan"}
    scans[0].unlink() if how == "gone" else scans[0].write_bytes(content[how])
    # a whole picture or scan may be missing where no table names it, or where it is left out
    unnamed = ("class_folders", "slices", "boxes", "ixi", "oasis", "atlas", "fetal_bids")
    assert not one_answer(FOLDERS[name][0], folder) or how == "gone" and name in unnamed


TABLES = [
    ("clinical", "table.csv", "0.2,150", "20,150", False),
    ("hc18", heads.TABLE_NAME, "0.5,", "500,", False),
    ("oasis", "oasis_cross-sectional.csv", "1344", "2700", True),  # a large head is one
    ("oasis", "oasis_cross-sectional.csv", "1344", "27000", False),
    ("oasis", "oasis_cross-sectional.csv", "OAS1_0001_MR1", "OAS1_0009_MR1", True),  # left out
    ("adult_bids", "participants.tsv", "44.5", "n/a", True),  # left out
    ("adult_bids", "participants.tsv", "44.5", "44,5", True),  # the only comma: a decimal
    ("fetal_bids", "participants.tsv", "230", "n/a", False),
    ("ixi", "IXI.csv", "12,1", "2,1", False),  # whose age is certain in no row
    ("one_hot", "train/_classes.csv", "polencephaly", "porencefali", False),
    ("cases", "cases.csv", "porencephaly", "glioma", False),
    ("planes", "FETAL_PLANES_DB_data.csv", "E6;0", "E6;1", False),
    ("boxes", "train/labels/train_0.txt", "0.25 0.5", "0.25 1.5", False),
    ("coco", "train/_annotations.coco.json", '"image_id": 0', '"image_id": 7', False),
    ("slices", "table.csv", "201.5", '"201,5"', True),
]


@pytest.mark.parametrize(("name", "table", "old", "new", "is_sound"), TABLES)
def test_a_changed_table_gets_one_answer(sound, tmp_path, name, table, old, new, is_sound):
    folder = Path(shutil.copytree(sound / name, tmp_path / name))
    text = (folder / table).read_text("utf-8")
    assert old in text
    (folder / table).write_text(text.replace(old, new, 1), "utf-8")
    assert one_answer(FOLDERS[name][0], folder) is is_sound


def test_a_table_parted_by_semicolons_has_decimal_commas(sound, tmp_path):
    folder = Path(shutil.copytree(sound / "clinical", tmp_path / "clinical"))
    text = (folder / "table.csv").read_text("utf-8").replace(",", ";")
    text = text.replace("0.2", "0,2").replace("180.5", "180,5")
    (folder / "table.csv").write_text(text, "utf-8")
    assert one_answer("clinical_ultrasound", folder)
    assert set(clinical_ultrasound.read_cases(folder)["pixel_size_mm"]) == {0.2}


def test_pictures_of_a_plane_are_in_the_order_of_their_numbers_for_all(sound, tmp_path):
    folder = Path(shutil.copytree(sound / "slices", tmp_path / "slices"))
    for n in (2, 10):
        save(folder / "p1" / "axial" / f"{n}.jpg", noise(n))
    layout = layout_named("slices")
    row = next(layout.find(folder).rows.itertuples())
    from fetal_lib.data.images import read_image

    last = read_image(folder / "p1" / "axial" / "10.jpg")
    assert (layout.read(row).pictures["axial"][-1] == last).all()
