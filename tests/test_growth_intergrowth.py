"""INTERGROWTH-21st: the published tables come out, slips of unit and wrong formulas do not."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_lib.growth.intergrowth_age import (
    FL_MM_RANGE,
    HC_MM_RANGE,
    TCD_MM_RANGE,
    ga_days_from_hc,
    ga_days_from_hc_fl,
    ga_weeks_from_tcd,
)
from fetal_lib.growth.intergrowth_size import centile, mean_mm, sd_mm, size_mm, z_score
from fetal_lib.growth.intergrowth_tables import MEASURES
from fetal_lib.growth.intergrowth_weight import (
    EFW_GA_WEEKS_RANGE,
    efw_at_z,
    efw_centile,
    efw_g,
    efw_z,
)

COLUMNS = ("HC", "AC", "BPD", "OFD", "FL", "TCD", "ATRIUM")
# weeks: 50th centile and standard deviation in mm, column by column
TABLE = {
    14: (97.9, 5.6, 80.6, 4.1, 29.6, 1.7, 33.8, 1.9, 13.1, 1.5, 13.0, 0.6, 7.1, 1.2),
    16: (122.9, 6.3, 103.2, 5.4, 35.6, 1.9, 42.8, 2.2, 19.5, 1.6, 15.4, 0.7, 6.8, 1.2),
    18: (147.9, 6.9, 125.6, 6.6, 42.0, 2.1, 51.9, 2.5, 25.5, 1.7, 17.9, 0.8, 6.5, 1.3),
    20: (172.5, 7.4, 147.7, 7.6, 48.4, 2.3, 60.7, 2.8, 31.3, 1.8, 20.5, 0.9, 6.3, 1.4),
    22: (196.3, 7.9, 169.6, 8.6, 55.0, 2.5, 69.2, 3.0, 36.7, 1.9, 23.2, 1.0, 6.1, 1.4),
    24: (219.1, 8.3, 191.2, 9.5, 61.4, 2.7, 77.3, 3.2, 41.9, 1.9, 26.2, 1.2, 6.0, 1.5),
    26: (240.5, 8.6, 212.4, 10.4, 67.6, 2.8, 84.9, 3.4, 46.7, 2.0, 29.4, 1.4, 5.9, 1.6),
    28: (260.4, 8.9, 233.3, 11.3, 73.5, 2.9, 91.8, 3.7, 51.3, 2.1, 32.9, 1.6, 5.8, 1.6),
    30: (278.4, 9.2, 253.8, 12.3, 78.9, 3.1, 98.0, 3.9, 55.5, 2.2, 36.7, 1.8, 5.7, 1.7),
    32: (294.4, 9.6, 273.9, 13.6, 83.8, 3.2, 103.5, 4.1, 59.4, 2.4, 40.8, 2.1, 5.6, 1.8),
    34: (308.1, 10.1, 293.6, 15.1, 87.9, 3.3, 108.0, 4.5, 63.1, 2.5, 45.2, 2.4, 5.6, 1.8),
    36: (319.4, 10.8, 312.8, 17.0, 91.2, 3.5, 111.6, 4.9, 66.4, 2.7, 50.0, 2.8, 5.5, 1.9),
    38: (328.1, 11.7, 331.6, 19.4, 93.6, 3.7, 114.2, 5.4, 69.4, 2.9, 55.3, 3.2, 5.5, 2.0),
    40: (333.9, 12.9, 349.8, 22.4, 94.9, 3.9, 115.8, 6.2, 72.1, 3.2, 60.9, 3.7, 5.5, 2.0),
}
EFW_TABLE = {  # weeks: 3rd, 10th, 50th, 90th, 97th centile in g
    22: (463, 481, 525, 578, 607),
    28: (892, 951, 1097, 1276, 1375),
    34: (1641, 1795, 2162, 2583, 2800),
    40: (2574, 2818, 3338, 3858, 4102),
}
CENTILES = (3, 10, 50, 90, 97)
Z_OF_CENTILE = (-1.8808, -1.2816, 0.0, 1.2816, 1.8808)


@pytest.mark.parametrize("measure", COLUMNS)
def test_means_and_deviations_are_those_of_the_tables(measure):
    low, high = MEASURES[measure].ga_weeks
    at = 2 * COLUMNS.index(measure)
    weeks = [week for week in TABLE if low <= week <= high]
    means, deviations = np.array([TABLE[week][at : at + 2] for week in weeks]).T
    assert mean_mm(measure, weeks) == pytest.approx(means, abs=0.0501)
    assert sd_mm(measure, weeks) == pytest.approx(deviations, abs=0.0501)


def test_the_cisterna_magna_is_log_normal():
    assert mean_mm("CISTERNA_MAGNA", 20) == pytest.approx(4.48, abs=0.005)
    assert mean_mm("CISTERNA_MAGNA", 30) == pytest.approx(6.22, abs=0.005)
    assert size_mm("CISTERNA_MAGNA", 30, z=1.8808) == pytest.approx(9.8, abs=0.05)
    ratio = size_mm("CISTERNA_MAGNA", 25, z=2) / mean_mm("CISTERNA_MAGNA", 25)
    assert mean_mm("CISTERNA_MAGNA", 25) / size_mm("CISTERNA_MAGNA", 25, z=-2) == pytest.approx(
        ratio
    )
    with pytest.raises(ValueError, match="of ln mm"):
        sd_mm("CISTERNA_MAGNA", 25)


def test_a_ventricle_of_ten_millimetres_at_thirty_weeks_is_two_and_a_half_deviations():
    assert z_score("ATRIUM", 10, 30) == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_a_positive_spread_and_goes_there_and_back(measure):
    low, high = MEASURES[measure].ga_weeks
    weeks = np.linspace(low, high, 60)
    for z in (-2, 0, 1.5):
        sizes = size_mm(measure, weeks, z)
        plausible = (sizes >= MEASURES[measure].size_mm[0]) & (
            sizes <= MEASURES[measure].size_mm[1]
        )
        assert z_score(measure, sizes[plausible], weeks[plausible]) == pytest.approx(z, abs=1e-9)
        assert plausible.mean() > 0.7
    assert (size_mm(measure, weeks, 1) > size_mm(measure, weeks, 0)).all()


def test_centiles_are_those_of_the_normal_distribution():
    found = [centile("HC", size_mm("HC", 24, z), 24) for z in Z_OF_CENTILE]
    assert found == pytest.approx(CENTILES, abs=0.01)


def test_growth_is_monotone_in_the_large_measures():
    weeks = np.arange(14, 40.1, 0.5)
    for measure in ("HC", "AC", "BPD", "OFD", "FL", "TCD"):
        assert (np.diff(mean_mm(measure, weeks)) > 0).all()


@pytest.mark.parametrize(("hc", "weeks"), [(100, 14.19), (175, 20.22), (250, 27.11), (300, 32.96)])
def test_age_from_head_circumference_is_that_of_the_table(hc, weeks):
    assert ga_days_from_hc(hc) / 7 == pytest.approx(weeks, abs=0.005)


def test_age_from_a_head_of_340_mm_is_that_of_the_table():
    assert ga_days_from_hc(340) / 7 == pytest.approx(38.87, abs=0.005)


def test_the_range_of_age_from_head_circumference_is_that_of_the_standard():
    low, high = (ga_days_from_hc(hc) / 7 for hc in HC_MM_RANGE)
    assert 14 <= low < 14.1 and 39.8 < high <= 40


@pytest.mark.parametrize("weeks", [16, 20, 24, 28, 32, 36])
def test_ages_from_mean_sizes_agree_with_the_age(weeks):
    hc, fl = mean_mm("HC", weeks), mean_mm("FL", weeks)
    assert ga_days_from_hc(hc) / 7 == pytest.approx(weeks, abs=0.6)
    assert ga_days_from_hc_fl(hc, fl) / 7 == pytest.approx(weeks, abs=0.6)
    assert ga_weeks_from_tcd(mean_mm("TCD", weeks)) == pytest.approx(weeks, abs=1)


def test_age_from_the_cerebellum_rises_over_its_whole_range():
    assert (np.diff(ga_weeks_from_tcd(np.linspace(*TCD_MM_RANGE, 100))) > 0).all()


def test_weight_from_abdomen_and_head_is_the_reference_value():
    assert efw_g(ac_mm=340, hc_mm=330) == pytest.approx(3155.5, abs=0.05)


@pytest.mark.parametrize("weeks", EFW_TABLE)
def test_weight_centiles_are_those_of_the_table(weeks):
    found = efw_at_z(weeks, np.array(Z_OF_CENTILE))
    assert np.round(found).tolist() == list(EFW_TABLE[weeks])
    assert [efw_centile(weight, weeks) for weight in found] == pytest.approx(CENTILES, abs=0.01)


def test_weight_goes_there_and_back_where_the_skewness_changes_sign():
    weeks = np.linspace(*EFW_GA_WEEKS_RANGE, 2001)
    for z in (-3, -1, 0.5, 3):
        assert efw_z(efw_at_z(weeks, z), weeks) == pytest.approx(z, abs=1e-6)


def test_the_weight_of_the_mean_sizes_is_the_mean_weight():
    for weeks in (24, 30, 36):
        weight = efw_g(mean_mm("AC", weeks), mean_mm("HC", weeks))
        assert weight == pytest.approx(efw_at_z(weeks), rel=0.06)


def test_a_number_gives_a_number_and_an_array_an_array():
    assert type(z_score("HC", 172.5, 20)) is float
    assert type(ga_days_from_hc(172.5)) is float
    assert type(efw_centile(1000, 28)) is float
    assert type(centile("HC", np.float64(172.5), 20)) is float
    assert z_score("HC", np.array([170.0, 175.0]), 20).shape == (2,)
    assert size_mm("HC", 20, z=np.zeros((2, 3))).shape == (2, 3)
    assert ga_days_from_hc([100.0, 200.0]).shape == (2,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: z_score("HC", 17.25, 20), r"mm: received 17.25; .* 45 to 440 mm. .*centimetres"),
        (lambda: z_score("HC", 0.1725, 20), "looks like metres: multiply by 1000"),
        (lambda: z_score("FL", 7.2, 40), "7.2 looks like centimetres"),
        (lambda: z_score("SYLVIAN", 1.2, 30), "more than 5 standard deviations"),
        (lambda: z_score("HC", 1725, 20), "45 to 440 mm"),
        (lambda: z_score("HC", 172.5, 140), "ga_weeks: received 140; .* looks like days"),
        (lambda: z_score("HC", 172.5, 13.9), "ga_weeks: received 13.9; it must be from 14 to 40"),
        (lambda: mean_mm("ATRIUM", 37), "from 15 to 36 weeks"),
        (lambda: mean_mm("HC", 40.1), "from 14 to 40 weeks"),
        (lambda: mean_mm("HC", float("nan")), "1 of 1 values that are NaN"),
        (lambda: mean_mm("HC", "twenty"), "received 'twenty'; it must be a number of weeks"),
        (lambda: mean_mm("BDP", 20), "received 'BDP'; did you mean 'BPD'"),
        (lambda: ga_days_from_hc(17.5), "hc_mm: received 17.5; .*centimetres: multiply by 10"),
        (lambda: ga_days_from_hc(0.175), "looks like metres"),
        (lambda: ga_days_from_hc([150.0, 15.0, 16.0]), "received 2 of 3, first 15"),
        (lambda: ga_days_from_hc(60), "from 98 to 346 mm. The formula does not hold outside"),
        (lambda: ga_days_from_hc_fl(175, 3.2), "fl_mm: received 3.2"),
        (lambda: ga_weeks_from_tcd(2.05), "tcd_mm: received 2.05; .*centimetres"),
        (lambda: ga_weeks_from_tcd(60), "from 12 to 55 mm"),
        (lambda: efw_g(34, 33), "ac_mm: received 34; .*centimetres"),
        (lambda: efw_g(340, 33), "hc_mm: received 33; .*centimetres"),
        (lambda: efw_z(1.1, 28), "weight_g: received 1.1; .*kilograms"),
        (lambda: efw_z(1100, 196), "ga_weeks: received 196; .*days: divide by 7"),
        (lambda: efw_at_z(21), "from 22 to 40 weeks"),
        (lambda: efw_at_z(30, 10), "z: received 10; it must be from -5 to 5"),
    ],
)
def test_wrong_units_and_ranges_are_refused_with_the_likely_slip(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_head_in_centimetres_passes_for_millimetres():
    for measure in ("HC", "AC", "BPD", "OFD", "FL", "TCD"):
        weeks = np.linspace(*MEASURES[measure].ga_weeks, 40)
        for week, size in zip(weeks, size_mm(measure, weeks, 2), strict=True):
            with pytest.raises(ValueError, match="centimetres"):
                z_score(measure, size / 10, week)
    assert FL_MM_RANGE[0] > 8 and HC_MM_RANGE[0] > 42


def test_weight_with_log1p_is_a_wrong_variant():
    a, h = 0.34, 0.33
    wrong = np.exp(5.084820 - 54.06633 * a**3 - 95.80076 * a**3 * np.log1p(a) + 3.136370 * h)
    assert wrong < 0.1 * efw_g(340, 330)


def test_an_abdomen_linear_in_weeks_times_ten_is_a_wrong_variant():
    wrong = 10 * (-174.5 + 5.608 * np.array([20, 30, 40]))
    assert (np.abs(wrong - mean_mm("AC", np.array([20, 30, 40]))) > 100).all()


def test_tenth_and_ninetieth_centile_are_not_at_0675_deviations():
    assert centile("HC", size_mm("HC", 20, -1.2816), 20) == pytest.approx(10, abs=0.01)
    assert centile("HC", size_mm("HC", 20, -0.675), 20) == pytest.approx(25, abs=0.1)


def test_the_quadratic_cerebellum_is_another_curve():
    weeks = np.arange(14, 41)
    off = np.abs(6.9519 + 0.03327 * weeks**2 - mean_mm("TCD", weeks)) / sd_mm("TCD", weeks)
    assert off.max() > 0.5
