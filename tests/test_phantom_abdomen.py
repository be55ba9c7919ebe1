"""Abdomen phantoms: size by the standard, truth in the mask, anatomy where it belongs."""

import cv2
import numpy as np
import pytest

from fetal_lib.data.layouts.clinical_ultrasound import read_cases
from fetal_lib.data.masks import iter_cases
from fetal_lib.geometry.ellipse import head_circumference_mm
from fetal_lib.geometry.fit import ellipse_from_mask
from fetal_lib.growth.intergrowth_size import mean_mm, sd_mm, z_score
from fetal_phantoms.abdomen import _draw_anatomy, _draw_fetus, draw_view, make_abdomen
from fetal_phantoms.abdomen_set import COLUMNS, write_abdomen_set, write_biometry_set
from fetal_phantoms.anomalies.section import CODES
from fetal_phantoms.head import make_head

SEEDS = range(60, 68)


@pytest.fixture(scope="module")
def phantoms():
    return [make_abdomen(seed) for seed in SEEDS]


def drawn(seed):
    fetus = _draw_fetus(np.random.default_rng([seed, 31]), None, None)
    view = draw_view(np.random.default_rng([seed, 32, 0]), fetus)
    return fetus, view


def trunk_of(seed):
    fetus, view = drawn(seed)
    return _draw_anatomy(seed, view, fetus)


def center_of(trunk, tissue):
    rows, columns = np.nonzero(trunk.section.tissue == CODES[tissue])
    shape = np.array(trunk.section.tissue.shape)
    at = np.array([columns.mean() - (shape[1] - 1) / 2, rows.mean() - (shape[0] - 1) / 2])
    return at * trunk.section.cell_mm


def test_circumference_of_the_mask_is_the_stated_one(phantoms):
    compared = 0
    for phantom in phantoms:
        edge = np.concatenate([phantom.mask[[0, -1]].ravel(), phantom.mask[:, [0, -1]].ravel()])
        if edge.any():
            continue  # cut by the border of the image
        spacing = (phantom.pixel_size_mm, phantom.pixel_size_mm)
        measured = head_circumference_mm(ellipse_from_mask(phantom.mask), spacing)
        assert measured == pytest.approx(phantom.ac_mm, rel=0.005)
        compared += 1
    assert compared >= 5


@pytest.mark.parametrize(
    "ga_days", [154, *(pytest.param(days, marks=pytest.mark.slow) for days in (105, 210, 273))]
)
def test_size_follows_the_standard_of_its_week(ga_days):
    mean, sd = mean_mm("AC", ga_days / 7), sd_mm("AC", ga_days / 7)
    sizes = [_draw_fetus(np.random.default_rng([seed, 31]), ga_days, None) for seed in range(200)]
    z = [(fetus.hc_mm - mean) / sd for fetus in sizes]
    assert abs(np.mean(z)) < 0.25  # 3.5 standard errors
    assert 0.82 < np.std(z) < 1.15
    assert np.abs(z).max() <= 3.001


def test_a_given_z_score_is_drawn():
    phantom = make_abdomen(4, ga_days=168, z=-1.5)
    assert z_score("AC", phantom.ac_mm, 24.0) == pytest.approx(-1.5, abs=0.02)


@pytest.mark.slow
def test_the_trunk_is_rounder_than_a_head():
    trunks = [drawn(seed)[0].cephalic_index for seed in range(30)]
    heads = [2 * min(e.semi_major, e.semi_minor) / (e.semi_major + e.semi_minor)
             for e in (make_head(seed, 154).ellipse for seed in range(5))]  # fmt: skip
    assert 0.84 <= min(trunks) and max(trunks) < 1.0
    assert np.mean(trunks) > np.mean(heads)


def test_stomach_lies_left_and_spine_behind():
    seen = 0
    for seed in SEEDS:
        trunk = trunk_of(seed)
        front = np.array([np.cos(trunk.front_rad), np.sin(trunk.front_rad)])
        leftwards = trunk.left * np.array([-front[1], front[0]])
        rows, columns = np.nonzero(trunk.bone > 0.95)
        spine = np.array([columns.mean() - 259.5, rows.mean() - 207.5]) * trunk.section.cell_mm
        assert spine @ front < -0.3 * trunk.radius
        if (trunk.section.tissue == CODES["stomach"]).any():
            assert center_of(trunk, "stomach") @ leftwards > 0.2 * trunk.radius
            seen += 1
    assert seen >= 6


def test_umbilical_vein_runs_from_the_front_to_the_right():
    for seed in SEEDS:
        trunk = trunk_of(seed)
        front = np.array([np.cos(trunk.front_rad), np.sin(trunk.front_rad)])
        for share, degrees in ((0.4, 0.0), (0.2, -2.0)):
            u, v = trunk.at(share, degrees) / trunk.section.cell_mm
            near = trunk.section.tissue[round(v + 207.5) - 9 : round(v + 207.5) + 10,
                                        round(u + 259.5) - 9 : round(u + 259.5) + 10]  # fmt: skip
            assert (near == CODES["vessel"]).any(), (seed, share, front)


@pytest.mark.slow
def test_spine_is_bright_and_the_stomach_dark():
    contrast = []
    for seed in SEEDS:
        fetus, view = drawn(seed)
        trunk = _draw_anatomy(seed, view, fetus)
        image = make_abdomen(seed, marks=False).image.astype(float)
        stomach = np.median(pixels_of(image, view, trunk, trunk.section.tissue == CODES["stomach"]))
        liver = np.median(pixels_of(image, view, trunk, trunk.section.tissue == CODES["liver"]))
        bone = np.median(pixels_of(image, view, trunk, trunk.bone > 0.9))
        contrast.append((stomach < liver, bone > liver))
    assert np.mean(contrast, axis=0).min() >= 0.75


def pixels_of(image, view, trunk, chosen):
    scale = view.skull.semi_major / 150.0
    rows, columns = np.nonzero(cv2.erode(chosen.astype(np.uint8), np.ones((3, 3))))
    if rows.size == 0:
        return np.array([np.nan])
    u, v = (columns - 259.5) * scale, (rows - 207.5) * scale
    turn = view.pose.angle_rad
    x = view.pose.center_x + u * np.cos(turn) - v * np.sin(turn)
    y = view.pose.center_y + u * np.sin(turn) + v * np.cos(turn)
    inside = (x > 1) & (x < image.shape[1] - 2) & (y > 1) & (y < image.shape[0] - 2)
    return image[np.round(y[inside]).astype(int), np.round(x[inside]).astype(int)]


def test_layout_is_that_of_the_heads(phantoms):
    for phantom in phantoms:
        assert phantom.image.dtype == np.uint8 and phantom.image.shape == phantom.mask.shape
        assert 535 <= phantom.image.shape[0] <= 546 and 780 <= phantom.image.shape[1] <= 800
        assert set(np.unique(phantom.outline)) <= {0, 255} and phantom.mask.dtype == bool
        assert 0.04 < phantom.pixel_size_mm < 0.45
        assert phantom.image.std() > 8


def test_same_seed_same_image_and_frames_differ():
    first, again, frame = make_abdomen(5), make_abdomen(5), make_abdomen(5, frame=1)
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, frame.image)
    assert first.ga_days == frame.ga_days and first.pixel_size_mm == frame.pixel_size_mm
    assert first.ac_mm == pytest.approx(frame.ac_mm, rel=1e-6)


def test_marks_do_not_change_the_truth():
    marked, plain = make_abdomen(5), make_abdomen(5, marks=False)
    assert np.array_equal(marked.mask, plain.mask)
    assert 0 < np.mean(marked.image != plain.image) < 0.35


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ga_days": 20}, r"ga_days is 20; .*\(14-40 weeks\)"),
        ({"ga_days": 281}, "ga_days is 281"),
        ({"seed": -1}, "seed is -1"),
        ({"z": 4.0}, "z is 4.0; it must be from -3 to 3"),
        ({"z": float("nan")}, "z is nan"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_abdomen(**{"seed": 0, **arguments})


@pytest.fixture(scope="module")
def biometry(tmp_path_factory):
    return write_biometry_set(tmp_path_factory.mktemp("clinic") / "set", 4, 3)


def test_biometry_set_is_read_by_the_clinical_loader(biometry):
    table = read_cases(biometry)
    assert (biometry / "table.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert list(table["structure"]) == ["head", "abdomen"] * 4
    assert table["subject"].nunique() == 4
    numbers = ["pixel_size_mm", "ga_days", "hc_mm", "ac_mm", "bpd_mm", "ofd_mm", "fl_mm"]
    assert table[numbers].notna().all().all()
    for _, rows in table.groupby("subject"):
        assert rows[numbers[1:]].nunique().max() == 1
    assert len(list(iter_cases(table, (54, 80)))) == 8


def test_masks_of_the_set_give_its_circumferences(biometry):
    for _, row in read_cases(biometry).iterrows():
        mask = cv2.imread(str(row["mask_path"]), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(mask)) == {0, 255}
        if np.concatenate([mask[[0, -1]].ravel(), mask[:, [0, -1]].ravel()]).any():
            continue
        spacing = (row["pixel_size_mm"], row["pixel_size_mm"])
        measured = head_circumference_mm(ellipse_from_mask(mask > 0), spacing)
        stated = row["hc_mm"] if row["structure"] == "head" else row["ac_mm"]
        assert measured == pytest.approx(stated, rel=0.005)


def test_abdomen_set_leaves_the_heads_numbers_empty(tmp_path):
    table = read_cases(write_abdomen_set(tmp_path / "set", 2, 1))
    assert list(table["structure"]) == ["abdomen"] * 2
    assert table["hc_mm"].isna().all() and table["ac_mm"].notna().all()
