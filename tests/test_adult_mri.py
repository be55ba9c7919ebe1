"""Adult MRI sets: three layouts, every bad file named, nobody left out without a reason."""

import gzip

import nibabel
import numpy as np
import pytest
from made_up_scans import real_data

from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts.adult_mri import iter_scans, read_cases
from fetal_phantoms.adult_brain.write import write_adult_brain_set

OASIS_HEADER = "ID,M/F,Hand,Age,Educ,SES,MMSE,CDR,eTIV,nWBV,ASF,Delay"
IXI_HEADER = 'IXI_ID,"SEX_ID (1=m, 2=f)",HEIGHT,AGE'


def brick(path, fill=None, shape=(6, 7, 8), axes="RAS", affine=None):
    """Save a small volume; `axes` is the order and direction it is stored in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) if fill is None else fill
    image = nibabel.Nifti1Image(data, np.diag([2.0, 2, 2, 1]) if affine is None else affine)
    turn = nibabel.orientations.axcodes2ornt(axes)
    nibabel.save(image.as_reoriented(turn), path)
    return path


def write_bids(folder, people=("01", "02", "03"), rows=None):
    rows = rows or [f"sub-{name}\t{30 + int(name)}\tF" for name in people]
    table = "\n".join(["participant_id\tage\tsex", *rows])
    folder.mkdir(exist_ok=True)
    (folder / "participants.tsv").write_text(table)
    for name in people:
        brick(folder / f"sub-{name}/anat/sub-{name}_T1w.nii.gz")
    return folder


@pytest.mark.slow
def test_a_phantom_set_reads_back(tmp_path):
    folder = write_adult_brain_set(tmp_path / "set", 2, 3, spacing_mm=5.0)
    cases = read_cases(folder)
    assert cases.notes == []
    assert list(cases.rows["subject"]) == ["sub-0001", "sub-0002"]
    assert cases.rows["age_years"].between(18, 90).all()
    assert cases.rows["etiv_ml"].between(1000, 2000).all()
    assert cases.rows["nwbv"].between(0.6, 0.95).all()
    for row, scan in zip(cases.rows.itertuples(), iter_scans(cases.rows), strict=True):
        assert scan.subject == row.subject
        assert scan.labels.dtype == np.uint8 and set(np.unique(scan.labels)) == {0, 1, 2, 3}
        assert scan.volume.data.shape == scan.labels.shape
        brain_ml = (scan.labels >= 2).sum() * 0.125
        assert brain_ml == pytest.approx(row.etiv_ml * row.nwbv, rel=1e-3)


def test_the_table_is_cheap_and_reading_is_lazy(tmp_path):
    folder = write_bids(tmp_path)
    (folder / "sub-02/anat/sub-02_T1w.nii.gz").write_bytes(b"")
    scans = iter_scans(read_cases(folder).rows)
    assert next(scans).subject == "sub-01"
    with pytest.raises(BadFilesError, match="sub-02_T1w"):
        list(scans)


def test_sessions_of_a_person_keep_one_subject(tmp_path):
    folder = write_bids(tmp_path, ["01"], ["01\t40\tmale"])
    for session in ("ses-a", "ses-b"):
        brick(folder / f"sub-01/{session}/anat/sub-01_{session}_T1w.nii.gz")
    table = read_cases(folder).rows
    assert list(table["subject"]) == ["sub-01"] * 3
    assert list(table["session"]) == ["", "ses-a", "ses-b"]
    assert set(table["sex"]) == {"M"}


def test_other_columns_are_kept_and_names_may_differ(tmp_path):
    header = "participant_id\tage\tsex\thandedness\tetiv_ml\tnwbv\tsite"
    folder = write_bids(tmp_path, ["01"])
    (folder / "participants.tsv").write_text(f"{header}\n01\t40,5\to\tR\t1500\tn/a\tGuys\n")
    row = read_cases(folder).rows.iloc[0]
    assert row["age_years"] == 40.5 and row["sex"] == "" and row["site"] == "Guys"
    assert row["etiv_ml"] == 1500 and np.isnan(row["nwbv"])
    assert row["extra"] == {"handedness": "R"}


def test_a_person_without_an_age_is_left_out_by_name(tmp_path):
    rows = ["sub-01\t31\tF", "sub-02\tn/a\tM", "sub-03\t33\tF"]
    cases = read_cases(write_bids(tmp_path, rows=rows))
    assert list(cases.rows["subject"]) == ["sub-01", "sub-03"]
    assert [str(note) for note in cases.notes] == ["sub-02: no age in participants.tsv"]


def test_all_missing_files_and_bad_rows_are_named_together(tmp_path):
    rows = ["sub-01\t31\tF", "sub-08\t40\tM", "sub-09\t41\tM", "../x\t41\tM", "01\t44\tF"]
    with pytest.raises(BadFilesError) as error:
        read_cases(write_bids(tmp_path, ["01"], rows))
    text = str(error.value)
    for name in ("sub-08_T1w.nii.gz", "sub-09_T1w.nii.gz", "'../x'", "01 stands more than once"):
        assert name in text


@pytest.mark.parametrize("age", ["3", "900", "old"])
def test_an_age_that_is_none_is_refused(tmp_path, age):
    with pytest.raises(ValueError, match="line 2: age is"):
        read_cases(write_bids(tmp_path, ["01"], [f"sub-01\t{age}\tF"]))


def damage(path, kind):
    whole = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "text":
        path.write_bytes(b"no volume")
    elif kind == "zipped text":
        path.write_bytes(gzip.compress(b"no volume" * 100))
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "flat":
        brick(path, np.full((6, 7, 8), 3, np.int16))
    elif kind == "nan":
        brick(path, np.full((6, 7, 8), np.nan, np.float32))


def test_all_bad_scans_are_named_together(tmp_path):
    kinds = ["truncated", "text", "zipped text", "empty", "flat", "nan"]
    people = [f"{k:02d}" for k in range(len(kinds) + 1)]
    folder = write_bids(tmp_path, people)
    for name, kind in zip(people[1:], kinds, strict=True):
        damage(folder / f"sub-{name}/anat/sub-{name}_T1w.nii.gz", kind)
    table = read_cases(folder).rows
    with pytest.raises(BadFilesError) as error:
        list(iter_scans(table))
    assert len(error.value.problems) == len(kinds)
    for name, problem in zip(people[1:], error.value.problems, strict=True):
        assert f"sub-{name}_T1w.nii.gz" in str(problem)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (np.zeros((5, 7, 8), np.uint8), "must be drawn on the scan's own grid"),
        (np.full((6, 7, 8), 9, np.uint8), "0 background, 1 CSF, 2 gray and 3 white"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, labels, text):
    folder = write_bids(tmp_path, ["01"])
    brick(folder / "derivatives/labels/sub-01/anat/sub-01_dseg.nii.gz", labels)
    with pytest.raises(BadFilesError, match=text):
        list(iter_scans(read_cases(folder).rows))


def test_volumes_come_in_ras_order_however_they_lie(tmp_path):
    folder = write_bids(tmp_path, ["01", "02"])
    brick(folder / "sub-02/anat/sub-02_T1w.nii.gz", axes="LPS")
    first, second = (scan.volume for scan in iter_scans(read_cases(folder).rows))
    assert np.array_equal(first.data, second.data)
    assert np.allclose(first.affine, second.affine)


def write_ixi(folder):
    rows = ["2,2,164,35.8", "12,1,175,38.78", "13,1,182,", "14,2,160,34.2", "14,2,160,34.2",
            "15,1,170,24.7", "15,1,170,29.0", "99,1,180,50"]  # fmt: skip
    (folder / "IXI.csv").write_text("\n".join([IXI_HEADER, *rows]))
    for name in ("002-Guys-0828", "012-HH-1211", "013-HH-1212", "014-HH-1236", "015-HH-1258",
                 "017-IOP-1451", "002-Guys-0999"):  # fmt: skip
        brick(folder / "IXI-T1" / f"IXI{name}-T1.nii.gz")
    return folder


def test_ixi_takes_who_is_certain_and_says_who_is_not(tmp_path):
    cases = read_cases(write_ixi(tmp_path))
    rows = cases.rows[["subject", "sex", "site", "age_years"]].values.tolist()
    assert rows == [
        ["IXI002", "F", "Guys", 35.8], ["IXI012", "M", "HH", 38.78], ["IXI014", "F", "HH", 34.2]
    ]  # fmt: skip
    assert cases.rows.iloc[0]["extra"] == {"HEIGHT": "164"}
    reasons = {note.file.rpartition("/")[2]: note.message for note in cases.notes}
    assert reasons == {
        "IXI002-Guys-0999-T1.nii.gz": "a second scan of this person",
        "IXI013-HH-1212-T1.nii.gz": "no age in the table",
        "IXI015-HH-1258-T1.nii.gz": "listed 2 times in the table with different ages or sexes",
        "IXI017-IOP-1451-T1.nii.gz": "not in the table",
        "IXI099": "in the table, but no T1 scan",
    }


def test_the_excel_sheet_of_ixi_must_be_saved_as_text(tmp_path):
    (tmp_path / "IXI.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(BadFilesError, match="save its sheet as IXI.csv"):
        read_cases(tmp_path)


def write_oasis1(folder):
    rows = ["OAS1_0001_MR1,F,R,74,2,3,29,0,1344,0.743,1.306,N/A",
            "OAS1_0061_MR1,F,R,20,,,,,1313,0.895,1.337,N/A",
            "OAS1_0061_MR2,F,R,20,,,,,1333,0.884,1.317,89",
            "OAS1_0009_MR1,F,R,,,,,,1500,0.80,1.1,N/A",
            "OAS1_0070_MR1,M,R,55,,,,,1500,0.80,1.1,N/A"]  # fmt: skip
    (folder / "oasis_cross-sectional.csv").write_text("\n".join([OASIS_HEADER, *rows]))
    for session in ("0001_MR1", "0061_MR1", "0061_MR2", "0009_MR1", "0077_MR1"):
        home = folder / "disc1" / f"OAS1_{session}"
        stem = f"OAS1_{session}_mpr_n4_anon_111_t88_masked_gfc"
        brick(home / "PROCESSED" / "MPRAGE" / "T88_111" / f"{stem}.nii.gz")
        brick(home / "FSL_SEG" / f"{stem}_fseg.nii.gz", np.ones((6, 7, 8), np.uint8))
    return folder


def test_both_sessions_of_oasis_are_one_subject(tmp_path):
    cases = read_cases(write_oasis1(tmp_path))
    assert cases.rows[["subject", "session", "age_years"]].values.tolist() == [
        ["OAS1_0001", "MR1", 74.0], ["OAS1_0061", "MR1", 20.0], ["OAS1_0061", "MR2", 20.0]
    ]  # fmt: skip
    assert cases.rows.iloc[0]["extra"]["CDR"] == "0" and "CDR" not in cases.rows.iloc[1]["extra"]
    assert {str(note) for note in cases.notes} == {
        "OAS1_0009_MR1: no age in the table",
        "OAS1_0070_MR1: in the table, but no scan",
        "OAS1_0077_MR1: not in the table",
    }
    assert all(scan.labels.max() == 1 for scan in iter_scans(cases.rows))


def test_a_folder_of_no_layout_says_what_is_needed(tmp_path):
    with pytest.raises(ValueError, match="no participants.tsv") as error:
        read_cases(tmp_path)
    assert "Write participants.tsv with participant_id, age and sex" in str(error.value)
    with pytest.raises(ValueError, match="no case that can be used .*no age"):
        read_cases(write_bids(tmp_path / "x", ["01"], ["sub-01\tn/a\tF"]))


def test_the_real_table_reads():
    folder = real_data("oasis1")
    cases = read_cases(folder)
    assert cases.notes == [] and cases.rows["subject"].is_unique
    assert cases.rows["age_years"].between(18, 96).all()
    assert set(cases.rows["sex"]) == {"F", "M"}
    assert np.corrcoef(cases.rows["age_years"], cases.rows["nwbv"])[0, 1] < -0.8
    scan = next(iter_scans(cases.rows.iloc[:1]))
    assert scan.volume.data.shape == (91, 109, 91) and scan.labels is None
    assert nibabel.aff2axcodes(scan.volume.affine) == ("R", "A", "S")
