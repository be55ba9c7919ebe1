"""Hadlock: the reference values come out, slips of unit and wrong formulas do not."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_lib.growth import hadlock, intergrowth_size
from fetal_lib.growth.hadlock import (
    EFW_MM_RANGE,
    SIZE_MM_RANGE,
    efw_g,
    ga_two_sd_weeks_from_hc,
    ga_weeks,
    hc_mm,
    weight_g,
)


@pytest.mark.parametrize(
    ("hc", "weeks"), [(100, 14.66), (175, 20.02), (250, 27.15), (300, 33.26), (340, 39.11)]
)
def test_age_from_head_circumference_is_that_of_the_table(hc, weeks):
    assert ga_weeks("HC", hc) == pytest.approx(weeks, abs=0.005)


@pytest.mark.parametrize("measure", SIZE_MM_RANGE)
def test_age_rises_with_size_and_stays_within_12_to_42_weeks(measure):
    ages = ga_weeks(measure, np.linspace(*SIZE_MM_RANGE[measure], 200))
    assert (np.diff(ages) > 0).all()
    assert ages[0] > 12 and ages[-1] < 42.5


@pytest.mark.parametrize("measure", SIZE_MM_RANGE)
def test_ages_of_mean_sizes_agree_across_standards(measure):
    # INTERGROWTH-21st's BPD runs to the outer edge of the far skull, Hadlock's to the inner one.
    for weeks in (18, 22, 26, 30):
        found = ga_weeks(measure, intergrowth_size.mean_mm(measure, weeks))
        assert found == pytest.approx(weeks, abs=2.0 if measure == "BPD" else 1.0)


@pytest.mark.parametrize(
    ("hc", "weeks"),
    [(68, 1.19), (144, 1.19), (144.1, 1.48), (219, 1.48), (280, 2.06), (325, 2.98), (360, 3.2)],
)
def test_two_deviations_are_those_of_the_published_steps(hc, weeks):
    assert ga_two_sd_weeks_from_hc(hc) == weeks


def test_two_deviations_of_an_array():
    assert ga_two_sd_weeks_from_hc(np.array([100.0, 300.0])).tolist() == [1.19, 2.98]


@pytest.mark.parametrize(("weeks", "hc"), [(14, 96.6), (20, 176.8), (30, 284.4), (40, 346.1)])
def test_mean_head_is_that_of_the_table_and_larger_than_intergrowth(weeks, hc):
    assert hc_mm(weeks) == pytest.approx(hc, abs=0.05)
    if weeks >= 20:
        assert 4 < hc_mm(weeks) - intergrowth_size.mean_mm("HC", weeks) < 12.5


def test_weights_of_the_four_sizes_are_the_reference_values():
    sizes = {"ac_mm": 340, "fl_mm": 70, "bpd_mm": 90, "hc_mm": 330}
    assert efw_g(**sizes) == efw_g(**sizes, formula="H4") == pytest.approx(3150.5, abs=0.05)
    assert efw_g(**sizes, formula="H3") == pytest.approx(3150.8, abs=0.05)
    assert efw_g(340, 70, hc_mm=330) == efw_g(**sizes, formula="H3")
    for formula in ("H1", "H2"):
        assert efw_g(**sizes, formula=formula) == pytest.approx(3150, rel=0.03)


@pytest.mark.parametrize(
    ("weeks", "weight"),
    [(20, 331), (24, 670), (28, 1210), (32, 1953), (34, 2377), (36, 2813), (40, 3619)],
)
def test_mean_weight_is_that_of_the_table(weeks, weight):
    assert round(weight_g(weeks)) == weight


def test_weight_spreads_by_12_7_percent():
    assert weight_g(30, z=1) / weight_g(30) == pytest.approx(1.127)


def test_a_number_gives_a_number_and_an_array_an_array():
    assert type(ga_weeks("HC", 175)) is float
    assert type(ga_two_sd_weeks_from_hc(175)) is float
    assert ga_weeks("HC", np.array([100.0, 200.0])).shape == (2,)
    assert efw_g(np.array([300.0, 340.0]), 70).shape == (2,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ga_weeks("HC", 17.5), "mm: received 17.5; it must be from 68 to 360 mm. .*centim"),
        (lambda: ga_weeks("FL", 0.032), "looks like metres"),
        (lambda: ga_weeks("HC", 44.3), "from 68 to 360 mm. The formula does not hold outside"),
        (lambda: ga_weeks("OFD", 60), "measure: received 'OFD'; it must be one of HC, BPD, AC, FL"),
        (lambda: hc_mm(140), "ga_weeks: received 140; .*days: divide by 7"),
        (lambda: hc_mm(11), "from 12 to 42 weeks"),
        (lambda: weight_g(41), "from 10 to 40 weeks"),
        (lambda: efw_g(34, 7), "ac_mm: received 34; .*centimetres"),
        (lambda: efw_g(340, 7), "fl_mm: received 7; .*centimetres"),
        (lambda: efw_g(340, 70, bpd_mm=9), "bpd_mm: received 9; .*centimetres"),
        (lambda: efw_g(340, 70, formula="H3"), "received 'H3' with AC, FL; .*H3 needs AC, FL, HC"),
        (lambda: efw_g(340, 70, formula="H9"), "received 'H9'"),
        (lambda: efw_g(None, 70), "formula: received None with FL; H1 needs AC, FL"),
    ],
)
def test_wrong_units_and_ranges_are_refused_with_the_likely_slip(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_size_in_centimetres_passes_for_millimetres():
    for limits in (SIZE_MM_RANGE, EFW_MM_RANGE):
        assert all(low > high / 10 for low, high in limits.values())


def test_age_with_a_negative_square_is_a_wrong_variant():
    x = np.array([25.0, 30.0, 34.0])
    wrong = 8.96 + 0.540 * x - 0.0040 * x**2 + 0.000399 * x**3
    assert (np.abs(wrong - ga_weeks("HC", 10 * x)) > 0.6).all()


def test_the_fourth_weight_without_interactions_is_a_wrong_variant():
    wrong = 10 ** (1.3596 + 0.0064 * 33 + 0.0424 * 34 + 0.174 * 7)
    assert wrong > 3 * efw_g(340, 70, 90, 330)


def test_millimetres_fed_to_the_centimetre_formula_are_a_wrong_variant():
    c0, c1, c2, c3 = hadlock.AGE_COEFFICIENTS["HC"]
    wrong = c0 + c1 * 175 + c2 * 175**2 + c3 * 175**3
    assert wrong > 50 * ga_weeks("HC", 175)
