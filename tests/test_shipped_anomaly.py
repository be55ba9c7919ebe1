"""The model of brain anomalies that answers without a run: shipped, small, and shy of what is no
head; its data are told by pictures where names fail."""

from __future__ import annotations

import csv
import time

import cv2
import numpy as np
import pytest
from made_up_scans import real_data
from typer.testing import CliRunner

pytest.importorskip("keras")

from fetal_book.chapters.brain_anomalies.shipped_model import Pool, one_a_picture, several_cases
from fetal_book.cli.predict import app
from fetal_lib.data.anomaly_names import LABELS
from fetal_lib.data.audit.hashes import packed, thumbnail, view_hashes
from fetal_lib.data.audit.twins import join_twins
from fetal_lib.data.images import squash
from fetal_lib.data.layouts.brain_anomalies import read_cases
from fetal_lib.predict.anomaly import answer_scans
from fetal_lib.predict.anomaly_model import SHIPPED_NETWORK, load_anomaly_model
from fetal_lib.predict.model_folder import PRETRAINED
from fetal_phantoms.abdomen import make_abdomen
from fetal_phantoms.head import make_head

SHIPPED = PRETRAINED / "brain_anomalies"


def test_the_command_answers_without_a_run_and_declines_what_is_no_head(tmp_path):
    scans, table = tmp_path / "scans", tmp_path / "answers.csv"
    scans.mkdir()
    cv2.imwrite(str(scans / "abdomen.png"), make_abdomen(3).image)
    cv2.imwrite(str(scans / "head.png"), make_head(3).image)
    noise = np.random.default_rng(0).integers(0, 255, (90, 120), dtype=np.uint8)
    cv2.imwrite(str(scans / "noise.png"), noise)
    done = CliRunner().invoke(app, ["anomaly", str(scans), "--out", str(table)])
    assert done.exit_code in (0, 3), done.output
    with table.open() as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    for name in ("abdomen.png", "noise.png"):
        assert rows[name]["status"] == "declined" and "no fetal head" in rows[name]["reason"]
    assert rows["head.png"]["label"] in LABELS and rows["head.png"]["one_of"]


def test_the_shipped_model_is_small_quick_and_says_what_it_learnt_from():
    model = load_anomaly_model()
    assert model.spec.network == SHIPPED_NETWORK and model.spec.view == "whole"
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 2e6
    card = (SHIPPED / "card.md").read_text()
    for words in ("distinct pictures", "cases", "CC BY 4.0", "Not for", "seldom knows an anomaly"):
        assert words.lower() in card.lower()
    scans = [make_head(seed).image for seed in range(20)]
    answer_scans(scans[:4], model, None)
    start = time.process_time()
    answer_scans(scans, model, None)
    assert len(scans) / (time.process_time() - start) > 10


def test_the_size_of_a_file_hardly_changes_the_probabilities():
    model = load_anomaly_model()
    scans = [make_head(seed).image for seed in range(8)]
    small = [cv2.resize(s, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for s in scans]
    probs = [
        model.probs(np.stack([squash(s, model.shape) for s in form])) for form in (scans, small)
    ]
    assert np.abs(probs[0] - probs[1]).max() < 0.05


def test_groups_that_share_a_picture_become_one():
    rng = np.random.default_rng(0)
    pictures = [cv2.GaussianBlur(rng.integers(0, 255, (60, 80), np.uint8), (0, 0), 4)] * 1
    pictures += [cv2.GaussianBlur(rng.integers(0, 255, (60, 80), np.uint8), (0, 0), 4)]
    pictures += [np.flip(pictures[0], 1), pictures[1], pictures[1]]
    words = np.stack([packed(view_hashes(thumbnail(np.ascontiguousarray(p)))) for p in pictures])
    names = np.array(["b", "c", "a", "d", "d"])
    assert join_twins(names, words).tolist() == ["a", "c", "a", "c", "c"]


def test_a_class_of_one_case_is_known_and_a_picture_stands_once():
    import pandas as pd

    cases = np.array(["p", "p", "q", "r"])
    pool = Pool(np.zeros((4, 2)), np.array([0, 1, 1, 2]), cases, cases, cases, np.ones(4, bool))
    assert several_cases(pool).tolist() == [False, True, True, False]
    names = ["x_aug_1.png", "x.png", "y_aug_2.png", "y_aug_0.png"]
    table = pd.DataFrame({"image": names, "picture": ["x", "x", "y", "y"]})
    assert one_a_picture(table).tolist() == [False, True, False, True]


@pytest.mark.slow
def test_the_sixteen_classes_rest_on_208_pictures_of_81_cases():
    from fetal_book.chapters.brain_anomalies.data import load_cases

    cases = load_cases(real_data("fetal_brain_anomalies_16"), 32, "whole")
    assert len(cases) == 1768 and cases.table["source_stem"].nunique() == 212
    assert cases.table["picture"].nunique() == 208 and len(set(cases.groups)) == 81
    kinds = cases.table.groupby("picture")["label"].nunique()
    assert (kinds > 1).sum() == 2  # one picture, two class names
    table = read_cases(real_data("fetal_brain_anomalies_16"))  # with the parts of the export
    assert table["subject"].nunique() == 84
    crossing = {
        name: int(table.groupby(name)["part"].transform("nunique").gt(1).sum())
        for name in ("subject", "source_stem")
    }
    assert crossing == {"subject": 1699, "source_stem": 1536}
    by_class = cases.table.groupby("label")["subject"].nunique()
    assert (by_class == 1).sum() == 5 and by_class["normal"] == 31
