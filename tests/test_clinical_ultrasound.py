"""A clinic's own set: one table, everything wrong with it in one message."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_up_scans import CLINICAL_HEADER, SIZE, head, save, scan, us_region, write_clinical

from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts.clinical_ultrasound import read_cases
from fetal_lib.data.masks import iter_cases


def rewrite(folder, change):
    path = folder / "table.csv"
    path.write_text(change(path.read_text()))
    return folder


def test_a_table_reads_with_paths_subjects_and_numbers(tmp_path):
    table = read_cases(write_clinical(tmp_path))
    assert list(table["structure"]) == ["head", "abdomen"] * 2
    assert list(table["subject"]) == ["S0", "S0", "S1", "S1"]
    assert (table["pixel_size_mm"] == 0.31).all() and (table["hc_mm"] == 181.5).all()
    assert table["ac_mm"].isna().all() and table["ac_mm"].dtype == float
    image, mask, size_hw = next(iter_cases(table, SIZE))
    assert np.array_equal(image, scan(0)) and size_hw == SIZE
    assert np.array_equal(mask, head(0).mask(SIZE) * np.uint8(255))


def test_semicolons_and_decimal_commas_of_a_german_sheet(tmp_path):
    folder = write_clinical(tmp_path)
    expected = read_cases(folder)
    rewrite(folder, lambda text: "\ufeff" + text.replace(",", ";").replace("0.31", "0,31"))
    rewrite(folder, lambda text: text.replace("181.5", "181,5").replace("\n", "\r\n"))
    assert read_cases(folder).equals(expected)


def test_numbers_may_be_left_out(tmp_path):
    folder = write_clinical(tmp_path)
    rows = [line.split(",")[:4] for line in (folder / "table.csv").read_text().splitlines()]
    rewrite(folder, lambda _: "\n".join(",".join(row) for row in rows))
    table = read_cases(folder)
    assert table[["pixel_size_mm", "ga_days", "hc_mm", "fl_mm"]].isna().all().all()


def test_every_bad_row_is_named_at_once(tmp_path):
    rows = [
        "images/0.png,masks/0.png,S0,Head,0.31,147,18.15,,,,",
        "images/1.png,masks/1.png,,head,0.31,21,181.5,,,,",
        "images/2.png,images/2.png,S1,femur,310,147,181.5,,,,",
        "images/0.png,masks/3.png,S1,head,0.31,147,many,,,,",
    ]
    folder = write_clinical(tmp_path)
    rewrite(folder, lambda _: "\n".join([CLINICAL_HEADER, *rows]))
    with pytest.raises(BadFilesError) as raised:
        read_cases(folder)
    message = str(raised.value)
    for found in (
        "line 2: hc_mm is 18.15; it must be 30-420 mm (cm × 10)",
        "line 3: subject is empty",
        "line 3: ga_days is 21; it must be 70-310 days (weeks × 7)",
        "line 4: structure is 'femur'; it must be head or abdomen",
        "line 4: images/2.png is its own mask",
        "line 4: pixel_size_mm is 310",
        "line 5: hc_mm is 'many', no number",
        "image images/0.png stands more than once",
    ):
        assert found in message
    assert len(raised.value.problems) == 8


@pytest.mark.parametrize("column", ["hc_cm", "GA weeks", "pixel-size-um", "hc"])
def test_a_column_in_other_units_is_not_passed_over(tmp_path, column):
    folder = write_clinical(tmp_path)
    known = {"hc": "hc_mm", "ga": "ga_days", "pi": "pixel_size_mm"}[column[:2].lower()]
    rewrite(folder, lambda text: text.replace(known, column, 1))
    with pytest.raises(BadFilesError, match=f"column '{column}' is not known: give '{known}'"):
        read_cases(folder)


def test_other_columns_are_passed_over(tmp_path):
    folder = write_clinical(tmp_path)
    rewrite(folder, lambda text: text.replace("fl_mm", "remark"))
    assert read_cases(folder)["fl_mm"].isna().all()


def test_all_missing_files_are_named(tmp_path):
    folder = write_clinical(tmp_path)
    (folder / "images" / "1.png").unlink()
    (folder / "masks" / "3.png").unlink()
    with pytest.raises(BadFilesError, match=r"2 file\(s\)") as raised:
        read_cases(folder)
    assert "images/1.png: no such file" in str(raised.value)
    assert "masks/3.png: no such file" in str(raised.value)


def test_a_path_out_of_the_folder_is_refused(tmp_path):
    folder = write_clinical(tmp_path / "set")
    save(tmp_path / "0.png", scan(0))
    rewrite(folder, lambda text: text.replace("images/0.png", "../0.png"))
    with pytest.raises(BadFilesError, match="'../0.png': it leads out of the folder"):
        read_cases(folder)


def test_a_dicom_image_brings_its_pixel_size(tmp_path):
    pytest.importorskip("pydicom")
    from made_up_scans import write_dicom

    folder = write_clinical(tmp_path)
    region = us_region(0.0123, 0.0123)
    write_dicom(folder / "images" / "0.dcm", scan(0), SequenceOfUltrasoundRegions=[region])
    write_dicom(folder / "images" / "1.dcm", scan(1))
    rewrite(folder, lambda t: t.replace("s/0.png,", "s/0.dcm,", 1).replace("s/1.png", "s/1.dcm", 1))
    rewrite(folder, lambda text: text.replace("0.31", ""))
    table = read_cases(folder)
    assert table["pixel_size_mm"][0] == pytest.approx(0.123)
    assert math.isnan(table["pixel_size_mm"][1])
    assert np.array_equal(next(iter_cases(table, SIZE))[0], scan(0))
