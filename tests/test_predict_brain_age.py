"""The saved brain-age model, and what it declines."""

import csv
import math

import numpy as np
import pytest

pytest.importorskip("nibabel")

from made_up_models import MAP_SHAPE, adult_age_model, save_volume

from fetal_lib.predict.age_model import load_age_model
from fetal_lib.predict.brain_age import list_scans, read_known_ages, write_ages
from fetal_phantoms.adult_brain.brain import make_adult_brain


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    brain = make_adult_brain(5, age_years=60, space="mni")
    save_volume(folder / "a_T1w.nii.gz", brain.t1, brain.affine)
    upside_down = np.where(brain.t1 > 0, 1.1 * brain.t1.max() - brain.t1, 0)
    save_volume(folder / "b_T1w.nii.gz", upside_down, brain.affine)
    raw = make_adult_brain(6, age_years=50, with_skull=True)
    save_volume(folder / "c_T1w.nii.gz", raw.t1, raw.affine)
    (folder / "d_T1w.nii.gz").write_bytes(b"no gzip")
    return folder


@pytest.mark.slow
def test_a_brain_is_told_and_the_others_are_declined_with_a_reason(scans, tmp_path):
    ages = tmp_path / "ages.csv"
    ages.write_text("scan,age\na_T1w.nii.gz,60\n")
    before = {p.name: p.read_bytes() for p in scans.iterdir()}
    counts = write_ages(
        list_scans([scans]),
        adult_age_model(),
        tmp_path / "t.csv",
        read_known_ages(ages),
        tmp_path / "p",
    )
    assert counts == {"predicted": 1, "declined": 2, "failed": 1}
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    told = rows[0]
    assert 50 < float(told["brain_age_years"]) < 80 and told["registered"] == "no"
    assert float(told["high_years"]) - float(told["low_years"]) == pytest.approx(14, abs=0.11)
    assert 0 <= float(told["csf_centile"]) <= 100
    assert "no adult brain" in rows[1]["reason"] or "T1" in rows[1]["reason"]
    assert "the skull is not stripped" in rows[2]["reason"]
    assert "mri_synthstrip" in rows[2]["reason"]
    assert "no volume" in rows[3]["reason"] or "NIfTI" in rows[3]["reason"]
    assert (tmp_path / "p" / "a_T1w.png").stat().st_size > 10_000
    assert {p.name: p.read_bytes() for p in scans.iterdir()} == before


@pytest.mark.slow
def test_without_a_known_age_there_is_no_centile_and_far_ages_are_declined(scans, tmp_path):
    paths = [scans / "a_T1w.nii.gz"]
    write_ages(paths, adult_age_model(), tmp_path / "a.csv")
    row = next(csv.DictReader((tmp_path / "a.csv").open()))
    assert row["csf_centile"] == "" and "need the person's age" in row["reason"]
    assert row["interval_level"] == "0.90" and row["status"] == "predicted"
    write_ages(paths, adult_age_model(intercept=400.0), tmp_path / "b.csv")
    row = next(csv.DictReader((tmp_path / "b.csv").open()))
    assert row["status"] == "declined" and "far outside the ages" in row["reason"]


def test_a_model_is_the_same_after_saving(tmp_path):
    one = adult_age_model(half_width_years=math.inf)
    two = load_age_model(one.save(tmp_path / "model", "card"))
    assert two.spec == one.spec
    maps = np.random.default_rng(0).random(MAP_SHAPE)
    assert two.predict(maps)[0] == pytest.approx(
        one.predict(maps)[0], abs=0.01
    )  # stored in 16 bits
    assert load_age_model(tmp_path).spec == one.spec  # a run's folder will do


def test_the_centile_of_the_expected_share_is_fifty():
    model = adult_age_model()
    assert model.centile("csf", 0.1 + 0.002 * 60, 60) == pytest.approx(50)
    assert model.centile("csf", 0.1 + 0.002 * 60 + 0.02 * 1.645, 60) == pytest.approx(95, abs=0.1)


def test_what_is_missing_is_said_with_the_fix(tmp_path):
    with pytest.raises(ValueError, match="fetal-lib run 05"):
        load_age_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ValueError, match="train it anew"):
        load_age_model(tmp_path)
    with pytest.raises(ValueError, match="no such file or folder: .*none"):
        list_scans([tmp_path / "none"])
    scans = tmp_path / "scans"
    scans.mkdir()
    for name in ("B_T1W.NII", "a_T1w.nii.gz", "mask.nii.gz", "a_T1w.json"):
        (scans / name).touch()
    assert [path.name for path in list_scans([scans])] == ["B_T1W.NII", "a_T1w.nii.gz"]
    (scans / "B_T1W.NII").unlink(), (scans / "a_T1w.nii.gz").unlink()
    assert [path.name for path in list_scans([scans])] == ["mask.nii.gz"]
    (tmp_path / "ages.csv").write_text("scan,age\nx.nii,old\n")
    with pytest.raises(ValueError, match="line 2: age is 'old', no number"):
        read_known_ages(tmp_path / "ages.csv")
