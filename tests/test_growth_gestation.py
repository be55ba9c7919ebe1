"""Ages in words: completed weeks and days, trimesters."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_lib.growth.gestation import format_weeks_days, parse_weeks_days, trimester


@pytest.mark.parametrize(
    ("days", "text"),
    [(143, "20+3"), (143.9, "20+3"), (98, "14+0"), (97.999, "13+6"), (97.9999999, "14+0")],
)
def test_an_age_is_written_in_completed_weeks_and_days(days, text):
    assert format_weeks_days(days) == text


@pytest.mark.parametrize("days", [49, 98, 143, 196, 280, 308])
def test_writing_and_reading_an_age_are_inverse(days):
    assert parse_weeks_days(format_weeks_days(days)) == days


@pytest.mark.parametrize("text", ["20+7", "20", "20-3", "", "20+33", None])
def test_what_is_no_age_is_refused(text):
    with pytest.raises(ValueError, match=r"text: received .* Write for example"):
        parse_weeks_days(text)


@pytest.mark.parametrize(
    ("days", "number"), [(80, 1), (97.99, 1), (98, 2), (195.9, 2), (196, 3), (280, 3)]
)
def test_trimesters_begin_at_14_and_28_completed_weeks(days, number):
    assert trimester(days) == number
    assert type(trimester(days)) is int


def test_trimesters_of_an_array():
    assert trimester(np.array([80, 98, 196])).tolist() == [1, 2, 3]


@pytest.mark.parametrize("function", [format_weeks_days, trimester])
def test_weeks_given_for_days_are_recognised(function):
    with pytest.raises(ValueError, match="ga_days: received 20.4; .*weeks: multiply by 7"):
        function(20.4)
    with pytest.raises(ValueError, match="from 49 to 308 days"):
        function(400)
    with pytest.raises(ValueError, match="NaN"):
        function(float("nan"))
