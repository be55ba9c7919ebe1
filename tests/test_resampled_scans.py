"""The model of brain age learns from scans as they came, interpolated once more, and registered."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("SimpleITK")

from fetal_book.chapters.brain_age import resampled, tissues
from fetal_book.chapters.brain_age.resampled import ALL_WAYS, LEARNT, WAYS
from fetal_lib.baselines.mni_registration import in_mni_space
from fetal_lib.baselines.mni_space import (
    SHAPE,
    grid_affine,
    half_voxel_off,
    on_grid,
    turned_and_moved,
)
from fetal_lib.data.layouts.adult_scan import AdultScan
from fetal_lib.data.splits.folds import nested_folds
from fetal_lib.readers.volume_grid import Volume

N = 120
WRONG = {"interpolated": 20.0, "registered": -15.0}
"""Years by which a scan of a kind looks older or younger than it is."""


@pytest.fixture(scope="module")
def cases():
    """Features that grow with age, and of resampled scans as if they were of another age."""
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 80, N)
    directions = rng.normal(size=(3, 30))

    def seen(years, kind):
        marks = [1.0 * (kind == way) + 0 * years for way in WRONG]
        told = np.stack([years / 20, *marks], axis=1) @ directions
        return told + 0.1 * rng.normal(size=(N, 30))

    features = [seen(age, "as they came")] + [seen(age + off, way) for way, off in WRONG.items()]
    folds = list(nested_folds([str(i) for i in range(N)], age, 3, 3, 0))
    return age, np.concatenate(features), SimpleNamespace(folds=folds)


@pytest.mark.parametrize("learnt", LEARNT, ids=lambda one: one.model)
def test_a_resampled_scan_is_taken_for_another_age_unless_the_model_has_seen_such(cases, learnt):
    age, features, parts = cases
    found = resampled.judge_all(features, age, parts, 0, learnt).outer.reshape(3, N)
    errors = np.abs(found - age).mean(axis=1)
    known = np.arange(3) < learnt.n_ways
    assert (errors[known] < 4).all() and (errors[~known] > 8).all()


def test_no_other_self_of_a_person_tested_is_learnt_from(cases):
    _, _, parts = cases
    for learnt in LEARNT:
        for fold in resampled.folds_of_all(parts.folds, N, learnt.n_ways):
            assert not set(fold.train % N) & set(fold.test % N)
            assert sorted(fold.test % N) == sorted([*fold.test[: len(fold.test) // 3]] * 3)
            assert len(fold.train) == learnt.n_ways * len(set(fold.train % N))
            for train, val in fold.inner:
                assert not set(train % N) & set(val % N)
                assert set(train) | set(val) == set(fold.train)


def test_predictions_of_scans_as_they_came_are_the_first_third(cases):
    age, features, parts = cases
    all_ways = resampled.judge_all(features, age, parts, 0)
    first = resampled.as_they_came(all_ways)
    assert np.array_equal(first.outer, all_ways.outer[:N]) and len(first.inner[0]) == N
    assert ALL_WAYS.n_ways == len(WAYS) == 1 + len(tissues.RESAMPLED)


def test_half_a_voxel_off_means_halfway_between_neighbours():
    ramp = np.broadcast_to(np.arange(SHAPE[0], dtype=float)[:, None, None], SHAPE)
    data, affine = half_voxel_off(ramp, grid_affine())
    assert data[10, 50, 40] == pytest.approx(10.5)
    assert on_grid(data, affine)[10, 50, 40] == pytest.approx(10)
    checked = np.indices(SHAPE).sum(axis=0) % 2.0
    assert half_voxel_off(checked, grid_affine())[0][10, 50, 40] == pytest.approx(0.5)


def test_a_head_that_lies_elsewhere_keeps_its_size_and_shape():
    drawn = [turned_and_moved(np.eye(4), np.random.default_rng(k)) for k in range(400)]
    for move in drawn[:5]:
        assert np.allclose(move[:3, :3] @ move[:3, :3].T, np.eye(3))
    assert np.std([move[:3, 3] for move in drawn]) == pytest.approx(8, rel=0.1)
    turned = [np.degrees(np.arccos((np.trace(move[:3, :3]) - 1) / 2)) for move in drawn]
    assert np.sqrt(np.mean(np.square(turned))) == pytest.approx(6 * np.sqrt(3), rel=0.1)


@pytest.mark.slow
def test_a_scan_is_turned_alike_each_time_and_comes_back_to_the_template():
    from fetal_phantoms.adult_brain.brain import make_adult_brain

    brain = make_adult_brain(3, 50.0, spacing_mm=4.0, space="mni")
    scan = AdultScan("sub-01", Volume(brain.t1, brain.affine, (4.0,) * 3), None)
    soft, back = tissues._resampled(scan)
    assert soft.shape == back.shape == SHAPE
    assert np.array_equal(back, tissues._resampled(scan)[1])
    assert not np.array_equal(back, tissues._resampled(replace(scan, subject="sub-02"))[1])
    came = on_grid(scan.volume.data, scan.volume.affine)
    rng = np.random.default_rng(1)
    away = turned_and_moved(scan.volume.affine, rng, turn_deg=12.0, shift_mm=15.0)
    assert in_mni_space(replace(scan.volume, affine=away))[2]
    assert np.corrcoef(came.ravel(), back.ravel())[0, 1] > 0.9
    lost = on_grid(scan.volume.data, away)
    assert np.corrcoef(came.ravel(), lost.ravel())[0, 1] < 0.8
