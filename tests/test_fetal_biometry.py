"""Callipers of experts: both forms of the set, what is left out and why, and no crop in a case."""

from __future__ import annotations

import re

import numpy as np
import pytest
from made_up_folders import BIOMETRY, biometry
from made_up_scans import real_data

from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts.fetal_biometry import LAYOUT, MEASURES, find, read, read_cases
from fetal_lib.data.layouts.registry import detect_layout
from fetal_lib.geometry.ellipse import ramanujan_perimeter


def rewrite(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_the_pack_and_the_two_releases_together_give_the_same_cases(tmp_path):
    biometry(tmp_path / "pack")
    biometry(tmp_path / "pair", "Images", "data/annotations/FP", "png")
    biometry(tmp_path / "beside", "Images", ending="png")
    (tmp_path / "pair" / "FETAL_PLANES_DB_data.csv").write_text("Image_name;Patient_num\n")
    tables = [read_cases(tmp_path / name) for name in ("pack", "pair", "beside")]
    known = ["subject", "structure", "pixel_size_mm", "machine", *MEASURES]
    for name, table in zip(("pack", "pair", "beside"), tables, strict=True):
        assert detect_layout(tmp_path / name) is LAYOUT
        assert table[known].equals(tables[0][known]) and len(table) == 6
    assert list(tables[0]["structure"]) == ["abdomen", "head", "femur"] * 2
    assert list(tables[0]["subject"]) == ["1"] * 3 + ["2"] * 3  # one name over all planes
    assert list(tables[0]["machine"]) == ["Aloka"] * 3 + ["GE Voluson"] * 3


def test_sizes_are_those_of_the_callipers_and_masks_are_drawn_from_them(tmp_path):
    biometry(tmp_path)
    abdomen, head, femur = list(read_cases(tmp_path).itertuples())[:3]
    assert (head.ofd_mm, head.bpd_mm) == (24 * 3.5, 18 * 3.5)
    assert head.hc_mm == pytest.approx(ramanujan_perimeter(12, 9) * 3.5)
    assert abdomen.ac_mm == pytest.approx(20 * 3.5 * np.pi) and femur.fl_mm == 13 * 3.5
    assert np.isnan([head.fl_mm, head.ac_mm, femur.hc_mm, abdomen.bpd_mm]).all()
    assert read(head)[1].sum() == pytest.approx(np.pi * 12 * 9, rel=0.03)
    assert read(femur)[1].sum() == pytest.approx(13 * 13 * 0.12, rel=0.2)


def test_nothing_of_the_crop_around_the_answer_is_in_a_case(tmp_path):
    biometry(tmp_path)
    table = read_cases(tmp_path)
    assert not {"scale", "center_w", "center_h"} & set(table.columns)
    for table_name in BIOMETRY:
        rewrite(tmp_path / f"{table_name}.csv", ",0.141,", ",99.9,")
    again = read_cases(tmp_path)
    assert again.drop(columns="lines").equals(table.drop(columns="lines"))


@pytest.mark.parametrize(
    ("table", "old", "new", "kind", "said"),
    [
        ("Head", "4,12,28,12,16,21,16,3", "4,12,4,12.3,4,12,4,12.2", "callipers", "same point"),
        ("Head", "3.5,A", "0.05,A", "implausible", "HC is 3.3 mm; .* 68 to 440 mm"),
        ("Femur", "3.5,A", "8.5,A", "implausible", "FL is 110.5 mm"),
        ("Femur", "3.5,A", ",A", "no scale", "px_to_mm_rate is empty"),
        ("Abdomen", "16,22,16,2", "6,12,16,2", "callipers", "TAD and APAD .* the same point"),
        ("Abdomen", "16,22,16,2", "26,21,6,3", "callipers", "axes of no ellipse"),
        ("Femur", "16,12,", "20,12,", "size", "set on 40 x 24 pixels, not 32 x 24"),
    ],
)
def test_a_row_that_cannot_be_is_left_out_and_told_with_its_line(
    tmp_path, table, old, new, kind, said
):
    biometry(tmp_path)
    rewrite(tmp_path / f"{table}.csv", old, new)
    found = find(tmp_path)
    assert not found.problems and len(found.cases) == 5
    note = found.notes[0]
    assert note.kind == kind and f"Plane{BIOMETRY[table][1]}" in note.file
    assert f"{table}.csv, line 2" in note.message
    assert re.search(said, note.message), note.message


def test_planes_of_one_subject_that_differ_by_weeks_are_kept_and_told(tmp_path):
    biometry(tmp_path)
    rewrite(tmp_path / "Femur.csv", "3.5,A", "1.5,A")
    found = find(tmp_path)
    assert len(found.cases) == 6 and [note.kind for note in found.notes] == ["scale"]
    assert "subject 1: abdomen of" in found.notes[0].message


def test_what_is_missing_is_named_all_at_once(tmp_path):
    biometry(tmp_path)
    (tmp_path / "images" / "Patient00001_Plane3_1_of_1.jpg").unlink()
    rewrite(tmp_path / "Femur.csv", ",1,3.5", ",,3.5")
    rewrite(tmp_path / "Abdomen.csv", ",6,12,", ",,12,")
    with pytest.raises(BadFilesError, match=r"3 file\(s\)") as raised:
        read_cases(tmp_path)
    for said in ("no such file", "line 2: Patient is empty", "line 2: tad_1_x is empty"):
        assert said in str(raised.value)


def test_the_broken_rows_of_the_real_set_are_found_and_no_other():
    found = find(real_data("fetal_biometry_fp"))
    assert not found.problems and len(found.cases) > 450
    left_out = {
        note.file[7:-4] for note in found.notes if note.kind in ("implausible", "callipers")
    }
    assert "Patient01070_Plane3_2_of_6" in left_out  # a head of 1 mm
    assert len(left_out) <= 0.02 * len(found.cases)
    table = found.usable()
    twins = table[table["image"].str.startswith(("Patient00786_Plane2", "Patient00799_Plane2"))]
    assert twins["subject"].nunique() <= 1  # one scan under two numbers
    heads = table[table["structure"] == "head"]
    assert (heads["bpd_mm"] / heads["ofd_mm"]).between(0.6, 1.0).all()
    assert table.groupby("structure")["image"].size().min() > 100
