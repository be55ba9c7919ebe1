"""Chapter 01's samples: folds keep fetuses whole, and the size is gone when it should be."""

import numpy as np
import pandas as pd
import pytest

from fetal_lib.chapters.gestational_age import shared_fetuses
from fetal_lib.chapters.gestational_age.data import PlaneSet
from fetal_lib.chapters.gestational_age.fit import make_folds
from fetal_lib.chapters.gestational_age.report import baseline_answers
from fetal_lib.parameters.gestational_age import GestationalAgeParameters
from fetal_lib.predict.gestational_age_slices import equal_blur


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


def test_a_baseline_that_knows_the_volume_finds_the_age_and_the_mean_does_not():
    planes = made_up()
    found = baseline_answers(planes, make_folds(planes, GestationalAgeParameters()))
    error = {n: np.abs(found[n] - found["ga_days"]).mean() for n in ("mean", "brain_volume")}
    assert error["brain_volume"] < 2 and error["mean"] > 25


def test_large_brains_are_blurred_to_the_coarseness_of_small_ones():
    """A sharp edge in a volume of fine voxels, and one of voxels as coarse as any."""
    edge = np.zeros((1, 3, 64, 64), np.float32)
    edge[..., 32:] = 1
    fine = equal_blur(edge, pixel_mm=2.0, spacing_mm=(2.0, 2.0, 2.0))
    coarse = equal_blur(edge, pixel_mm=0.9, spacing_mm=(2.0, 2.0, 2.0))
    assert np.array_equal(coarse, edge)
    assert np.abs(np.diff(fine[0, 0, 30])).max() < 0.8
    assert fine[0, 0, 30, :20].max() == pytest.approx(0, abs=1e-6)
