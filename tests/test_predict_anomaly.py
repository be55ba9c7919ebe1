"""`predict anomaly`: answers with a confidence, or a reason why not; bad files; models on disk."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

keras = pytest.importorskip("keras")
cv2 = pytest.importorskip("cv2")

from fetal_book.cli.predict import app  # noqa: E402
from fetal_lib.metrics.selective import FeatureDistance  # noqa: E402
from fetal_lib.models.anomaly_cnns import build_anomaly_cnn  # noqa: E402
from fetal_lib.predict.anomaly import anomaly_row, write_answers  # noqa: E402
from fetal_lib.predict.anomaly_model import AnomalyModel, AnomalyModelSpec, load_anomaly_model  # noqa: E402

CLASSES = ("normal", "encephalocele", "porencephaly", "vein_of_galen")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    arguments = {"side": 24, "width": 0.25}
    network = build_anomaly_cnn("separable_cnn", n_classes=4, **arguments)
    network.get_layer("logits").set_weights(
        [w * 5 for w in network.get_layer("logits").get_weights()]
    )
    spec = AnomalyModelSpec("separable_cnn", arguments, CLASSES, temperature=2.0, set_threshold=0.2)
    features = np.random.default_rng(0).normal(size=(60, 8))
    return AnomalyModel(network, spec, FeatureDistance.fit(features, np.arange(60) % 4))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(1)
    for i in range(5):
        image = cv2.GaussianBlur(rng.integers(0, 255, (60, 80), dtype=np.uint8), (0, 0), 3)
        cv2.imwrite(str(tmp_path / f"scan{i}.png"), image)
    return tmp_path


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def images(n=6):
    return np.random.default_rng(2).integers(0, 255, (n, 24, 24), dtype=np.uint8)


def test_confidence_is_the_softmax_at_the_model_s_temperature(model):
    logits, _ = model.logits_and_features(images())
    answer = model.answer(images())[3]
    scaled = np.exp(logits[3] / 2 - (logits[3] / 2).max())
    assert answer.confidence == pytest.approx((scaled / scaled.sum()).max(), abs=1e-6)
    assert answer.label == CLASSES[logits[3].argmax()]
    named = [answer.label, *(name for name, _ in answer.runners_up)]
    assert named == [CLASSES[k] for k in np.argsort(-logits[3])[:3]]


def test_mirror_images_get_the_same_answer_where_they_are_averaged(model):
    turned = np.flip(images(), (1, 2))
    single = [model.logits_and_features(x)[0] for x in (images(), turned)]
    assert np.abs(single[0] - single[1]).max() > 0.01
    spec = replace(model.spec, mirrors=True)
    whole = AnomalyModel(model.network, spec, model.distance)
    logits, features = whole.logits_and_features(images())
    np.testing.assert_allclose(logits, whole.logits_and_features(turned)[0], atol=1e-5)
    assert features.shape == (6, 8)
    np.testing.assert_allclose(whole.logits_and_features(images(), mirrors=False)[0], single[0])


def test_the_set_holds_every_class_above_the_threshold(model):
    probs = model.probs(images())
    for row, answer in zip(probs, model.answer(images()), strict=True):
        wanted = {CLASSES[k] for k in np.flatnonzero(row >= 0.2)} | {answer.label}
        assert set(answer.candidates) == wanted and answer.candidates[0] == answer.label


def test_an_unsure_and_a_strange_image_get_a_reason(model):
    unsure = AnomalyModel(model.network, replace(model.spec, abstain_below=1.1), model.distance)
    assert unsure.answer(images())[0].reason.startswith("not sure: confidence")
    strange = AnomalyModel(model.network, replace(model.spec, strange_above=-1.0), model.distance)
    assert strange.answer(images())[0].reason.startswith("not like the training images")
    assert model.answer(images())[0].reason == ""


def test_a_scan_without_a_head_gets_a_reason(model):
    answers = model.answer(images(2), found=np.array([True, False]))
    assert [bool(answer.reason) for answer in answers] == [False, True]
    assert answers[1].reason == "no fetal head found in the image"


def test_a_saved_model_gives_the_same_answers(model, tmp_path):
    from fetal_lib.models.weights import round_weights

    round_weights(model.network)
    spec = replace(model.spec, abstain_below=float("inf"), strange_above=float("inf"))
    saved = AnomalyModel(model.network, spec, model.distance)
    folder = saved.save(tmp_path / "run" / "model", "# card\n")
    assert "Infinity" not in (folder / "model.json").read_text()
    loaded = load_anomaly_model(tmp_path / "run")
    assert loaded.spec == saved.spec
    for a, b in zip(saved.answer(images()), loaded.answer(images()), strict=True):
        assert a.label == b.label and a.confidence == pytest.approx(b.confidence, abs=1e-6)
        assert a.distance == pytest.approx(b.distance, rel=1e-3)


def test_bad_files_become_rows_and_the_source_files_stay(model, folder):
    (folder / "a_empty.png").write_bytes(b"")
    (folder / "b_text.png").write_text("no picture")
    before = {p.name: p.read_bytes() for p in folder.glob("*.png")}
    paths = sorted(folder.glob("*.png"))
    counts = write_answers(paths, model, folder / "out" / "answers.csv")
    assert counts == {"answered": 5, "declined": 0, "failed": 2}
    rows = rows_of(folder / "out" / "answers.csv")
    assert [row["image"] for row in rows] == [p.name for p in paths]
    assert all(row["reason"] for row in rows[:2]) and not rows[0]["label"]
    assert all(0 < float(row["confidence"]) <= 1 for row in rows[2:])
    told = {(row["interval_level"], row["reason"]) for row in rows[2:]}
    assert told == {("0.90", "pixel_size_mm: none was given and the file states none")}
    assert {p.name: p.read_bytes() for p in folder.glob("*.png")} == before
    assert not list(folder.rglob("*.part")) and {row["pixel_size_mm"] for row in rows} == {""}


def test_answers_do_not_depend_on_the_batch(model, folder):
    from fetal_lib.predict.anomaly import classify_scans

    paths = sorted(folder.glob("*.png"))
    once = [anomaly_row(*row) for row in classify_scans(paths, model)]
    single = [anomaly_row(*row) for row in classify_scans(paths, model, batch_size=1)]
    assert [r["label"] for r in once] == [r["label"] for r in single]


def test_a_pixel_size_becomes_a_scale_bar(model, folder, monkeypatch):
    from fetal_lib.geometry.ellipse import Ellipse
    from fetal_lib.predict import anomaly
    from fetal_lib.predict.brain_view import ruler_rows
    from fetal_lib.predict.pixel_sizes import PixelSizes

    class Finder:
        shape = (60, 80)

        def probs(self, images, batch_size=32):
            return np.repeat(
                Ellipse(40, 30, 24, 19, 0.0).mask((60, 80))[None] * 1.0, len(images), 0
            )

    seen = []
    head = AnomalyModel(model.network, replace(model.spec, view="head"), model.distance)
    monkeypatch.setattr(anomaly, "load_head_finder", Finder)
    monkeypatch.setattr(
        head, "answer", lambda views, found: seen.extend(views) or [None] * len(views)
    )
    paths = sorted(folder.glob("*.png"))
    sizes = PixelSizes(by_name={paths[1].name: 1.0})
    found = list(anomaly.classify_scans(paths[:3], head, sizes=sizes))
    rows = ruler_rows(24)
    assert [bool(view[-rows:].any()) for view in seen] == [False, True, False]
    table = [anomaly_row(*row) for row in found]
    assert [row["pixel_size_mm"] for row in table] == ["", "1.00000", ""]


def test_a_dicom_file_is_taken_at_the_size_that_it_states(model, tmp_path):
    from made_up_scans import scan, us_region, write_dicom

    from fetal_lib.predict.anomaly import classify_scans
    from fetal_lib.predict.pixel_sizes import PixelSizes

    def dicom(name, size_cm):
        regions = {"SequenceOfUltrasoundRegions": [us_region(size_cm, size_cm)]}
        return write_dicom(tmp_path / name, scan(), **regions)

    paths = [dicom("a.dcm", 0.02), dicom("b.dcm", 0.02), dicom("absurd.dcm", 3.0)]
    sizes = PixelSizes(by_name={"b.dcm": 0.1})
    stated, named, absurd = (anomaly_row(*row) for row in classify_scans(paths, model, sizes=sizes))
    assert (stated["pixel_size_mm"], named["pixel_size_mm"]) == ("0.20000", "0.10000")
    assert stated["pixel_size_from"] == "stated in the file"
    assert named["pixel_size_from"] == "table; the file states 0.2 mm"
    assert absurd["status"] == "declined" and "a pixel of 30 mm" in absurd["reason"]


def test_the_command_says_what_is_missing_without_a_traceback(folder, tmp_path):
    run = CliRunner().invoke
    none = run(app, ["anomaly", str(folder), "--model", str(tmp_path)])
    assert none.exit_code == 2 and "no model.json in it" in none.output
    gone = run(app, ["anomaly", str(tmp_path / "gone")])
    assert gone.exit_code == 2 and "no such file or folder" in gone.output
    (tmp_path / "model.json").write_text("{}")
    broken = run(app, ["anomaly", str(folder), "--model", str(tmp_path)])
    assert broken.exit_code == 2 and "train it anew" in broken.output
    assert "Traceback" not in none.output + gone.output + broken.output


@pytest.mark.slow
def test_the_command_writes_a_table(model, folder, tmp_path):
    model.save(tmp_path / "model", "# card\n")
    out = tmp_path / "answers.csv"
    scans = [str(p) for p in sorted(folder.glob("scan*.png"))]  # drawn, and so no head
    options = ["--model", str(tmp_path), "--out", str(out), "--any-plane"]
    done = CliRunner().invoke(app, ["anomaly", *scans, *options])
    assert done.exit_code == 0 and "5 answered" in done.output, done.output
    assert len(rows_of(out)) == 5
    assert json.loads((tmp_path / "model" / "model.json").read_text())["labels"] == list(CLASSES)
