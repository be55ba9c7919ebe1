"""Splits and folds of every kind keep groups whole, whatever the groups and labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetal_lib.data.groups import anomaly_case, hc18_examination, planes_patient, source_stem
from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.data.splits.folds import k_folds, nested_folds
from fetal_lib.data.splits.shares import split_by_class, split_by_group

REAL_NAMES = {
    hc18_examination: [f"{n:03d}_{k}HC.png" for n in range(40) for k in ["", 2, 3, 4][: 1 + n % 4]],
    source_stem: [
        f"Copy-of-colphocephaly_{20 + n}{c}_aug_{k}_png_jpg.rf.{n:016x}{k}{c}.jpg"
        for n in range(15)
        for c in "abc"
        for k in range(1 + n % 3)
    ],
    anomaly_case: [
        f"{kind}{sep}{n}{c}_png.rf.{n:032x}.jpg"
        for kind in ("polencephaly", "encephalocele-4-", "Patient007")
        for n in range(15, 30)
        for c, sep in (("a", "-"), ("b", ""), ("c", "_"))
        if kind != "Patient007"
    ]
    + [f"Patient{n:05d}_Plane{k}_1_of_2.png" for n in range(700, 730) for k in (2, 3)],
    planes_patient: [f"Patient{n:05d}_Plane{k}.png" for n in range(40) for k in range(1 + n % 3)],
}


def torn(groups, part):
    return sum(len(set(np.asarray(part)[np.asarray(groups) == g])) > 1 for g in set(groups))


@st.composite
def cases(draw):
    """Draw groups of one to five cases, with classes or numbers that may differ in a group."""
    n_groups = draw(st.integers(12, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 6, n_groups)).astype(str)
    n_classes = draw(st.integers(1, 5))
    kinds = rng.integers(0, n_classes, n_groups)
    label = kinds[groups.astype(int)]
    if draw(st.booleans()):
        label = np.where(rng.random(len(label)) < 0.2, rng.permutation(label), label)
    if draw(st.booleans()):
        label = label + rng.normal(0, 1, len(label))
    order = rng.permutation(len(groups))
    return groups[order], label[order], draw(st.integers(0, 10**6))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_split_tears_a_group_and_all_cases_are_dealt(drawn):
    groups, label, seed = drawn
    for split in (split_by_group, split_by_class):
        part = split(groups, label, {"test": 0.2, "val": 0.15}, seed)
        assert torn(groups, part) == 0
        assert set(part) == {"train", "val", "test"}
        n = len(set(groups))
        assert len(set(groups[part == "test"])) == round(0.2 * n)


@settings(max_examples=20, deadline=None)
@given(cases(), st.integers(2, 5), st.integers(2, 4))
def test_nested_folds_test_each_case_once_and_choose_on_training_cases_only(drawn, outer, inner):
    groups, label, seed = drawn
    tested = []
    for fold in nested_folds(groups, label, outer, inner, seed):
        tested.extend(fold.test)
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert sorted([*fold.train, *fold.test]) == list(range(len(groups)))
        chosen = []
        for train, val in fold.inner:
            chosen.extend(val)
            assert not set(groups[train]) & set(groups[val])
            assert sorted([*train, *val]) == sorted(fold.train)
        assert sorted(chosen) == sorted(fold.train)
    assert sorted(tested) == list(range(len(groups)))


@pytest.mark.parametrize("rule", REAL_NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_real_names_never_stand_on_two_sides(rule, seed):
    names = REAL_NAMES[rule]
    groups = list(map(rule, names))
    assert len(set(groups)) < len(names)
    rng = np.random.default_rng(seed)
    number, kind = rng.normal(size=len(names)), rng.choice(list("abc"), len(names))
    for part in (
        split_by_group(groups, number, {"test": 0.2}, seed),
        split_by_class(groups, kind, {"test": 0.2, "val": 0.1}, seed),
        k_folds(groups, number, 5, seed),
        k_folds(groups, kind, 5, seed),
    ):
        assert_disjoint(groups, part)
        by_name = dict(zip(names, part, strict=True))
        assert all(by_name[a] == by_name[b] for a, b in _siblings(names, groups))


def _siblings(names, groups):
    first = {}
    return [(first.setdefault(g, n), n) for n, g in zip(names, groups, strict=True)]


def test_classes_are_dealt_in_proportion():
    groups = np.arange(400)
    label = np.repeat(["a", "b", "c"], [280, 100, 20])
    part = split_by_class(groups, label, {"test": 0.2, "val": 0.1}, seed=3)
    for kind, n in (("a", 280), ("b", 100), ("c", 20)):
        assert (part[label == kind] == "test").sum() == pytest.approx(0.2 * n, abs=1)
        assert (part[label == kind] == "val").sum() == pytest.approx(0.1 * n, abs=1)


@pytest.mark.parametrize("seed", range(10))
def test_a_rare_class_keeps_a_group_for_training(seed):
    label = ["common"] * 27 + ["rare"] * 3 + ["single"]
    part = split_by_class(range(31), label, {"test": 0.34, "val": 0.3}, seed)
    assert part[30] == "train"
    assert "train" in set(part[27:30])


@pytest.mark.parametrize("label", [np.linspace(0, 1, 100), np.repeat(list("ab"), 50)])
def test_folds_are_alike_in_their_labels(label):
    fold = k_folds(np.arange(100), label, 5, seed=1)
    assert np.bincount(fold).tolist() == [20] * 5
    value = label if label.dtype.kind == "f" else label == "a"
    assert np.ptp([value[fold == k].mean() for k in range(5)]) < 0.05


def test_a_split_depends_on_its_seed_and_on_nothing_else():
    groups, label = np.arange(60) // 2, np.repeat(list("abc"), 20)
    a, b, c = (split_by_class(groups, label, {"test": 0.3}, s) for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()
    a, b, c = (k_folds(groups, label, 3, s) for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()
    a, b, c = (list(nested_folds(groups, label, 3, 2, s)) for s in (1, 1, 2))
    first = [[fold.inner[0][1].tolist() for fold in folds] for folds in (a, b, c)]
    assert first[0] == first[1] != first[2]


def test_more_folds_than_groups_are_refused():
    with pytest.raises(ValueError, match="received 5 for 2 groups"):
        k_folds(list("aabb"), [1.0, 2, 3, 4], 5)


@pytest.mark.parametrize("label", [[1.0, float("nan")], np.array(["x", None], object)])
def test_a_missing_label_is_refused(label):
    with pytest.raises(ValueError, match="label: 1 case.* have none, first at row 1"):
        k_folds(["a", "b"], label, 2)


def test_train_is_the_rest_and_gets_no_share():
    with pytest.raises(ValueError, match="train gets the rest"):
        split_by_class(list("abcd"), list("xxyy"), {"train": 0.5})
