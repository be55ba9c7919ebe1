"""Chapter 02 from parameters to results, and the flaws of its source re-enacted."""

import subprocess
import sys

import numpy as np
import pytest
from chapter_checks import (
    ROOT,
    check_that_a_second_run_repeats,
    figures_without_words,
    protocol_rows_without_interval,
    rows_of,
    status_of,
)

BASELINES = ("commonest_class", "grey_histogram", "border_only", "edges_logistic")
NETWORKS = ("cnn", "separable_cnn", "xception")


@pytest.mark.slow
def test_the_wiring_ends_in_results_tables_figures_and_a_model(smoke):
    _, out = smoke
    rows = {(r["model"], r["metric"]): r for r in rows_of(out) if r["split"] == "test"}
    for model in (*BASELINES, *NETWORKS):
        for metric in ("macro_f1", "accuracy", "auc_macro", "auc_micro", "ece"):
            row = rows[model, metric]
            assert row["ci95"][0] <= row["value"] <= row["ci95"][1] or metric == "ece"
    assert len([r for r in rows_of(out) if r["metric"] == "coverage"]) == 1
    assert (out / "galleries" / "scans.html").is_file()
    assert figures_without_words(out) == []
    assert protocol_rows_without_interval(out) == []
    files = {p.name for p in (out / "model").iterdir()}
    assert files == {"card.md", "model.json", "weights.npz", "distance.npz"}
    assert status_of(out) == "ok"


@pytest.mark.slow
def test_the_scale_bar_is_shown_and_hidden(smoke):
    import pandas as pd

    _, out = smoke
    table = pd.read_csv(out / "tables" / "ruler.csv")
    assert set(table["network"]) == set(NETWORKS)
    assert set(table["scale bar"]) == {"shown", "hidden"}
    rows = {(r["model"], r["metric"]): r for r in rows_of(out) if r["split"] == "test"}
    for row in table[table["scale bar"] == "shown"].itertuples():
        assert row.macro_f1 == pytest.approx(rows[row.network, "macro_f1"]["value"], abs=1e-6)


@pytest.mark.parametrize("by_hand", [True, False])
def test_the_page_opens_in_the_notebook_unless_a_run_executes_it(by_hand, monkeypatch, tmp_path):
    import os
    from types import SimpleNamespace

    import fetal_book.app
    from fetal_book.runs.start import FOLDER_VARIABLE

    source = (ROOT / "notebooks" / "02_brain_anomalies.py").read_text()
    (cell,) = [c for c in source.split("\n# %%") if "from fetal_book.app import" in c]
    opened = []
    monkeypatch.setattr(fetal_book.app, "build", lambda anomaly: ("page", anomaly))
    monkeypatch.setattr(fetal_book.app, "launch", lambda page, **options: opened.append(page))
    if by_hand:
        monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    given = {"os": os, "p": SimpleNamespace(save_model=True)}
    exec(cell, given | {"run": SimpleNamespace(folder=tmp_path)})
    assert opened == ([("page", tmp_path)] if by_hand else [])


@pytest.mark.slow
def test_all_models_see_the_same_test_images_and_patients_stay_together(smoke):
    import pandas as pd

    _, out = smoke
    split = pd.read_csv(out / "tables" / "split.csv", dtype=str)
    assert split.groupby("subject")["part"].nunique().max() == 1
    kept = [r for r in rows_of(out) if r["metric"] == "macro_f1" and r["split"] == "test"]
    counts = {r["n"] for r in kept}
    assert counts == {int((split["part"] == "test").sum())}


@pytest.mark.slow
def test_the_saved_model_answers_on_a_folder(smoke, tmp_path):
    import csv

    cv2 = pytest.importorskip("cv2")
    from fetal_phantoms.anomalies.phantom import make_anomaly

    _, out = smoke
    for seed in range(3):
        cv2.imwrite(str(tmp_path / f"scan{seed}.png"), make_anomaly(seed, "normal").image)
    table = tmp_path / "answers.csv"
    command = [sys.executable, "-m", "fetal_book", "predict", "anomaly", str(tmp_path)]
    done = subprocess.run(
        [*command, "--model", str(out), "--out", str(table)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode in (0, 3), done.stderr[-2000:]
    with table.open() as file:
        rows = list(csv.DictReader(file))
    answered = sum(row["status"] == "answered" for row in rows)
    assert len(rows) == 3 and (done.returncode == 0) == (answered > 0)
    assert all(row["label"] and row["interval_level"] for row in rows)  # seen by the network


@pytest.mark.slow
def test_a_second_run_reuses_its_fits_and_trains_the_same_where_they_are_gone(smoke):
    check_that_a_second_run_repeats("02", *smoke)


def some_cases(n_patients=160, side=24):
    import pandas as pd

    from fetal_book.chapters.brain_anomalies.data import LABELS, Cases

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_patients) % 16, 2)
    images = rng.integers(0, 255, (len(labels), side, side), dtype=np.uint8)
    groups = np.repeat([f"p{i}" for i in range(n_patients)], 2)
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(len(labels))], "subject": groups})
    table["label"] = [LABELS[k] for k in labels]
    return Cases(table, images, labels, groups, None, 1.0)


def test_a_gallery_has_the_surest_wrong_answers_first_and_says_what_each_was_called():
    from fetal_book.chapters.brain_anomalies.case_tiles import answer_tiles

    cases = some_cases(32)
    probs = np.full((len(cases), 16), 0.02)
    called = np.where(np.arange(len(cases)) < 20, (cases.labels + 1) % 16, cases.labels)
    sure = np.linspace(0.9, 0.5, len(cases))
    probs[np.arange(len(cases)), called] = sure
    tiles = answer_tiles(cases, probs)
    assert [tile.kind for tile in tiles] == ["wrong"] * 12 + ["right"] * 12
    shown = [tile.values["confidence (%)"][0] for tile in tiles[:12]]
    assert shown == sorted(shown, reverse=True) and shown[0] == pytest.approx(90)
    first = tiles[0].values
    assert first["truly"][1] != first["called"][1] and tiles[0].picture[8:12] == b"WEBP"
    assert tiles[0].name == f"{first['truly'][1]}, called {first['called'][1]}"


def test_the_source_s_split_leaks_and_copies_rare_classes():
    from fetal_book.chapters.brain_anomalies.source import source_split, thinned

    cases = thinned(some_cases())
    counts = np.bincount(cases.labels, minlength=16)
    assert counts[2] == counts.max() and counts[cases.labels].min() >= 2  # 2: the commonest
    split = source_split(cases)
    assert split.leaked_share > 0.8 and len(split.train) + len(split.test) > 2 * len(cases)
    again = source_split(cases)
    np.testing.assert_array_equal(split.test.images, again.test.images)


def test_a_ranking_flips_more_often_on_different_test_sets():
    from fetal_book.chapters.brain_anomalies.rankings import ranking_flips

    rng = np.random.default_rng(1)
    labels = np.zeros(400, int)
    hard = rng.random(400) < 0.2  # both fail on the same images
    better = np.where(hard, 1, 0)
    worse = np.where(hard | (rng.random(400) < 0.04), 1, 0)
    flips = ranking_flips(labels, better, worse)
    assert flips["same test set"] < 0.1 < flips["different test sets"] < 0.5


def test_copies_made_after_the_split_fill_up_rare_classes_and_stay_with_their_original():
    from fetal_book.chapters.brain_anomalies.source import thinned, with_copies

    cases = thinned(some_cases())
    pool, origin = with_copies(cases)
    assert len(pool) > 2 * len(cases)
    np.testing.assert_array_equal(pool.labels, cases.labels[origin])
    np.testing.assert_array_equal(pool.images[: len(cases)], cases.images)
    changed = (pool.images[len(cases) : 2 * len(cases)] != cases.images).mean(axis=(1, 2))
    assert (origin[: 2 * len(cases)] == np.tile(np.arange(len(cases)), 2)).all()
    assert changed.min() > 0.3


def test_scores_at_a_mix_are_those_of_a_test_set_with_that_mix():
    from fetal_book.chapters.brain_anomalies.source import score_at_mix

    cases = some_cases()
    pred = np.where(np.random.default_rng(2).random(320) < 0.4, 2, cases.labels)
    kept = np.concatenate([np.arange(320), np.flatnonzero(cases.labels == 2)])  # class 2 twice
    mix = np.bincount(cases.labels[kept], minlength=16) / len(kept)
    wanted = score_at_mix(cases.select(kept), pred[kept], mix, "a", "test")
    for found, row in zip(score_at_mix(cases, pred, mix, "a", "test"), wanted, strict=True):
        assert found["metric"] == row["metric"]
        assert found["value"] == pytest.approx(row["value"])
        assert found["ci95"][0] < found["value"] < found["ci95"][1]
    plain = (pred[kept] == cases.labels[kept]).mean()
    assert wanted[0]["value"] == pytest.approx(plain)
    lacking = cases.select(cases.labels != 3)
    for found in score_at_mix(lacking, lacking.labels, np.full(16, 1 / 16), "a", "test"):
        assert found["value"] == 1


def test_each_step_parts_what_it_says_and_all_score_the_same_images():
    from fetal_book.chapters.brain_anomalies.leak_steps import FILLED_TO, STEPS, step_folds

    cases = some_cases()
    cases.table["picture"] = cases.table["image"]
    for step in STEPS:
        pool, fold = step_folds(cases, step, seed=0)
        np.testing.assert_array_equal(pool[:320], np.arange(320))  # copies come last
        assert (len(pool) == 16 * FILLED_TO) == step.copies_first
        if step.column:
            parted = cases.table.assign(fold=fold).groupby(step.column)["fold"]
            assert parted.nunique().max() == 1
    pool, fold = step_folds(cases, STEPS[0], seed=0)
    assert any(len(set(fold[pool == row])) > 1 for row in set(pool[320:].tolist()))


@pytest.mark.parametrize("data", ["phantom", "a set"])
def test_both_ways_to_take_the_protocol_apart_end_in_rows_with_what_each_step_takes_away(
    data, monkeypatch
):
    from types import SimpleNamespace

    from fetal_book.chapters.brain_anomalies import leak_steps, source

    rng = np.random.default_rng(0)
    cases = some_cases()
    cases.table["picture"], cases.table["part"] = cases.table["image"], "train"
    cases.table.loc[cases.table["subject"].str.endswith(("0", "5")), "part"] = "test"
    rows, differences = [], {}
    run = SimpleNamespace(
        parameters=SimpleNamespace(
            data=data, seed=0, source_epochs=1, source_wide_epochs=1, source_folds=2,
            source_networks="all", source_trainings=2, view="whole", image_size=24,
        ),
        data_fingerprint="of the cases",
        add_result=lambda **row: rows.append(row),
        add_difference=lambda a, b, metric, value, *_, **facts: differences.update(
            {(a, b): value} if facts["trainings"] == 2 else {}
        ),
    )  # fmt: skip

    def half_right(labels, share):
        return np.where(rng.random(len(labels)) < share, labels, 0)

    def answer_step(run, cases, name, step, epochs, n_folds):
        pool, fold = leak_steps.step_folds(cases, step, 0)
        at = np.flatnonzero(fold < n_folds)
        share = 0.9 if step.copies_first else 0.4
        pred = np.stack([half_right(cases.labels[pool[at]], share) for _ in range(2)], axis=1)
        own = at < len(cases)
        return leak_steps.Answers(pool[at], pred, own, own)

    monkeypatch.setattr(leak_steps, "read_views", lambda *_: cases)
    monkeypatch.setattr(leak_steps, "answer_step", answer_step)
    monkeypatch.setattr(
        source,
        "_train_and_predict",
        lambda run, train, test, settings, tag: half_right(
            test.labels, 0.9 if tag == "source" else 0.4
        ),
    )
    found = leak_steps.reenact(run, cases, None)
    assert run.data_fingerprint == "of the cases"
    assert len(found.table) == len(found.shown) == (3 if data == "phantom" else 8)
    assert "**" in found.words and len(found.rare) == 5
    assert {row["metric"] for row in rows} == {"accuracy", "macro_f1"}
    assert all(row["ci95"][0] <= row["value"] <= row["ci95"][1] for row in rows)
    flawed = "separable_cnn_source_protocol"
    assert min(value for (a, _), value in differences.items() if a == flawed) > 0.2
    scores = {row["model"]: row["value"] for row in rows if row["metric"] == "macro_f1"}
    assert found.shown["value"].tolist() == pytest.approx(list(scores.values()))


def test_each_pair_of_networks_is_ranked_by_accuracy():
    from fetal_book.chapters.brain_anomalies.rankings import ranking_table

    labels = np.zeros(200, int)
    wrong = {"poor": np.arange(200) < 120, "good": np.arange(200) < 10, "same": np.arange(200) > 79}
    table = ranking_table(labels, {name: hit.astype(int) for name, hit in wrong.items()})
    assert table["better"].tolist()[0] == table["better"].tolist()[2] == "good"
    assert table["difference"].tolist() == pytest.approx([0.55, 0, 0.55])
    apart, tied, _ = table.to_dict("records")
    assert apart["same test set"] == apart["different test sets"] == 0
    assert tied["same test set"] == pytest.approx(0.5, abs=0.05)


def scored_as(probs, **spec):
    """Return what a table needs of a scored network whose validation part is its test part."""
    from types import SimpleNamespace

    limits = {"view": "head", "strange_above": 5.0, "abstain_below": 0.5, "temperature": 1.0}
    model = SimpleNamespace(spec=SimpleNamespace(**(limits | spec)))
    return SimpleNamespace(val_probs=probs, test_probs=probs, model=model)


def test_images_of_one_patient_do_not_narrow_the_intervals_of_a_screening():
    from fetal_book.chapters.brain_anomalies.cutoffs import screening_table
    from fetal_lib.metrics.intervals import wilson_interval
    from fetal_phantoms.anomalies.labels import LABELS

    cases = some_cases()
    normal = LABELS.index("normal")
    probs = np.full((320, 16), 0.02)
    probs[:, normal] = np.where(cases.labels == normal, 0.9, 0.1)
    few = cases.select(np.arange(0, 320, 2))
    once = screening_table(scored_as(probs[::2]), few, few).set_index("measure")
    twice = screening_table(scored_as(probs), cases, cases).set_index("measure")
    for measure, n in (("sensitivity", 300), ("specificity", 20)):
        assert (twice.loc[measure, "n"], twice.loc[measure, "patients"]) == (n, n // 2)
        assert tuple(twice.loc[measure, ["low", "high"]]) == wilson_interval(n // 2, n // 2)
        assert tuple(once.loc[measure, ["value", "low"]]) == tuple(
            twice.loc[measure, ["value", "low"]]
        )


def test_a_predictive_value_falls_where_few_are_ill():
    from fetal_book.chapters.brain_anomalies.cutoffs import screening_table
    from fetal_phantoms.anomalies.labels import LABELS

    cases = some_cases()
    ill = cases.labels != LABELS.index("normal")
    probs = np.zeros((320, 16))
    alarm = ill.copy()
    alarm[np.flatnonzero(~ill)[:2]] = True  # one in ten of the normal ones
    probs[:, LABELS.index("normal")] = np.where(alarm, 0.1, 0.9)
    table = screening_table(scored_as(probs), cases, cases).set_index("measure")["value"]
    assert table["specificity"] == pytest.approx(0.9)
    assert table["positive predictive value, this mix"] == pytest.approx(300 / 302)
    rare = "positive predictive value, were 1% affected"
    assert table[rare] == pytest.approx(0.01 / (0.01 + 0.099))
    only = cases.select(ill)
    assert screening_table(scored_as(probs[ill]), only, only).columns.tolist() == ["measure"]


def test_no_answer_counts_every_reason_once():
    from types import SimpleNamespace

    from fetal_book.chapters.brain_anomalies import strange

    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    scored = scored_as(probs, abstain_below=0.58)
    scored.test_distance = np.array([9.0, 1, 1, 1])
    test = SimpleNamespace(found=np.array([False, False, True, True]))
    _, table = strange.strangeness(scored, {}, test)
    (row,) = table.to_dict("records")
    assert (row["n"], row["no answer"], row["too far"], row["head found"]) == (4, 0.75, 0.25, 0.5)
    whole = scored_as(probs, view="whole", abstain_below=0.58)
    whole.test_distance = scored.test_distance
    (row,) = strange.strangeness(whole, {}, test)[1].to_dict("records")
    assert row["no answer"] == 0.5 and "head found" not in row


def test_the_page_says_what_was_left_out_and_what_the_maps_do():
    from dataclasses import replace

    import pandas as pd

    from fetal_book.chapters.brain_anomalies.explain import explained_words
    from fetal_book.chapters.brain_anomalies.report import data_words

    cases = replace(some_cases(), n_left_out=7, found=np.arange(320) < 160)
    assert data_words(cases, "head") == (
        "320 images, 160 patients, 16 of 16 classes; 7 more are of no known class and were left "
        "out; the head was found in 50%."
    )
    assert data_words(some_cases(), "whole") == "320 images, 160 patients, 16 of 16 classes."
    names = ("deletion", "deletion, random", "insertion", "insertion, random")
    rows = [{"check": name, "mean": i / 4} for i, name in enumerate(names)]
    text = explained_words(pd.DataFrame(rows))
    assert "**0.00**" in text and "0.75 in a random order" in text and "anomaly" not in text
    more = {"share of map on lesion": 0.2, "share of image": 0.1, "times chance": 2.0}
    more |= {"peak on lesion": 0.5, "rank correlation with random weights": -0.08}
    rows += [{"check": name, "mean": value} for name, value in more.items()]
    text = explained_words(pd.DataFrame(rows))
    assert "**20%** of a map lies on the anomaly" in text and "**-0.08**" in text


def test_the_log_of_the_source_cannot_rank_its_first_two_models():
    from fetal_book.chapters.brain_anomalies.rankings import log_difference, log_table

    log = log_table().set_index("model")
    cnn, separable = log.loc["CNN"], log.loc["separable CNN"]
    assert separable["accuracy (log)"] < cnn["accuracy (log)"] < separable["high"]
    images, n, chance = log_difference()
    assert (images, n, chance) == (4, 193, 0.125)
