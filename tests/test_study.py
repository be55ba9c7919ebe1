"""A search over jobs: each trial draws from what the others found, a cut one goes on as it was."""

from __future__ import annotations

import json

import pandas as pd
import pytest

pytest.importorskip("optuna")

from made_up_project import call_cli, copy_project, write_project
from test_sweep import written

from fetal_book.runs.results import result_row, results_document
from fetal_book.runs.study import StudyError, drawn, open_study, parameters_of, settle
from fetal_book.runs.sweep import SweepError, read_sweep, sweep_table

SEARCH = """
chapter: 04
profile: smoke
parameters: {epochs: 2}
search:
  trials: 20
  score: {model: line, metric: adf_mm}
  ranges: {learning_rate: [0.00001, 0.1], base_filters: [4, 16]}
  log: [learning_rate]
  choices: {augment: [true, false]}
"""
FINISH = """run.data_fingerprint = 'made up'
error = abs(base_filters - 5) + (not augment)
run.add_result(model='line', split='val', metric='adf_mm', value=error, n=3)
run.finish()"""


def end(folder, case, value):
    """Write what a run of a case leaves."""
    (folder / case).mkdir()
    row = result_row(model="line", data="phantom", split="val", metric="adf_mm", value=value, n=9)
    (folder / case / "results.json").write_text(json.dumps(results_document("04", [row])))


def test_a_search_comes_nearer_though_each_trial_is_asked_by_a_process_of_its_own(tmp_path):
    sweep = read_sweep(written(tmp_path, SEARCH))
    errors = []
    for case in sweep.cases():
        tried = parameters_of(sweep.search, tmp_path, case.name)
        errors.append(abs(tried["base_filters"] - 5) + (not tried["augment"]))
        end(tmp_path, case.name, errors[-1])
    assert sum(errors[10:]) < sum(errors[:10]) and min(errors) <= 1
    table = sweep_table(sweep, tmp_path)
    assert table["mean"].tolist() == errors and table["trial"].iloc[3] == "trial-0003"


def test_a_trial_that_was_cut_has_the_parameters_that_it_had(tmp_path):
    search = read_sweep(written(tmp_path, SEARCH)).search
    tried = [parameters_of(search, tmp_path, f"trial-{n:04d}") for n in (0, 1, 0)]
    assert tried[0] == tried[2] != tried[1]
    study = open_study(search, tmp_path)
    end(tmp_path, "trial-0001", 0.5)
    for _ in range(2):  # as two jobs do
        settle(study, search, tmp_path)
    states = {case: trial.state.name for case, trial in drawn(study).items()}
    assert states == {"trial-0000": "RUNNING", "trial-0001": "COMPLETE"}


def test_a_run_without_the_row_of_the_score_is_named(tmp_path):
    text = SEARCH.replace("model: line", "model: unet")
    search = read_sweep(written(tmp_path, text)).search
    parameters_of(search, tmp_path, "trial-0000")
    end(tmp_path, "trial-0000", 0.5)
    with pytest.raises(StudyError, match="trial-0000 has 0 rows of unet, adf_mm, val; one is"):
        parameters_of(search, tmp_path, "trial-0001")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("learning_rate: [0.00001, 0.1]", "learning_rate: [-1, 0.1]", "learning_rate"),
        ("[4, 16]", "[16, 4]", "a range is"),
        ("adf_mm", "df_mm", "no better side"),
        ("  trials: 20", "  trials: 0", "trials"),
        ("search:", "seeds: [0, 1]\nsearch:", "one seed"),
        ("base_filters:", "base_filter:", "base_filters"),
        ("score: {", "score: {split: test, ", "split"),
    ],
)
def test_a_search_that_cannot_run_is_refused_with_the_reason(tmp_path, old, new, words):
    with pytest.raises(SweepError, match=words):
        read_sweep(written(tmp_path, SEARCH.replace(old, new)))


@pytest.mark.slow
def test_a_search_runs_to_its_table(tmp_path):
    project = write_project(copy_project(tmp_path / "project"), finish=FINISH)
    path = written(project, SEARCH.replace("trials: 20", "trials: 3"))
    code, output, errors = call_cli(project, "sweep", str(path), "--out", str(tmp_path / "out"))
    assert code == 0, output + errors
    table = pd.read_csv(tmp_path / "out" / "sweep.csv")
    assert len(table) == 3 and {"trial", "learning_rate", "base_filters", "mean"} <= set(table)
