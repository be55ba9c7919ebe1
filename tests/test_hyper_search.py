"""A search finds what is better, repeats, and goes on after a cut."""

import pytest
from made_up_fits import cut_after

pytest.importorskip("optuna")

from fetal_lib.training.hyper_search import best_trial, read_trials, search

SPACE = {"rate": ("log", 1e-4, 1e-1), "kind": ("choice", ["a", "b"])}


def objective(given):
    return -abs(given["rate"] - 0.01) - (given["kind"] == "a")


def test_the_best_trial_is_kept_and_the_first_is_the_given_one(tmp_path):
    first = {"rate": 0.05, "kind": "a"}
    search(tmp_path, objective, SPACE, 12, seed=1, first=first)
    trials = read_trials(tmp_path)
    assert trials[0]["parameters"] == first and len(trials) == 12
    assert best_trial(trials)["kind"] == "b"
    assert all(1e-4 <= t["parameters"]["rate"] <= 1e-1 for t in trials)


def test_a_cut_search_ends_like_an_uncut_one(tmp_path):
    search(tmp_path / "whole", objective, SPACE, 8, seed=3)

    with cut_after(5, "trial") as cut:
        search(tmp_path / "cut", objective, SPACE, 8, seed=3, progress=cut)
    assert len(read_trials(tmp_path / "cut")) == 5
    search(tmp_path / "cut", objective, SPACE, 8, seed=3)
    whole, again = (read_trials(tmp_path / name) for name in ("whole", "cut"))
    assert [t["parameters"] for t in whole] == [t["parameters"] for t in again]


def test_no_trials_choose_nothing(tmp_path):
    search(tmp_path, objective, SPACE, 0)
    assert best_trial(read_trials(tmp_path)) == {}


def test_an_unknown_kind_of_range_is_refused(tmp_path):
    with pytest.raises(ValueError, match="use log, float or choice"):
        search(tmp_path, objective, {"n": ("int", 1, 3)}, 1)
