"""Parts, crops and checks of chapter 05 that need no training."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from fetal_book.chapters.age_scores import age_rows
from fetal_book.chapters.brain_age.data import leak_audit, split_subjects
from fetal_book.chapters.brain_age.explain import SHARES, _deletion
from fetal_book.chapters.brain_age.impaired import Comparison, _row, group_table
from fetal_book.chapters.brain_age.report import gap_table, paired_text
from fetal_book.chapters.brain_age.segmenter import _span, segment
from fetal_book.chapters.brain_age.source import best_on_test, source_design
from fetal_book.chapters.brain_age.volumes import absolute_volumes
from fetal_book.parameters.brain_age import BrainAgeParameters
from fetal_lib.baselines.age_regression import NestedPrediction
from fetal_lib.plots.brain_age import age_sex_histograms, predicted_against_true
from fetal_lib.training.volume_augment import crop_augment, shift_augment

RNG = np.random.default_rng(0)


def people(n=60):
    ages = RNG.uniform(18, 90, n)
    frame = pd.DataFrame({"subject": [f"sub-{i:03d}" for i in range(n)], "age_years": ages})
    return frame.assign(sex=RNG.choice(["F", "M"], n), etiv_ml=RNG.normal(1500, 100, n))


def test_those_who_teach_are_never_tested_and_all_others_once():
    parameters = BrainAgeParameters(n_segmentation=10, n_folds=4)
    parts = split_subjects(people(), parameters)
    tested = np.concatenate([fold.test for fold in parts.folds])
    assert sorted(tested) == np.flatnonzero(~parts.teaches).tolist()
    for fold in parts.folds:
        assert set(np.flatnonzero(parts.teaches)) <= set(fold.train)
        assert not set(fold.test) & set(fold.train)
        for train, val in fold.inner:
            assert not set(train) & set(val) and set(train) | set(val) == set(fold.train)
            assert not parts.teaches[val].any()


def test_scans_of_one_person_stay_together():
    table = people()
    table["subject"] = table["subject"].where(table.index % 2 == 0, table["subject"].shift())
    parts = split_subjects(table, BrainAgeParameters(n_segmentation=4, n_folds=3))
    assert table.assign(fold=parts.fold).groupby("subject")["fold"].nunique().max() == 1


def test_too_few_people_are_refused_with_the_numbers():
    with pytest.raises(ValueError, match="12 subjects can be used.*need 36"):
        split_subjects(people(12), BrainAgeParameters(n_segmentation=16))


def test_the_audit_finds_a_scan_on_two_sides():
    table = people()
    parts = split_subjects(table, BrainAgeParameters(n_segmentation=4, n_folds=3))
    features = RNG.normal(size=(60, 50))
    a, b = parts.folds[0].test[0], parts.folds[1].test[0]
    before = leak_audit(table, parts, features).set_index("check")["finding"]
    features[b] = features[a]
    after = leak_audit(table, parts, features).set_index("check")["finding"]
    name = "scan pairs in two parts that correlate above 0.98"
    assert before[name] == 0 and after[name] == 1


def test_the_box_holds_the_brain_and_can_be_pooled():
    values = np.zeros((96, 96, 96))
    values[10:82, 2:93, 20:90] = 1
    box = [_span(values, axis) for axis in range(3)]
    assert [s.stop - s.start for s in box] == [80, 96, 80]
    assert values[tuple(box)].sum() == values.sum()


def test_a_network_sees_the_box_and_the_rest_is_background():
    import torch

    class White(torch.nn.Module):
        def forward(self, x):
            out = torch.zeros(len(x), 4, *x.shape[2:])
            out[:, 3] = 1
            return out

    values = np.zeros((32, 32, 32), np.float32)
    values[2:10, 2:10, 2:10] = 1
    labels = segment(White(), values)
    assert (labels == 3).sum() == 16**3 and labels[31, 31, 31] == 0


def test_crops_cut_scan_and_labels_alike_and_keep_the_outside_at_0():
    labels = RNG.integers(0, 4, (2, 24, 24, 24))
    scans = labels[:, None].astype(np.float32)
    x, y = crop_augment(16, gain=0.0, noise=0.0)(scans, labels, np.random.default_rng(1))
    assert x.shape == (2, 1, 16, 16, 16)
    np.testing.assert_array_equal(x[:, 0], y)
    x, y = crop_augment(0)(scans, labels, np.random.default_rng(1))
    assert x.shape == scans.shape and not x[:, 0][y == 0].any()


def test_shifts_keep_the_targets_and_come_from_the_generator():
    x, y = RNG.random((3, 1, 8, 8, 8)).astype(np.float32), np.ones((3, 1), np.float32)
    one = shift_augment()(x, y, np.random.default_rng(3))
    two = shift_augment()(x, y, np.random.default_rng(3))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], y)


def test_hiding_what_counts_moves_the_answer_first():
    images = np.ones((2, 1, 8, 8, 8), np.float32)
    counts = np.zeros((8, 8, 8))
    counts[:2, :2, :2] = 1
    curves = _deletion(
        lambda x: (x[:, 0] * counts).sum(axis=(1, 2, 3)),
        images,
        np.ones((8, 8, 8), bool),
        {"right": counts, "wrong": -counts},
        0,
    )
    assert len(curves["right"]) == len(SHARES)
    assert curves["right"][1] == 8 and curves["wrong"][-1] == 0


def test_absolute_volumes_have_the_size_of_the_head_where_it_is_known():
    volumes = np.array([[400.0, 800.0, 800.0], [500.0, 750.0, 750.0]])
    own = absolute_volumes(volumes, np.array([1000.0, 3000.0]))
    assert own.tolist() == [[200, 400, 400], [750, 1125, 1125]]
    np.testing.assert_array_equal(absolute_volumes(volumes, np.array([1000.0, np.nan])), volumes)


def test_the_cubic_of_three_shares_that_sum_to_one_has_half_its_rank():
    shares = RNG.dirichlet([2, 5, 4], 80)
    assert source_design(shares) == (20, 10)
    assert source_design(RNG.random((80, 3))) == (20, 20)


def test_the_best_on_the_test_part_is_no_worse_than_the_one_chosen_inside():
    table = people()
    age = table["age_years"].to_numpy()
    parts = split_subjects(table, BrainAgeParameters(n_segmentation=4, n_folds=3))
    added, differences = [], []
    run = SimpleNamespace(
        add_result=lambda **row: added.append(row),
        add_difference=lambda *row, **_: differences.append(row),
        parameters=SimpleNamespace(seed=0),
    )
    lucky, good = age + np.sign(RNG.normal(size=60)), age + 2
    inner_bad, inner_good = ([guess] * 3 for guess in (age + 9, age + 1))
    predictions = {
        "lucky": NestedPrediction(lucky, tuple(inner_bad), ({},) * 3),
        "good": NestedPrediction(good, tuple(inner_good), ({},) * 3),
        "network": NestedPrediction(age, tuple(inner_good)),
    }
    found = best_on_test(run, predictions, age, parts)
    assert (found["n"], found["model"]) == (2, "lucky")
    best, chosen = found["best"], found["chosen"]
    assert best.value == pytest.approx(1) and chosen.value == pytest.approx(2)
    assert [row["value"] for row in added] == [best.value, chosen.value]
    assert [row["ci95"] for row in added] == [(s.low, s.high) for s in (best, chosen)]
    assert differences[0][:3] == ("model_best", "model_chosen", "mae_years")
    assert differences[0][3] == pytest.approx(best.value - chosen.value)


def test_models_are_compared_with_the_line_on_the_same_subjects():
    age = np.linspace(20, 80, 30)
    run = SimpleNamespace(parameters=SimpleNamespace(seed=0))
    answers = {"line": age + 2, "worse": age + 5, "same": age + np.tile([1.0, 3.0], 15)}
    answers["better"] = age + 1
    lines = paired_text(run, age, answers, "line").splitlines()
    assert lines[0].startswith("Beside `line` (2.00 years)")
    assert "`worse` errs by **3.00 years more**" in lines[2] and "holds 0" not in lines[2]
    assert lines[3].endswith(", which holds 0)") and len(lines) == 5
    assert lines[4].startswith("- `better` errs by **1.00 years less**")


def test_intervals_draw_persons_where_a_person_has_several_scans():
    twice = pd.concat([people(30)] * 2, ignore_index=True)
    parts = split_subjects(twice, BrainAgeParameters(n_segmentation=4, n_folds=3))
    age = twice["age_years"].to_numpy()
    pred = age + np.tile(np.random.default_rng(1).normal(0, 5, 30), 2)
    some = age_rows(age[:30], pred[:30], "years", "once")[0]
    both = age_rows(age, pred, "years", "twice", groups=parts.person)[0]
    naive = age_rows(age, pred, "years", "twice")[0]
    assert both["ci95"] == pytest.approx(some["ci95"])  # a copy of a scan is no new evidence
    assert np.ptp(naive["ci95"]) < 0.85 * np.ptp(both["ci95"])
    alone = age_rows(age[:30], pred[:30], "years", "once", groups=parts.person[:30])[0]
    assert alone == some


def test_the_gap_of_the_mean_predictor_has_no_correlation_with_age():
    table = people()
    age = table["age_years"].to_numpy()
    parts = split_subjects(table, BrainAgeParameters(n_segmentation=4, n_folds=3))
    first = pd.DataFrame({"prediction": ["as predicted"]})
    row = gap_table(age, first, parts).iloc[1]
    assert row["MAE (y)"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(row["correlation of gap and age"])


def test_a_prediction_beyond_the_frame_is_marked_at_its_edge():
    import matplotlib.pyplot as plt

    age = np.linspace(20, 80, 400)
    figure = predicted_against_true(age, {"wild": np.where(np.arange(400) == 7, -900.0, age)})
    edge = figure.axes[0].collections[1].get_offsets()
    assert edge.tolist() == [[age[7], figure.axes[0].get_ylim()[0]]]
    plt.close(figure)


def test_subjects_of_unknown_sex_are_counted():
    import matplotlib.pyplot as plt

    figure = age_sex_histograms(np.array([20.0, 30.0, 40.0]), np.array(["F", "", ""]))
    left, right = figure.axes
    assert [t.get_text() for t in right.get_xticklabels()] == ["women", "unknown"]
    assert [bar.get_height() for bar in right.patches] == [1, 2]
    plt.close(figure)


def test_the_corrected_gap_of_a_person_falls_by_a_year_for_each_year_of_age():
    """So the person's own age is in no part of the correction but the final difference."""
    people = [pd.Series({"age_years": age, "sex": "F", "nwbv": 0.7}) for age in (70.0, 80.0)]
    young, old = (_row(0, person, 75.0, (0.8, 10.0)) for person in people)
    assert young["gap_corrected"] == pytest.approx((75 - 10) / 0.8 - 70)
    assert young["gap_corrected"] - old["gap_corrected"] == pytest.approx(10)


def test_a_score_that_parts_the_groups_has_an_area_of_one_and_is_written():
    n = 12
    cdr = np.tile([0.5, 0.0], n)
    table = pd.DataFrame(
        {"pair": np.repeat(np.arange(n), 2), "cdr": cdr, "mmse": 25 + RNG.random(2 * n)}
    )
    table = table.assign(gap=cdr, gap_corrected=-cdr, nwbv=RNG.normal(size=2 * n))
    rows = []
    run = SimpleNamespace(
        parameters=BrainAgeParameters(external_data="elsewhere"),
        add_result=lambda **row: rows.append(row),
    )
    scored, bands = group_table(run, Comparison(table, 0, 0))
    assert [row["value"] for row in rows][:2] == [1.0, 0.0] and len(bands) == len(scored) == 3
    assert {row["split"] for row in rows} == {"external"}
