"""BPD outer to outer and outer to inner: the published difference, and what it does to an age."""

import numpy as np
import pandas as pd
import pytest

from fetal_book.chapters.biometry_segmentation.convention import convention_table
from fetal_lib.growth import hadlock, intergrowth_size
from fetal_lib.growth.bpd_convention import outer_inner_mm


def test_the_two_published_lines_are_one_another_s_inverse():
    outer = np.linspace(25, 100, 20)
    assert 0.555934 + 1.027318 * outer_inner_mm(outer) == pytest.approx(outer, abs=0.4)


def test_hadlock_s_age_fits_intergrowth_s_mean_bpd_better_to_the_inner_edge():
    for weeks in (18, 22, 26, 30, 34):
        outer = intergrowth_size.mean_mm("BPD", weeks)
        as_it_is, to_inner = (hadlock.ga_weeks("BPD", b) for b in (outer, outer_inner_mm(outer)))
        assert abs(to_inner - weeks) < abs(as_it_is - weeks) and as_it_is > weeks


def test_a_head_loses_millimetres_and_days_and_keeps_its_shape():
    heads = pd.DataFrame({"source": "a", "subject": ["s1", "s2", "s3"], "ofd_mm_true": 100.0})
    found = convention_table(heads.assign(bpd_mm_true=[80.0, 80.0, np.nan])).iloc[0]
    assert found["n"] == 2 and found["BPD / OFD"].startswith("0.800")
    assert found["BPD (mm)"] == pytest.approx(outer_inner_mm(80.0) - 80)
    assert found["HC (mm)"] == pytest.approx(1.5 * found["BPD (mm)"], rel=0.05)
    assert found["age by BPD (days)"] == pytest.approx(
        7 * (hadlock.ga_weeks("BPD", outer_inner_mm(80.0)) - hadlock.ga_weeks("BPD", 80.0))
    )
    assert convention_table(heads.drop(columns="ofd_mm_true")).empty  # abdomens only
