"""What the sources' protocols score has an interval over subjects, as the honest numbers have."""

from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from test_book import ROW, write_run
from test_chapter_02 import some_cases

from fetal_book.chapters.brain_anomalies.source import PROTOCOLS, add_differences, score_at_mix
from fetal_book.chapters.head_circumference.source import (
    SourceProtocol,
    add_accuracies,
    pixel_accuracy,
)
from fetal_book.site.claims_page import write_claims
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.training.source_003 import background_accuracy, source_targets

RNG = np.random.default_rng(0)


def made_up_run(seed=3):
    """Return a run that keeps its rows, and has a seed and nothing else."""
    rows = []
    parameters = SimpleNamespace(seed=seed)
    run = SimpleNamespace(add_result=lambda **row: rows.append(row), parameters=parameters)
    run.differences = {}

    def add_difference(flawed, honest, metric, value, ci95, subjects, **facts):
        run.differences[flawed, honest, metric] = value, ci95, subjects
        run.facts = facts

    run.add_difference = add_difference
    return run, rows


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_copies_of_a_patient_s_image_do_not_narrow_the_interval(protocol):
    cases = some_cases().select(np.arange(0, 320, 2))  # one image a patient
    pred = np.where(RNG.random(160) < 0.3, 0, cases.labels)
    copied = cases.select(np.repeat(np.arange(160), 3))
    mix = np.bincount(cases.labels, minlength=16)
    once = score_at_mix(cases, pred, mix, *PROTOCOLS[protocol], seed=3)
    thrice = score_at_mix(copied, np.repeat(pred, 3), mix, *PROTOCOLS[protocol], seed=3)
    for few, many in zip(once, thrice, strict=True):
        assert (few["model"], few["split"]) == PROTOCOLS[protocol]
        assert (few["n"], many["n"]) == (160, 480)
        assert few["ci95"][0] < few["value"] < few["ci95"][1]
        assert many["value"] == pytest.approx(few["value"])
        assert many["ci95"] == pytest.approx(few["ci95"])
    assert once[0]["value"] == pytest.approx(np.mean(pred == cases.labels))


def test_what_copies_add_is_told_with_an_interval_over_patients():
    cases = some_cases().select(np.arange(0, 320, 2))  # one image a patient
    right = cases.labels
    half = np.where(RNG.random(160) < 0.5, 0, right)
    leaking, *others = PROTOCOLS
    run, _ = made_up_run()
    mix = np.bincount(cases.labels, minlength=16)
    answers = {leaking: (cases, right)} | {name: (cases, half) for name in others}
    add_differences(run, answers, mix)
    assert len(run.differences) == len(others)
    for value, (low, high), patients in run.differences.values():
        assert 0 < low < value < high and patients == 160
    again, _ = made_up_run()
    copied = cases.select(np.repeat(np.arange(160), 3))
    answers = {leaking: (copied, np.repeat(right, 3))}
    answers |= {name: (copied, np.repeat(half, 3)) for name in others}
    add_differences(again, answers, mix)
    for pair, (value, ci95, patients) in again.differences.items():
        assert (value, ci95, patients) == (
            pytest.approx(run.differences[pair][0]), pytest.approx(run.differences[pair][1]), 160
        )  # fmt: skip


def rings(n=24, side=12):
    """Return outlines with greys, as resizing leaves them, and what a network makes of them."""
    ring = np.zeros((n, side, side), np.uint8)
    for i, row in enumerate(RNG.integers(1, side - 1, n)):
        ring[i, row, : 4 + i % 8] = 255
        ring[i, row - 1, : i % 5] = 60
    return ring, np.clip(ring / 255 * 0.8 + RNG.normal(0.2, 0.2, ring.shape), 0, 1)


def test_accuracy_of_an_image_is_keras_binary_accuracy():
    keras = pytest.importorskip("keras")
    masks, probs = rings()
    targets = source_targets(masks)
    metric = keras.metrics.BinaryAccuracy()
    metric.update_state(targets[..., None], probs[..., None])
    found = pixel_accuracy(targets, probs)
    assert found.shape == (24,) and found.mean() == pytest.approx(float(metric.result()))
    nothing = pixel_accuracy(targets, np.zeros_like(probs))
    np.testing.assert_allclose(nothing, [background_accuracy(target) for target in targets])


@pytest.mark.parametrize("luck", [0.0, 0.05])
def test_accuracy_has_an_interval_over_examinations_and_the_luck_of_training(luck):
    masks, probs = rings()
    targets = source_targets(masks)
    both = [pixel_accuracy(targets, some) for some in (probs, np.zeros_like(probs))]
    run, rows = made_up_run()
    run.parameters.source_epochs = 6
    once, nothing = (np.tile(values, 2) for values in both)  # mirror images: no more examinations
    examinations = np.tile(np.arange(24), 2)
    trained = once[:, None] + np.array([-luck, 0, luck])
    protocol = SourceProtocol(0.5, [], [0.5] * 3, examinations, trained, nothing)
    table = add_accuracies(run, protocol)
    assert [row["model"] for row in rows] == ["unet_source_protocol", "empty_mask"]
    for row, values in zip(rows, both, strict=True):
        assert (row["split"], row["metric"], row["n"]) == ("protocol", "accuracy", 48)
        assert row["value"] == pytest.approx(values.mean())
        low, high = row["ci95"]
        assert low < row["value"] < high
        expected = f"{row['value']:.4f} ({low:.4f} to {high:.4f})"
        assert table.loc[row["model"], "accuracy"] == expected
    cases = bootstrap_ci(both[0], seed=3)
    width = np.diff(rows[0]["ci95"])[0]
    assert (
        width > 1.1 * np.diff(cases)[0]
        if luck
        else width == pytest.approx(np.diff(cases)[0], rel=0.1)
    )
    value, interval, subjects = run.differences["unet_source_protocol", "empty_mask", "accuracy"]
    assert value == pytest.approx((both[0] - both[1]).mean()) and subjects == 24
    assert interval[0] < value < interval[1]
    assert run.facts == {"trainings": 3, "epochs": 6, "exposed": 0.5}


def test_an_age_is_scored_like_the_honest_rows():
    pytest.importorskip("torch")
    from fetal_book.chapters.age_scores import age_rows
    from fetal_book.chapters.brain_age.source import METRICS, score_ages

    age = RNG.uniform(18, 90, 40)
    pred = age + RNG.normal(0, 8, 40)
    honest = {row["metric"]: row for row in age_rows(age, pred, "years", "some", seed=3)}
    for name, metric in METRICS.items():
        score = score_ages(age, pred, metric, seed=3)
        assert score.value == honest[name]["value"]
        assert (score.low, score.high) == honest[name]["ci95"]


def test_the_luckiest_split_keeps_the_interval_of_its_own_errors():
    pytest.importorskip("torch")
    from fetal_book.chapters.brain_age.source import best_of_many, score_ages
    from fetal_lib.metrics.regression import mae

    age = RNG.uniform(18, 90, 31)
    features = np.column_stack([age + RNG.normal(0, 10, 31), RNG.normal(size=31)])
    run, rows = made_up_run()
    tested = np.arange(31) > 0
    found = best_of_many(
        run, age, features, SimpleNamespace(tested=tested, person=np.arange(len(age)))
    )
    assert found["n"] == 50
    assert found["best"].value < found["mean"].value < found["worst"].value
    for row in rows:
        score = found[row["model"].removeprefix("linear_two_fold_")]
        assert row["n"] == 30 and row["value"] == score.value
        assert row["ci95"] == (score.low, score.high)
        assert score.low < score.value < score.high
    value, interval, subjects = run.differences[
        "linear_two_fold_best", "linear_two_fold_mean", "mae_years"
    ]
    assert value == pytest.approx(found["best"].value - found["mean"].value) and subjects == 30
    assert interval[0] < value < interval[1]
    shift = score_ages(np.zeros(30), np.full(30, 2.0), mae)
    assert (shift.value, shift.low, shift.high) == (2, 2, 2)


@pytest.mark.parametrize("training_mode", [False, True])
def test_the_error_of_each_watched_case_is_kept_each_epoch_and_over_a_cut(tmp_path, training_mode):
    pytest.importorskip("torch")
    from dataclasses import replace

    from made_up_fits import cut_after
    from test_torch_fit import SETTINGS, line, tiny

    from fetal_lib.training.history import read_history
    from fetal_lib.training.torch_arrays import Arrays
    from fetal_lib.training.torch_fit import fit_torch
    from fetal_lib.training.torch_forward import predict_network
    from fetal_lib.training.watched_errors import WatchedSquaredError, read_watched, watched_file

    x, y = line()
    watched = x[:13], y[:13]
    settings = replace(SETTINGS, ema=0.0, validate_in_training_mode=training_mode)

    def fit(folder, progress=lambda event, **fields: None):
        network, loss = tiny(), WatchedSquaredError(folder, 13)
        fit_torch(folder, network, Arrays(x[13:], y[13:], settings, loss, watched), progress)
        return network

    network = fit(tmp_path / "whole")
    with cut_after(3) as cut:
        fit(tmp_path / "cut", cut)
    np.save(watched_file(tmp_path / "cut", 4), np.zeros(13))  # cut before its checkpoint
    fit(tmp_path / "cut")
    errors = read_watched(tmp_path / "whole")
    losses = [row["val_loss"] for row in read_history(tmp_path / "whole")]
    assert errors.shape == (6, 13)
    np.testing.assert_allclose(errors.mean(axis=1), losses, rtol=1e-5)
    np.testing.assert_allclose(read_watched(tmp_path / "cut"), errors, rtol=1e-4)
    last = (predict_network(network, watched[0]) - watched[1])[:, 0] ** 2
    assert np.allclose(errors[-1], last, rtol=1e-4) is not training_mode


def accuracy_row(model, value, ci95):
    known = {"model": model, "split": "protocol", "metric": "accuracy"}
    return ROW | known | {"value": value, "ci95": ci95}


def test_pages_show_runs_with_and_without_intervals_and_the_floor_where_a_run_has_it(tmp_path):
    from test_claims import SOURCE, millimetres

    book = tmp_path / "book"
    shown = tmp_path / "runs" / "book" / "04_head_circumference"
    new = [accuracy_row("unet", 0.982, [0.981, 0.983])]
    new.append(accuracy_row("empty_mask", 0.979, [0.978, 0.980]))
    write_run(shown, *new, millimetres("old", "protocol", 3.0, ci95=[2.5, 3.5]))
    published = book / "published" / "04_head_circumference" / "hc18-quick"
    old = accuracy_row("unet", 0.976, None) | {"data": "hc18"}
    write_run(published, old, data="hc18")
    floor = {"flaw": "Empty pixels", "metric": "accuracy", "flawed": "unet", "honest": "empty_mask"}
    source = SOURCE | {"flaws": [floor | {"honest_split": "protocol", "floor": "finding nothing"}]}
    claim = SOURCE["claims"][0]
    answers = [{"model": m, "metric": "accuracy"} for m in ("unet", "empty_mask")]
    source |= {"claims": [claim | {"protocol": answers}]}
    (book / "sources.yml").write_text(yaml.safe_dump([source]), encoding="utf-8")
    write_claims(tmp_path, ["04_head_circumference"])
    generated = book / "generated"
    ladder = (generated / "leak_ladder.md").read_text("utf-8")
    scores = "| 0.982 (0.981 to 0.983) | 0.979 (0.978 to 0.980), finding nothing |"
    change = "| 0.003 better than finding nothing |"
    assert ladder.count(f"| 003: Empty pixels (`accuracy`) {change[:-2]} {scores}") == 1
    assert ladder.count("0.982 (0.981 to 0.983)") == 1  # each number of the ladder is told once
    assert "hc18" not in ladder  # that run lacks what finding nothing gets
    page = (generated / "against_sources.md").read_text("utf-8")
    assert "unet, `accuracy` 0.982 (0.981 to 0.983, n 9), " in page
    assert "empty mask, `accuracy` 0.979 (0.978 to 0.980, n 9), " in page
    assert "unet, `accuracy` 0.976 (n 9), {ref}`run hc18-quick" in page
