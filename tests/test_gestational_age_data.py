"""Chapter 01's samples: folds keep fetuses whole, and the size is gone when it should be."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_up_volumes import save_nifti, write_bids, write_slices

from fetal_book.chapters.gestational_age.baselines import (
    against_baselines,
    baseline_answers,
    what_is_known,
)
from fetal_book.chapters.gestational_age.data import (
    PlaneSet,
    cut_planes,
    find_data,
    middle_regions,
    shared_fetuses,
)
from fetal_book.chapters.gestational_age.fit import make_folds, new_network
from fetal_book.chapters.gestational_age.leak import (
    Leak,
    inflation,
    inflation_text,
    leak_rows,
    leak_table,
)
from fetal_book.chapters.gestational_age.maps import explain
from fetal_book.chapters.gestational_age.report import results_table
from fetal_book.parameters.gestational_age import GestationalAgeParameters
from fetal_lib.data.layouts.fetal_mri import read_cases
from fetal_lib.data.layouts.fetal_scan import FetalScan
from fetal_lib.data.plane_slices import plane_slices
from fetal_lib.predict.gestational_age_slices import as_pictures, cut_scan
from fetal_lib.readers.volume_grid import Volume
from fetal_phantoms.fetal_brain.brain import make_fetal_brain


def made_up(n=30, n_slices=3):
    days = np.repeat(np.linspace(140, 270, n), n_slices)
    subject = np.repeat([f"f{k:02d}" for k in range(n)], n_slices)
    table = pd.DataFrame({"subject": subject, "group": subject, "ga_days": days})
    table["slice"] = np.tile(np.arange(n_slices), n)
    table["brain_ml"] = (days / 40) ** 3
    area = np.full((len(table), 3), 0.4) + np.random.default_rng(0).normal(0, 0.01, (len(table), 3))
    return PlaneSet(table, np.zeros((len(table), 8, 8, 3), np.uint8), area)


def test_folds_and_their_inner_parts_keep_fetuses_whole():
    planes = made_up()
    subject = planes.table["subject"].to_numpy()
    folds = make_folds(planes, GestationalAgeParameters())
    assert sorted(np.concatenate([f.test for f in folds])) == list(range(len(subject)))
    for fold in folds:
        train, val = fold.inner[0]
        sides = [set(subject[rows]) for rows in (train, val, fold.test)]
        assert all(sides) and not (
            sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2]
        )


def test_folds_over_slices_share_fetuses_and_folds_over_fetuses_none():
    subject = made_up().table["subject"]
    rng = np.random.default_rng(1)
    assert shared_fetuses(subject, rng.integers(0, 5, len(subject))) > 0.8
    assert shared_fetuses(subject, pd.factorize(subject)[0] % 5) == 0


def test_baselines_find_the_age_where_they_are_told_of_it():
    """Volume rises with age here, areas are noise, and the pictures brighten with age."""
    planes = made_up()
    days = planes.table["ga_days"].to_numpy()
    planes.images[:, 2:6, 2:6] = (days - 20)[:, None, None, None].astype(np.uint8)
    p = GestationalAgeParameters()
    found = baseline_answers(planes, make_folds(planes, p), p)
    names = ("mean", "brain_volume", "brain_area", "slice_measures")
    error = {n: np.abs(found[n] - found["ga_days"]).mean() for n in names}
    assert error["brain_volume"] < 2 and error["slice_measures"] < 3
    assert error["mean"] > 25 and error["brain_area"] > 25


def test_a_baseline_is_left_out_where_nothing_says_how_large_the_brains_are():
    planes, p = made_up(), GestationalAgeParameters()
    planes.table["brain_ml"] = np.nan
    found = baseline_answers(planes, make_folds(planes, p), p)
    assert "brain_volume" not in found and "brain_area" in found


def test_the_results_say_what_each_predictor_was_told():
    rows = [
        {"model": m, "split": "test", "metric": "mae_days", "value": v, "ci95": (v - 1, v + 1)}
        for m, v in (("mean", 30.0), ("brain_volume", 4.0), ("vgg16_attention", 6.0))
    ]
    away = GestationalAgeParameters()
    table = results_table(rows, away).set_index("model")
    assert "the same for all" in table.loc["mean", "knows"]
    assert table.loc["vgg16_attention", "knows"] == "the pictures, size normalised away"
    assert table.loc["brain_volume", "MAE (days)"] == "4.0 (3.0 to 5.0)"
    assert what_is_known(GestationalAgeParameters(size_normalised=False))["mean"] == "nothing"


def test_the_network_is_compared_with_each_baseline_on_the_same_fetuses():
    days = np.linspace(140.0, 270.0, 12)
    names = [f"f{k:02d}" for k in range(12)]
    result = pd.DataFrame({"subject": names, "group": names, "ga_days": days})
    result["pred_days"] = days + 6
    baselines = pd.DataFrame({"subject": names, "mean": days - 30, "brain_volume": days + 4})
    text = against_baselines(baselines.iloc[::-1], result, GestationalAgeParameters())
    assert "**6.0 days**" in text and "0.20 times the error of `mean`" in text
    assert "(30.0 days; difference -24.0, 95 % interval -24.0 to -24.0)" in text
    assert "1.50 times the error of `brain_volume`" in text and "slice_measures" not in text


def test_the_leak_is_measured_on_the_same_samples_with_intervals_over_fetuses():
    rng = np.random.default_rng(0)
    subject, days = np.repeat(np.arange(40), 3), np.repeat(np.linspace(140, 270, 40), 3)
    own = np.repeat(rng.normal(0, 6, 40), 3)  # the error of a fetus is that of all its slices
    leak = Leak([], subject, days, days + own / 4, days + own, 0.9)
    gain, (low, high) = inflation(leak)
    assert gain == pytest.approx(np.abs(own).mean() * 3 / 4) and 0 < low < gain < high
    assert high - low > 0.9
    table = leak_table(leak_rows(leak))
    assert table["MAE (d)"].iloc[1] - table["MAE (d)"].iloc[0] == pytest.approx(gain)
    assert (table["from"] < table["MAE (d)"]).all() and (table["MAE (d)"] < table["to"]).all()


def test_the_luck_of_a_training_widens_the_interval_of_the_leak():
    names, days = np.arange(200), np.linspace(140, 270, 200)
    leaking, fair = (days[:, None] + np.array(off) for off in ([1.0, 5.0], [6.0, 6.0]))
    gain, (low, high) = inflation(Leak([], names, days, leaking, fair, 0.9))
    assert gain == pytest.approx(3) and low == pytest.approx(1) and high == pytest.approx(5)
    (row, _, other, _) = leak_rows(Leak([], names, days, leaking, fair, 0.9))
    assert row["value"] == pytest.approx(3) and row["ci95"] == pytest.approx((1, 5))
    assert other["ci95"] == pytest.approx((6, 6))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (1.0, ("3.00 days smaller", "all folds")),
        (7.0, ("3.00 days larger", "all folds")),
    ],
)
def test_the_words_on_the_leak_follow_from_its_sign(source, said):
    names, days = np.arange(8), np.linspace(140, 270, 8)
    leak = Leak([None], names, days, days + source, days + 4, 1.0)
    text = inflation_text(leak, 1)
    assert all(words in text for words in said) and "holds 0" not in text
    assert "1 of 4 folds" in inflation_text(leak, 4)


def test_a_leak_that_may_be_chance_is_not_called_one():
    names, days = np.arange(8), np.linspace(140, 270, 8)
    either = days + np.tile([1.0, 8.0], 4)
    text = inflation_text(Leak([None], names, days, either, days + 4, 1.0), 4)
    assert "The interval holds 0: this run does not show that it flatters." in text


def ellipsoid_scan(voxels_across):
    """Return a bright ellipsoid with a dark ball in it; voxels of 1.5 mm."""
    half = voxels_across // 2 + 4
    grid = np.mgrid[-half : half + 1, -half : half + 1, -half : half + 1] * 2.0 / voxels_across
    inside = np.hypot(np.hypot(grid[0] / 0.9, grid[1]), grid[2] / 0.8) < 1
    data = np.where(inside, 1000.0, 0) - 400 * (np.hypot(np.hypot(*grid[:2]), grid[2]) < 0.4)
    affine = np.diag([1.5, 1.5, 1.5, 1.0])
    affine[:3, 3] = -1.5 * half
    volume = Volume(data.astype(np.float32), affine, (1.5, 1.5, 1.5))
    return FetalScan("a", 200.0, "volume", volume, None, inside, {})


def apart(cut):
    """Return how far slices of a small and a large scan of one shape are apart, and their areas."""
    small, large = (cut(ellipsoid_scan(n)).images for n in (27, 63))
    both = (small > 0.02) & (large > 0.02)
    area = [(image > 0.02).mean() for image in (small, large)]
    return np.abs(small - large)[both].mean(), area[0] / area[1]


def test_small_and_large_brains_of_one_shape_look_alike():
    """Neither sharpness nor the steps of an outline say how many voxels a brain has."""
    raw, _ = apart(lambda scan: plane_slices(scan.volume, 1, 48, scan.mask, True))
    equal, area_ratio = apart(lambda scan: cut_scan(scan, 1, 48, True))
    assert equal < raw / 4 and equal < 0.01
    assert area_ratio == pytest.approx(1, abs=0.015)


def test_the_area_of_size_normalised_brains_tells_no_age():
    phantoms = [make_fetal_brain(seed, days, 1.5) for seed, days in enumerate((140, 150, 250, 260))]
    area = []
    for one in phantoms:
        volume = Volume(one.t2, one.affine, (1.5, 1.5, 1.5))
        scan = FetalScan("a", one.ga_days, "volume", volume, None, one.labels > 0, {})
        area.append((as_pictures(cut_scan(scan, 3, 48, True)) > 12).mean())
    assert np.ptp(area) / np.mean(area) < 0.05


@pytest.mark.parametrize("n_slices", [2, 3])
def test_regions_lie_on_the_slice_that_is_explained(n_slices):
    phantom = make_fetal_brain(5, 220, 3.0)
    volume = Volume(phantom.t2, phantom.affine, (3.0,) * 3)
    mask = phantom.labels > 0
    scan = FetalScan("a", 220.0, "volume", volume, phantom.labels, mask, {})
    p = GestationalAgeParameters(n_slices=n_slices, image_size=48)
    shown = cut_scan(scan, n_slices, 48, True).images[n_slices // 2] > 0
    brain = middle_regions(scan, p)["brain"]
    assert (shown != brain).mean() < 0.02


SMALL = {"n_slices": 2, "image_size": 32, "size_normalised": False}


@pytest.fixture
def sessions(tmp_path):
    """Return the cases of two fetuses; the first has two sessions, one of them two stacks."""
    folder = write_bids(tmp_path)
    home = folder / "sub-01"
    data = np.zeros((12, 12, 12), np.int16)
    data[3:9, 3:9, 3:9] = 500
    for name in ("ses-1_run-1", "ses-1_run-2", "ses-2"):
        path = home / name.split("_")[0] / "anat" / f"sub-01_{name}_T2w.nii.gz"
        save_nifti(path, data, np.diag([2.0, 2.0, 2.0, 1.0]))
    shutil.rmtree(home / "anat")
    (home / "sub-01_sessions.tsv").write_text("session_id\tga_days\nses-1\t150\nses-2\t200\n")
    return read_cases(folder)


def test_sessions_of_a_fetus_keep_their_ages_and_stacks_of_a_session_are_combined(sessions):
    planes = cut_planes(sessions, GestationalAgeParameters(**SMALL))
    ages = planes.fetuses().set_index("subject")["ga_days"].to_dict()
    assert ages == {"sub-01_ses-1": 150, "sub-01_ses-2": 200, "sub-02": 187}
    assert planes.table["subject"].value_counts()["sub-01_ses-1"] == 4
    assert planes.table["group"].unique().tolist() == ["sub-01", "sub-02"]


@pytest.mark.slow
def test_a_fetus_with_several_scans_is_explained_once_by_its_first(sessions):
    pytest.importorskip("keras")
    p = GestationalAgeParameters(**SMALL, hidden=4)
    planes = cut_planes(sessions, p)
    settings = SimpleNamespace(centre=0.0, scale=1.0)
    one = SimpleNamespace(network=new_network(p), settings=settings, test=np.arange(8))
    maps = explain(planes, sessions, one, p)
    assert [m.ga_days for m in maps] == [150, 187, 200]
    assert np.array_equal(maps[0].image, planes.images[1])


def test_the_size_of_pictures_cannot_be_normalised_away(tmp_path):
    cases = read_cases(write_slices(tmp_path))
    with pytest.raises(ValueError, match="p0 is pictures.*size_normalised=false"):
        cut_planes(cases, GestationalAgeParameters())
    planes = cut_planes(cases, GestationalAgeParameters(**SMALL))
    assert planes.images.shape == (4, 32, 32, 3) and planes.table["brain_ml"].isna().all()


def test_another_set_that_is_not_there_stops_a_run_before_it_trains(tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_CACHE", str(tmp_path / "cache"))
    folder = str(write_bids(tmp_path / "own"))
    find_data(GestationalAgeParameters(data=folder, external_data=folder))
    with pytest.raises(ValueError, match="neither participants.tsv"):
        find_data(GestationalAgeParameters(data=folder, external_data=str(tmp_path)))
