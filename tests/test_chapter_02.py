"""Chapter 02 from parameters to results, and the flaws of its source re-enacted."""

import subprocess
import sys

import numpy as np
import pytest
from chapter_checks import (
    ROOT,
    figures_without_words,
    protocol_rows_without_interval,
    rows_of,
    run_chapter,
    run_smoke,
    status_of,
)

BASELINES = ("commonest_class", "grey_histogram", "border_only", "edges_logistic")
NETWORKS = ("cnn", "separable_cnn", "xception")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    return run_smoke("02", tmp_path_factory.mktemp("chapter02"))


@pytest.mark.slow
def test_the_wiring_ends_in_results_tables_figures_and_a_model(smoke):
    _, out = smoke
    rows = {(r["model"], r["metric"]): r for r in rows_of(out) if r["split"] == "test"}
    for model in (*BASELINES, *NETWORKS):
        for metric in ("macro_f1", "accuracy", "auc_macro", "auc_micro", "ece"):
            row = rows[model, metric]
            assert row["ci95"][0] <= row["value"] <= row["ci95"][1] or metric == "ece"
    assert len([r for r in rows_of(out) if r["metric"] == "coverage"]) == 1
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

    import fetal_lib.app
    from fetal_lib.runs.start import FOLDER_VARIABLE

    source = (ROOT / "notebooks" / "02_brain_anomalies.py").read_text()
    (cell,) = [c for c in source.split("\n# %%") if "from fetal_lib.app import" in c]
    opened = []
    monkeypatch.setattr(fetal_lib.app, "build", lambda anomaly: ("page", anomaly))
    monkeypatch.setattr(fetal_lib.app, "launch", lambda page, **options: opened.append(page))
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
    from fetal_lib.phantoms.anomalies import make_anomaly

    _, out = smoke
    for seed in range(3):
        cv2.imwrite(str(tmp_path / f"scan{seed}.png"), make_anomaly(seed, "normal").image)
    table = tmp_path / "answers.csv"
    command = [sys.executable, "-m", "fetal_lib", "predict", "anomaly", str(tmp_path)]
    done = subprocess.run(
        [*command, "--model", str(out), "--out", str(table)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 and all(row["status"] in ("answered", "unsure") for row in rows)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_results(smoke):
    """Trained anew in another cache, not reused."""
    folder, first = smoke
    second, done = run_chapter("02", folder, "second")
    assert done.returncode == 0, done.stderr[-2000:]
    assert rows_of(first) == rows_of(second)


def some_cases(n_patients=160, side=24):
    import pandas as pd

    from fetal_lib.chapters.brain_anomalies import LABELS, Cases

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_patients) % 16, 2)
    images = rng.integers(0, 255, (len(labels), side, side), dtype=np.uint8)
    groups = np.repeat([f"p{i}" for i in range(n_patients)], 2)
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(len(labels))], "subject": groups})
    table["label"] = [LABELS[k] for k in labels]
    return Cases(table, images, labels, groups, None, 1.0)


def test_the_source_s_split_leaks_and_copies_rare_classes():
    from fetal_lib.chapters.brain_anomalies.source import source_split, thinned

    cases = thinned(some_cases())
    counts = np.bincount(cases.labels, minlength=16)
    assert counts[2] == counts.max() and counts[cases.labels].min() >= 2  # 2: the commonest
    split = source_split(cases)
    assert split.leaked_share > 0.8 and split.copied
    again = source_split(cases)
    np.testing.assert_array_equal(split.test.images, again.test.images)


def test_a_ranking_flips_more_often_on_different_test_sets():
    from fetal_lib.chapters.brain_anomalies import ranking_flips

    rng = np.random.default_rng(1)
    labels = np.zeros(400, int)
    hard = rng.random(400) < 0.2  # both fail on the same images
    better = np.where(hard, 1, 0)
    worse = np.where(hard | (rng.random(400) < 0.04), 1, 0)
    flips = ranking_flips(labels, better, worse)
    assert flips["same test set"] < 0.1 < flips["different test sets"] < 0.5


def test_the_log_of_the_source_cannot_rank_its_first_two_models():
    from fetal_lib.chapters.brain_anomalies import log_table

    log = log_table().set_index("model")
    cnn, separable = log.loc["CNN"], log.loc["separable CNN"]
    assert separable["accuracy (log)"] < cnn["accuracy (log)"] < separable["high"]
