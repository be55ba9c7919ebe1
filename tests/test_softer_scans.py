"""The model of brain age learns from scans as they came and interpolated once more."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("SimpleITK")

from fetal_book.chapters.brain_age import softer
from fetal_lib.baselines.mni_space import SHAPE, grid_affine, half_voxel_off, on_grid
from fetal_lib.data.splits.folds import nested_folds

N = 120


@pytest.fixture(scope="module")
def cases():
    """Features that grow with age, and the same as if they were twenty years older when softer."""
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 80, N)
    directions = rng.normal(size=(2, 30))

    def seen(years, softness):
        told = np.stack([years / 20, softness + 0 * years], axis=1) @ directions
        return told + 0.1 * rng.normal(size=(N, 30))

    features = np.concatenate([seen(age, 0.0), seen(age + 20, 1.0)])
    folds = list(nested_folds([str(i) for i in range(N)], age, 3, 3, 0))
    return age, features, SimpleNamespace(folds=folds)


@pytest.mark.parametrize(("learnt", "low", "high"), [("both", 0, 4), ("as they came", 8, 40)])
def test_what_is_softer_is_taken_for_age_unless_the_model_has_seen_it(cases, learnt, low, high):
    age, features, parts = cases
    found = softer.judge_both(features, age, parts, 0, learnt).outer.reshape(2, N)
    assert np.abs(found[0] - age).mean() < 4
    assert low <= np.abs(found[1] - age).mean() < high


def test_no_softer_self_of_a_person_tested_is_learnt_from(cases):
    _, _, parts = cases
    for learnt in softer.LEARNT:
        for fold in softer.both_folds(parts.folds, N, learnt):
            assert not set(fold.train % N) & set(fold.test % N)
            assert sorted(fold.test % N) == sorted([*fold.test[: len(fold.test) // 2]] * 2)
            for train, val in fold.inner:
                assert not set(train % N) & set(val % N)
                assert set(train) | set(val) == set(fold.train)


def test_predictions_of_scans_as_they_came_are_the_first_half(cases):
    age, features, parts = cases
    both = softer.judge_both(features, age, parts, 0)
    first = softer.as_they_came(both)
    assert np.array_equal(first.outer, both.outer[:N]) and len(first.inner[0]) == N


def test_half_a_voxel_off_means_halfway_between_neighbours():
    ramp = np.broadcast_to(np.arange(SHAPE[0], dtype=float)[:, None, None], SHAPE)
    data, affine = half_voxel_off(ramp, grid_affine())
    assert data[10, 50, 40] == pytest.approx(10.5)
    assert on_grid(data, affine)[10, 50, 40] == pytest.approx(10)
    checked = np.indices(SHAPE).sum(axis=0) % 2.0
    assert half_voxel_off(checked, grid_affine())[0][10, 50, 40] == pytest.approx(0.5)
