"""Fetal brain phantoms against the published charts, closed forms and what is known of folding."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.fetus import draw_fetus, rotation_matrix
from fetal_phantoms.fetal_brain.norms import CHARTS, SD_CHARTS, chart, expected_volumes
from fetal_phantoms.fetal_brain.shapes import capsule, ellipsoid
from fetal_phantoms.fetal_brain.tissues import LABELS
from fetal_phantoms.fetal_brain.write import write_fetal_brain_set

SEEDS = range(10)
# mL at 24, 28, 32, 36 and 38 weeks, worked out by hand from the SVRTK charts.
BY_HAND = {
    "parenchyma": (66.4, 120.0, 185.1, 261.6, 304.1),
    "cortex": (14.9, 31.1, 57.0, 92.7, 114.3),
    "white": (43.9, 77.9, 112.7, 148.1, 166.1),
    "deep_gray": (3.9, 6.8, 10.2, 14.1, 16.2),
    "cerebellum": (2.5, 5.3, 9.5, 15.1, 18.5),
    "brainstem": (2.1, 3.2, 4.5, 5.9, 6.6),
    "extra_axial_csf": (46.0, 68.9, 84.3, 92.2, 93.2),
    "lateral_ventricles": (3.15, 4.27, 5.18, 5.88, 6.15),
    "cavum": (0.44, 0.65, 0.72, 0.65, 0.56),
}
WEEKS = (24, 28, 32, 36, 38)


def many(week: float, spacing_mm: float = 2.0):
    return [make_fetal_brain(seed, 7.0 * week, spacing_mm) for seed in SEEDS]


def boundary_mm2(inside: np.ndarray, spacing_mm: float) -> float:
    """Count the faces between inside and outside; all phantoms are counted alike."""
    padded = np.pad(inside, 1).astype(np.int8)
    faces = sum(np.count_nonzero(np.diff(padded, axis=axis)) for axis in range(3))
    return faces * spacing_mm**2


def folding_index(phantom, spacing_mm: float) -> float:
    """Return the surface of the cerebrum over that of the same cerebrum, closed over 8 mm."""
    from scipy.ndimage import distance_transform_edt

    names = ("cortex", "white", "deep_gray", "lateral_ventricles", "cavum", "other_ventricles")
    brain = np.pad(np.isin(phantom.labels, [LABELS[name] for name in names]), 8)
    grown = distance_transform_edt(~brain, sampling=spacing_mm) <= 8.0
    closed = distance_transform_edt(grown, sampling=spacing_mm) > 8.0
    return boundary_mm2(brain, spacing_mm) / boundary_mm2(closed, spacing_mm)


def test_the_charts_are_the_published_parabolas():
    found = [round(chart("parenchyma", week)) for week in (20, 24, 28, 32, 36, 38)]
    assert found == [24, 66, 120, 185, 262, 304]
    for name, values in BY_HAND.items():
        if name != "lateral_ventricles":
            assert [chart(name, week) for week in WEEKS] == pytest.approx(values, abs=0.06)
    each = [2 * chart("each_lateral_ventricle", week) for week in WEEKS]
    assert each == pytest.approx(BY_HAND["lateral_ventricles"], abs=0.02)


@pytest.mark.parametrize("column", range(5))
def test_expected_volumes_follow_the_charts_within_4_percent(column):
    expected = expected_volumes(7.0 * WEEKS[column])
    for name, values in BY_HAND.items():
        if name != "parenchyma":
            assert expected[name] == pytest.approx(values[column], rel=0.04), name


def test_below_21_weeks_everything_shrinks_and_nothing_turns_or_vanishes():
    ages = np.arange(133.0, 150.0)
    for name in expected_volumes(140):
        volumes = np.array([expected_volumes(age)[name] for age in ages])
        assert (np.diff(volumes) > 0).all() and volumes.min() > 0, name
    tissue = ("cortex", "white", "deep_gray", "cerebellum", "brainstem")
    at_20 = sum(expected_volumes(140)[name] for name in tissue)
    assert at_20 == pytest.approx(24.3, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("week", [20, 24, 28, 32, 36, 38])
def test_mean_label_volumes_lie_within_10_percent_of_the_charts(week):
    phantoms = many(week, 2.0)
    mean = {
        name: np.mean([phantom.volumes_ml[name] for phantom in phantoms])
        for name in phantoms[0].volumes_ml
    }
    assert mean["parenchyma"] == pytest.approx(chart("parenchyma", week), rel=0.1)
    if week >= 24:
        assert mean["total"] == pytest.approx(chart("total", week), rel=0.1)
        for name in ("cortex", "white", "deep_gray", "cerebellum", "brainstem"):
            assert mean[name] == pytest.approx(chart(name, week), rel=0.1), name
        assert mean["extra_axial_csf"] == pytest.approx(chart("extra_axial_csf", week), rel=0.1)
    means = expected_volumes(7 * week)
    assert mean["lateral_ventricles"] == pytest.approx(means["lateral_ventricles"], rel=0.2)


def test_labels_hold_the_drawn_volumes_to_the_voxel():
    fetus = draw_fetus(np.random.default_rng([5, 1]), 220)
    phantom = make_fetal_brain(5, 220, 1.5)
    voxel_ml = 1.5**3 / 1000
    for name, ml in fetus.volumes_ml.items():
        assert phantom.volumes_ml[name] == pytest.approx(ml, abs=1.01 * voxel_ml), name


def test_spread_between_fetuses_is_that_of_the_charts():
    drawn = [draw_fetus(np.random.default_rng(seed), 210).volumes_ml for seed in range(600)]
    tissue = ("cortex", "white", "deep_gray", "cerebellum", "brainstem")
    parenchyma = np.array([sum(volumes[name] for name in tissue) for volumes in drawn])
    cortex = np.array([volumes["cortex"] for volumes in drawn])
    assert set(SD_CHARTS) <= set(CHARTS)
    wanted = chart("parenchyma", 30, sd=True) / chart("parenchyma", 30)
    assert parenchyma.std() / parenchyma.mean() == pytest.approx(wanted, rel=0.15)
    wanted = chart("cortex", 30, sd=True) / chart("cortex", 30)
    assert cortex.std() / cortex.mean() == pytest.approx(wanted, rel=0.25)


def test_deviation_from_the_norm_does_not_depend_on_age():
    ages = np.linspace(133, 273, 400)
    residual = []
    for seed, age in enumerate(ages):
        volumes = draw_fetus(np.random.default_rng(seed), age).volumes_ml
        expected = expected_volumes(age)
        residual.append(np.log(sum(volumes.values()) / sum(expected.values())))
    correlation = np.corrcoef(ages, residual)[0, 1]
    assert abs(correlation) < 0.15  # 3 SD of 400 independent pairs
    early, late = np.std(residual[:200]), np.std(residual[200:])
    assert early == pytest.approx(late, rel=0.2)


def test_the_same_fetus_grows():
    young, old = (draw_fetus(np.random.default_rng(8), age) for age in (150, 260))
    np.testing.assert_array_equal(young.rotation, old.rotation)
    ratios = [
        np.log(f.volumes_ml["cortex"] / expected_volumes(f.ga_days)["cortex"]) for f in (young, old)
    ]
    assert ratios[0] == pytest.approx(ratios[1])


@pytest.mark.slow
def test_folding_rises_with_age_and_is_smooth_before_22_weeks():
    ages = (20, 23, 26, 29, 32, 35, 38)
    means = [
        np.mean([folding_index(make_fetal_brain(seed, 7.0 * age, 1.5), 1.5) for seed in range(2)])
        for age in ages
    ]
    assert (np.diff(means[1:]) > 0.05).all(), means
    assert abs(means[1] - means[0]) < 0.08, means
    assert means[-1] > 1.7 * means[0], means


@pytest.mark.parametrize(
    "week", [21, *(pytest.param(week, marks=pytest.mark.slow) for week in (26, 31, 37))]
)
def test_fluid_is_brighter_than_white_matter_and_that_brighter_than_cortex(week):
    phantom = make_fetal_brain(2, 7.0 * week, 1.0)
    middle = {name: np.median(phantom.t2[phantom.labels == k]) for name, k in LABELS.items()}
    ventricle = np.percentile(phantom.t2[phantom.labels == LABELS["lateral_ventricles"]], 75)
    assert ventricle > middle["extra_axial_csf"] > 1.1 * middle["white"]
    assert middle["white"] > 1.05 * middle["cortex"]
    assert middle["white"] > middle["deep_gray"] > 0.9 * middle["brainstem"]


def mantle_contrast(week: float) -> float:
    """Return how much brighter the mantle is below the cortex than halfway to the ventricle."""
    from scipy.ndimage import distance_transform_edt

    values = []
    for seed in range(3):
        phantom = make_fetal_brain(seed, 7.0 * week, 1.25)
        white = phantom.labels == LABELS["white"]
        below = distance_transform_edt(phantom.labels != LABELS["cortex"])
        above = distance_transform_edt(phantom.labels != LABELS["lateral_ventricles"])
        depth = below / (below + above)
        outer = np.median(phantom.t2[white & (depth > 0.1) & (depth < 0.3)])
        inner = np.median(phantom.t2[white & (depth > 0.45) & (depth < 0.65)])
        values.append(outer / inner)
    return float(np.mean(values))


@pytest.mark.slow
def test_layers_of_the_mantle_show_until_28_weeks_and_are_gone_after_30():
    assert mantle_contrast(23) > 1.08
    assert abs(mantle_contrast(34) - 1.0) < 0.05


def test_ventricles_lie_inside_the_brain_and_the_cerebellum_behind_and_below():
    phantom = make_fetal_brain(3, 200, 1.5)
    where = {name: np.argwhere(phantom.labels == k).mean(axis=0) for name, k in LABELS.items()}
    assert where["cerebellum"][1] < where["brainstem"][1] < where["cavum"][1]
    assert where["cerebellum"][2] < where["deep_gray"][2] < where["white"][2]
    ventricle = phantom.labels == LABELS["lateral_ventricles"]
    grown = np.zeros_like(ventricle)
    for axis in range(3):
        for step in (-1, 1):
            grown |= np.roll(ventricle, step, axis)
    touching = phantom.labels[grown & ~ventricle]
    assert (touching == LABELS["extra_axial_csf"]).mean() < 0.1
    assert not (touching == LABELS["background"]).any()


@pytest.mark.slow
def test_width_and_length_follow_the_biometry_charts():
    for week in (24, 30, 36):
        inside = [phantom.labels > 0 for phantom in many(week, 3.0)]
        width, length = (
            np.mean([(np.ptp(np.flatnonzero(m.any(axis=others))) + 1) * 3.0 for m in inside])
            for others in ((1, 2), (0, 2))
        )
        skull_width = -0.0527 * week**2 + 5.7605 * week - 46.436
        skull_length = -0.0984 * week**2 + 8.8526 * week - 81.605
        assert width == pytest.approx(skull_width, rel=0.1)
        assert length == pytest.approx(skull_length, rel=0.1)


def test_the_affine_is_ras_in_mm_with_the_origin_in_the_middle():
    nibabel = pytest.importorskip("nibabel")
    phantom = make_fetal_brain(1, 190, 1.5)
    assert nibabel.aff2axcodes(phantom.affine) == ("R", "A", "S")
    assert nibabel.affines.voxel_sizes(phantom.affine) == pytest.approx([1.5] * 3)
    middle = (np.array(phantom.t2.shape) - 1) / 2
    assert phantom.affine[:3, :3] @ middle + phantom.affine[:3, 3] == pytest.approx([0] * 3)


@pytest.mark.slow
def test_the_whole_head_is_in_the_volume_whatever_the_tilt():
    for seed in range(25):
        labels = make_fetal_brain(seed, 260, 3.0).labels
        for axis in range(3):
            assert not np.take(labels, (0, -1), axis=axis).any()


def test_a_seed_gives_the_same_phantom_and_another_another():
    first, again, other = (make_fetal_brain(seed, 200, 2.0) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.t2, again.t2)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.t2.shape != other.t2.shape or not np.array_equal(first.t2, other.t2)


@pytest.mark.slow
def test_spacing_changes_the_grid_and_not_the_fetus():
    fine, coarse = (make_fetal_brain(6, 215, spacing) for spacing in (1.0, 2.0))
    for name in ("cortex", "white", "extra_axial_csf", "lateral_ventricles"):
        assert fine.volumes_ml[name] == pytest.approx(coarse.volumes_ml[name], rel=0.01)


def test_types_background_and_surroundings():
    bare = make_fetal_brain(1, 180, 2.0)
    dressed = make_fetal_brain(1, 180, 2.0, surroundings=True)
    assert bare.t2.dtype == np.float32 and bare.labels.dtype == np.uint8
    assert not bare.t2[bare.labels == 0].any() and (bare.t2[bare.labels > 0] > 0).all()
    assert bare.volumes_ml == dressed.volumes_ml
    assert (dressed.t2 > 0).mean() > 0.99


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": -1}, ["seed", "-1"]),
        ({"seed": 0, "ga_days": 100}, ["ga_days", "100", "133-273"]),
        ({"seed": 0, "ga_days": float("nan")}, ["ga_days", "nan"]),
        ({"seed": 0, "ga_days": 30}, ["19-39 weeks", "days"]),
        ({"seed": 0, "spacing_mm": 0.1}, ["spacing_mm", "0.1", "0.6-3"]),
        ({"seed": 0, "size_sd": 0.5}, ["size_sd", "0.5"]),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError) as caught:
        make_fetal_brain(**arguments)
    assert all(word in str(caught.value) for word in words)


def test_distances_match_closed_forms():
    points = np.random.default_rng(0).normal(0, 2, (3, 500)).astype(np.float32)
    radius = np.linalg.norm(points, axis=0)
    np.testing.assert_allclose(ellipsoid(points, (0, 0, 0), (2, 2, 2)), radius - 2, atol=1e-4)
    rod = capsule(points, (0, 0, -1), (0, 0, 1), (0.5, 0.5))
    axis = np.clip(points[2], -1, 1)
    wanted = np.sqrt(points[0] ** 2 + points[1] ** 2 + (points[2] - axis) ** 2) - 0.5
    np.testing.assert_allclose(rod, wanted, atol=1e-4)
    turn = rotation_matrix(np.array([10.0, -20.0, 30.0]))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)


def test_a_set_is_bids_with_ages_labels_and_a_record(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    folder = write_fetal_brain_set(tmp_path / "set", 3, seed=9, spacing_mm=2.5)
    rows = (folder / "participants.tsv").read_text().splitlines()
    assert rows[0] == "participant_id\tga_days" and len(rows) == 4
    image = nibabel.load(folder / "sub-0001/anat/sub-0001_T2w.nii.gz")
    labels = nibabel.load(folder / "derivatives/labels/sub-0001/anat/sub-0001_dseg.nii.gz")
    assert image.shape == labels.shape and np.array_equal(image.affine, labels.affine)
    assert set(np.unique(labels.dataobj)) == set(LABELS.values())
    record = json.loads((folder / "phantom.json").read_text())
    counted = np.count_nonzero(np.asarray(labels.dataobj) == LABELS["cortex"]) * 2.5**3 / 1000
    assert record["volumes_ml"]["sub-0001"]["cortex"] == pytest.approx(counted, abs=0.001)
    assert (record["generator"], record["seed"]) == ("fetal_phantoms.fetal_brain", 9)


def test_an_unknown_kind_of_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="kind 'films'"):
        write_fetal_brain_set(tmp_path / "a", 1, seed=0, kind="films")
