"""Head phantoms: the physics is right, the truth is exact, and a seed is a picture."""

import math

import cv2
import numpy as np
import pytest

from fetal_lib.geometry.ellipse import head_circumference_mm
from fetal_lib.growth.intergrowth_size import mean_mm, sd_mm
from fetal_phantoms.head import CSV_HEADER, CSV_NAME, make_head, write_head_set
from fetal_phantoms.marks import grey_bar
from fetal_phantoms.ultrasound import (
    RAYLEIGH_SNR,
    Probe,
    Sector,
    cumulative_loss_db,
    log_compress,
    speckle_envelope,
)

SEEDS = range(40, 52)


@pytest.fixture(scope="module")
def phantoms():
    return [make_head(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def unmarked():
    return [make_head(seed, marks=False) for seed in SEEDS]


def test_envelope_of_even_tissue_is_rayleigh_speckle():
    envelope = speckle_envelope(np.ones((600, 600)), (1.5, 2.5), np.random.default_rng(1))
    inner = envelope[20:-20, 20:-20]
    assert RAYLEIGH_SNR == pytest.approx(1.91, abs=0.005)
    assert inner.mean() / inner.std() == pytest.approx(RAYLEIGH_SNR, abs=0.03)
    assert inner.mean() == pytest.approx(math.sqrt(math.pi / 2), rel=0.02)


def test_four_looks_double_the_signal_to_noise_ratio():
    one, four = (
        speckle_envelope(np.ones((400, 400)), (1.5, 2.5), np.random.default_rng(1), n)
        for n in (1, 4)
    )
    assert (four.mean() / four.std()) / (one.mean() / one.std()) == pytest.approx(2.0, rel=0.06)


def test_a_mirror_makes_the_envelope_rician():
    mirror = np.full((300, 300), 5.0)
    envelope = speckle_envelope(np.ones((300, 300)), (1, 1), np.random.default_rng(0), 1, mirror)
    assert envelope[10:-10, 10:-10].mean() / envelope[10:-10, 10:-10].std() > 4


def test_log_compression_has_the_stated_range():
    grey = log_compress(np.array([1.0, 10 ** (-30 / 20), 10 ** (-61 / 20)]), 1.0, 60.0)
    assert grey == pytest.approx([1.0, 0.5, 0.0])


def test_tissue_loss_is_two_way():
    probe = Probe(frequency_mhz=4.0, attenuation_db_cm_mhz=0.5)
    loss = cumulative_loss_db(np.full((100, 1), probe.tissue_loss_db_mm), 1.0)
    assert loss[-1, 0] == pytest.approx(2 * 0.5 * 4.0 * 10.0)  # 10 cm


def test_scan_conversion_returns_the_range_of_each_pixel():
    sector = Sector((200, 300), 150.0, -80.0, 90.0, 250.0, 0.6, 400, 400)
    image = sector.scan_convert(np.broadcast_to(sector.ranges(), (400, 400)))
    rows, columns = np.mgrid[:200, :300]
    expected = np.hypot(columns - 150.0, rows + 80.0)
    angle = np.abs(np.arctan2(columns - 150.0, rows + 80.0))
    inside = (expected > 92) & (expected < 248) & (angle < 0.59)
    assert np.abs(image - expected)[inside].max() < 0.05
    assert not image[angle > 0.62].any()


def test_truth_is_the_fitted_ellipse(phantoms):
    for phantom in phantoms:
        spacing = (phantom.pixel_size_mm, phantom.pixel_size_mm)
        expected = head_circumference_mm(phantom.ellipse, spacing)
        assert phantom.hc_mm == pytest.approx(expected, rel=1e-9)
        assert phantom.image.dtype == np.uint8 and phantom.image.ndim == 2
        assert phantom.image.shape == phantom.outline.shape == phantom.mask.shape
        assert set(np.unique(phantom.outline)) == {0, 255}
        assert 0.05 <= phantom.pixel_size_mm <= 0.39


def test_outline_is_one_pixel_wide_on_the_ellipse(phantoms):
    for phantom in phantoms:
        y, x = np.nonzero(phantom.outline)
        points = np.stack([x, y], axis=1).astype(float)
        assert np.abs(phantom.ellipse.distance(points)).max() < 1.1
        assert y.size < 1.1 * phantom.ellipse.perimeter


def test_head_size_follows_the_standard_for_its_age():
    scores = []
    for seed in range(12):
        phantom = make_head(seed, ga_days=140, marks=False)
        scores.append((phantom.hc_mm - mean_mm("HC", 20.0)) / sd_mm("HC", 20.0))
    assert np.abs(scores).max() <= 3.001
    assert abs(np.mean(scores)) < 1.0


def test_skull_is_brighter_than_what_it_encloses(unmarked):
    brighter = []
    for phantom in unmarked:
        field = cv2.distanceTransform(phantom.mask.astype(np.uint8), cv2.DIST_L2, 5)
        seen = phantom.image > 0
        ring = phantom.image[(field > 2) & (field < 12) & seen].mean()
        brighter.append(ring > phantom.image[(field > 60) & seen].mean())
    assert np.mean(brighter) >= 0.8


def test_marks_lie_over_the_same_image(phantoms, unmarked):
    for plain, marked in zip(unmarked, phantoms, strict=True):
        assert np.mean(plain.image != marked.image) < 0.35
        assert (plain.image != marked.image).any()
        assert np.array_equal(plain.outline, marked.outline)


@pytest.mark.parametrize("height", [8, 100, 160, 300])
def test_the_grey_bar_fits_any_height(height):
    for seed in range(5):
        bar, tall = np.zeros((height, 64), np.uint8), np.zeros((300, 64), np.uint8)
        grey_bar(bar, np.random.default_rng(seed))
        grey_bar(tall, np.random.default_rng(seed))
        assert np.array_equal(bar, tall[:height])


def test_frames_share_the_fetus_and_differ_in_view():
    first, second = make_head(5), make_head(5, frame=1)
    assert first.ga_days == second.ga_days
    assert first.pixel_size_mm == second.pixel_size_mm
    assert first.hc_mm == pytest.approx(second.hc_mm, rel=0.03)
    assert not np.array_equal(first.mask, second.mask)


@pytest.mark.parametrize("ga_days", [97, 281, 20, float("nan")])
def test_age_outside_the_standard_is_refused(ga_days):
    with pytest.raises(ValueError, match=r"ga_days is .*\(14-40 weeks\)"):
        make_head(0, ga_days=ga_days)


def test_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed is -1"):
        make_head(-1)


def test_set_has_the_official_layout(tmp_path):
    seen = []
    folder = write_head_set(tmp_path / "set", 12, 3, progress=lambda *step: seen.append(step))
    lines = (folder / CSV_NAME).read_text().splitlines()
    assert lines[0] == CSV_HEADER
    names = [line.split(",")[0] for line in lines[1:]]
    images = {path.name for path in (folder / "training_set").iterdir()}
    assert images == {*names, *(name.replace(".png", "_Annotation.png") for name in names)}
    assert seen == [(done, 12) for done in range(1, 13)]
    assert {name[:3] for name in names} == {f"{number:03d}" for number in range(12)}
    assert (folder / "phantom.json").exists()
