"""A split keeps examinations together and its parts alike."""

import numpy as np
import pytest

from fetal_lib.data.groups import hc18_examination
from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.data.splits.folds import k_folds, nested_folds
from fetal_lib.data.splits.shares import split_by_class, split_by_group

NAMES = ["010_HC.png", "010_2HC.png", "010_3HC.png", "011_HC.png", "392_HC.png", "392_2HC.png"]


@pytest.fixture
def heads():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), rng.integers(1, 4, 200)).astype(str)
    return groups, 60 + 1.3 * groups.astype(int) + rng.normal(0, 3, len(groups))


def test_repeat_frames_share_their_examination():
    assert [hc18_examination(n) for n in NAMES] == ["010", "010", "010", "011", "392", "392"]


def test_a_name_without_number_is_refused():
    with pytest.raises(ValueError, match="start with the examination's number"):
        hc18_examination("head.png")


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_torn_and_shares_are_kept(heads, seed):
    groups, label = heads
    part = split_by_group(groups, label, {"test": 0.2, "val": 0.1}, seed)
    assert_disjoint(groups, part)
    share = {p: len(set(groups[part == p])) / 200 for p in ("test", "val")}
    assert share == {"test": 0.2, "val": 0.1}


def test_parts_cover_the_same_range_of_sizes(heads):
    groups, label = heads
    part = split_by_group(groups, label, {"test": 0.2, "val": 0.1}, 0)
    means = [label[part == p].mean() for p in ("train", "val", "test")]
    assert np.ptp(means) < 0.1 * label.std()


def test_the_seed_decides(heads):
    a, b, c = (split_by_group(*heads, {"test": 0.2}, seed) for seed in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


@pytest.mark.parametrize("shares", [{"test": 1.0}, {"test": 0.0}, {"test": 0.6, "val": 0.5}])
def test_impossible_shares_are_refused(heads, shares):
    with pytest.raises(ValueError, match="shares"):
        split_by_group(*heads, shares)


def test_a_part_that_would_stay_empty_is_refused():
    with pytest.raises(ValueError, match="leave a part empty"):
        split_by_group(list("abc"), [1, 2, 3], {"test": 0.1})


@pytest.mark.parametrize("absent", [None, float("nan")])
def test_a_case_without_a_group_is_refused_and_not_taken_for_a_group_called_nan(absent):
    groups, label = ["a", absent, "b", "c"], [1.0, 2.0, 3.0, 4.0]
    for split in (
        lambda: split_by_group(groups, label, {"test": 0.3}),
        lambda: split_by_class(groups, list("xxyy"), {"test": 0.3}),
        lambda: k_folds(groups, label, 2),
        lambda: next(nested_folds(groups, label, 2, 2)),
    ):
        with pytest.raises(ValueError, match=r"groups: 1 case\(s\) have none, first at row 1"):
            split()


def test_a_torn_group_is_named():
    with pytest.raises(ValueError, match=r"1 group\(s\) .* \['a'\]"):
        assert_disjoint(["a", "a", "b"], ["train", "test", "test"])
