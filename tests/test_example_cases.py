"""Shown cases: typical ones and the worst, and none twice."""

import numpy as np
import pytest

from fetal_book.chapters.example_cases import typical_and_worst

SCORES = np.random.default_rng(0).permutation(34) / 34


def test_four_around_the_median_and_the_four_worst():
    shown = SCORES[typical_and_worst(SCORES)]
    assert (34 * shown).round().astype(int).tolist() == [15, 16, 17, 18, 0, 1, 2, 3]


@pytest.mark.parametrize("of", range(12))
def test_no_case_is_shown_twice_however_few_there_are(of):
    shown = typical_and_worst(SCORES[:of], 4)
    assert len(set(shown)) == len(shown) == (of if of < 2 else 2 * min(4, of // 2))
    if of:
        assert SCORES[shown[len(shown) // 2]] == SCORES[:of].min()  # the worst begins its half
