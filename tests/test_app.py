"""What stands behind the tabs of the page: uploads that go, scales, answers, sources of models."""

import base64
import csv
import io
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras")
cv2 = pytest.importorskip("cv2")

from made_up_app import OneModel, made_up_choice, png  # noqa: E402
from made_up_models import HeadOracle, adult_age_model  # noqa: E402

from fetal_book.app import anomaly, brain_age, head, uploads  # noqa: E402
from fetal_book.app.shelf import Loaded  # noqa: E402
from fetal_book.app.uploads import Upload, UploadError  # noqa: E402
from fetal_lib.metrics.selective import FeatureDistance  # noqa: E402
from fetal_lib.models.anomaly_cnns import build_anomaly_cnn  # noqa: E402
from fetal_lib.predict.anomaly_model import AnomalyModel, AnomalyModelSpec  # noqa: E402
from fetal_lib.predict.brain_view import head_view  # noqa: E402
from fetal_lib.predict.columns import COLUMNS  # noqa: E402
from fetal_lib.predict.pixel_sizes import PixelSize  # noqa: E402
from fetal_phantoms.head import make_head  # noqa: E402

CLASSES = ("normal", "arachnoid_cyst", "porencephaly", "vein_of_galen")
NAMES = ("normal", "arachnoid cyst", "porencephaly", "vein of Galen")


@pytest.fixture(scope="module")
def phantom():
    return make_head(7, ga_days=150)


@pytest.fixture
def choice(tmp_path):
    return made_up_choice(tmp_path)


@pytest.fixture
def measured(phantom, choice):
    return Loaded(HeadOracle(phantom), choice)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    arguments = {"side": 48, "width": 0.25}
    network = build_anomaly_cnn("separable_cnn", n_classes=4, **arguments)
    spec = AnomalyModelSpec("separable_cnn", arguments, CLASSES, set_threshold=0.2)
    features = np.random.default_rng(0).normal(size=(60, 8))
    return AnomalyModel(network, spec, FeatureDistance.fit(features, np.arange(60) % 4))


def words(html):
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html))


def csv_of(html):
    data = re.search(r'href="data:text/csv[^,]*,([^"]*)"', html)[1]
    return list(csv.DictReader(io.StringIO(base64.b64decode(data).decode())))


def test_the_browser_s_copy_is_the_scan_and_nothing_else_is_taken_for_one(phantom):
    held = head.hold_scan(phantom.image, "a.png")
    assert np.array_equal(uploads.from_data_url(held["image"]), phantom.image)
    for text in (None, "", "file:///etc/passwd", "http://127.0.0.1/a.png"):
        with pytest.raises(UploadError, match="no scan to measure"):
            uploads.from_data_url(text)
    with pytest.raises(UploadError, match="damaged on its way"):
        uploads.from_data_url("data:image/png;base64,%%%")
    with pytest.raises(UploadError, match="no image"):
        uploads.from_data_url("data:image/png;base64,AAAA")


def points(*xy):
    return [{"x": x, "y": y} for x, y in xy]


def test_two_points_and_their_distance_give_the_pixel_size():
    held = {"width": 800, "height": 500, "factor": 1.0, "points": points((10, 20), (60, 20))}
    assert head.read_scale("", "40", held).mm == pytest.approx(40 / 400)
    assert head.read_scale("", "40,8", held).mm == pytest.approx(40.8 / 400)
    slant = held | {"points": points((0, 0), (30 / 8, 40 / 5))}  # 30 and 40 pixels
    assert head.read_scale("", "5", slant).mm == pytest.approx(0.1)
    assert head.read_scale("", "40", held | {"factor": 2.0}).mm == pytest.approx(0.05)
    assert head.read_scale("0,2", "", held).mm == 0.2
    stated = held | {"stated_mm": 0.15}
    assert head.read_scale("", "", stated) == PixelSize(0.15, "stated in the file")
    assert head.read_scale("0.2", "", stated).origin == "typed; the file states 0.15 mm"
    assert head.read_scale("0.1505", "", stated).origin == "typed"


@pytest.mark.parametrize(
    ("size", "distance", "message"),
    [
        ("", "", "Millimetres need a scale"),
        ("wide", "", "pixel size: received 'wide'"),
        ("130", "", "divide micrometres by 1000"),
        ("", "4000", "must be the side of a pixel"),
        ("nan", "", "must be the side of a pixel"),
    ],
)
def test_a_scale_that_is_none_is_refused(size, distance, message):
    held = {"width": 800, "height": 500, "factor": 1.0, "points": points((10, 20), (60, 20))}
    with pytest.raises(ValueError, match=message):
        head.read_scale(size, distance, held)


def test_points_that_are_one_are_refused():
    held = {"width": 800, "height": 500, "factor": 1.0, "points": points((10, 20), (10.5, 20))}
    with pytest.raises(UploadError, match="closer than 10 pixels"):
        head.read_scale("", "40", held)


def test_a_head_is_measured_with_interval_age_and_centile(phantom, measured):
    scale = PixelSize(phantom.pixel_size_mm, "typed")
    html = head.measure_scan(phantom.image, "<a>.png", scale, 1.0, 150.0, measured)
    hc = float(re.search(r'fl-value">([\d.]+) mm', html)[1])
    assert hc == pytest.approx(phantom.hc_mm, rel=0.004)
    text = words(html)
    low, high = map(float, re.search(r"([\d.]+) to ([\d.]+) mm, 90% interval", text).groups())
    assert (low, high) == (pytest.approx(0.98 * hc, abs=0.1), pytest.approx(1.02 * hc, abs=0.1))
    assert "at 21+3 weeks (INTERGROWTH-21st)" in text and "runs/mine" in text
    assert "made-up images" in text and "<a>" not in html and 'data-picture="chart"' in html


def test_what_is_no_head_is_not_measured_and_not_classified(phantom, measured, model, choice):
    def gate(scans):
        return ["no head: an <abdomen>"] * len(scans)

    scale = PixelSize(phantom.pixel_size_mm, "typed")
    wary = replace(measured, gate=gate)
    told = head.measure_scan(phantom.image, "a", scale, 1.0, float("nan"), wary)
    loaded = Loaded(model, choice, gate=gate)
    for html in (told, anomaly.answer_scan(phantom.image, "a", loaded, None)):
        assert "I don’t know" in html and "no head: an &lt;abdomen&gt;." in html
        assert "fl-bar" not in html and " mm, 90%" not in html


def test_without_dating_there_is_no_centile_and_without_a_head_no_number(phantom, measured):
    scale = PixelSize(phantom.pixel_size_mm, "typed")
    html = head.measure_scan(phantom.image, "a", scale, 1.0, float("nan"), measured)
    assert "needs the age from dating" in html
    html = head.measure_scan(np.zeros((60, 80), np.uint8), "a", scale, 1.0, float("nan"), measured)
    assert "I don’t know" in html and "no head found" in html and 'data-picture="chart"' not in html


def test_a_large_scan_is_halved_and_measures_the_same(phantom, measured):
    large = cv2.resize(phantom.image, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    held = head.hold_scan(large, "large.png")
    assert held["factor"] == 2.0 and max(held["width"], held["height"]) <= uploads.MAX_SIDE
    small = uploads.from_data_url(held["image"])
    scale = PixelSize(phantom.pixel_size_mm / 4, "typed")
    html = head.measure_scan(small, "large", scale, held["factor"], float("nan"), measured)
    hc = float(re.search(r'fl-value">([\d.]+) mm', html)[1])
    assert hc == pytest.approx(phantom.hc_mm, rel=0.006)


def test_several_heads_become_a_table_to_take_home(tmp_path, phantom, measured):
    files = [Upload(tmp_path / "x1", "good.png"), Upload(tmp_path / "x2", "bad.png")]
    files[0].path.write_bytes(png(phantom.image))
    files[1].path.write_bytes(b"nothing")
    html = head.answer_files(files, OneModel(measured), None, str(phantom.pixel_size_mm))
    good, bad = csv_of(html)
    assert (good["image"], good["status"], bad["status"]) == ("good.png", "measured", "failed")
    assert float(good["hc_mm"]) == pytest.approx(phantom.hc_mm, rel=0.004)
    assert bad["reason"].startswith("bad.png: no image")
    assert [*good] == [*COLUMNS["hc"], "model"] and COLUMNS["hc"]["hc_mm"] in words(html)
    with pytest.raises(UploadError, match="one pixel size for all"):
        head.answer_files(files, OneModel(measured), None, "")


def test_an_anomaly_is_named_with_confidence_and_runners_up(phantom, model, choice):
    html = anomaly.answer_scan(phantom.image, "a.png", Loaded(model, choice), None)
    probs = model.probs(cv2.resize(phantom.image, (48, 48), interpolation=cv2.INTER_AREA)[None])[0]
    order = np.argsort(-probs)[:3]
    found = re.findall(r'fl-bar"><span>([^<]*)</span>.*?<span>(\d+)%</span></div>', html)
    assert [name for name, _ in found] == [NAMES[k] for k in order]
    assert [int(n) for _, n in found] == pytest.approx(100 * probs[order], abs=2)
    assert "Calibrated confidence" in html and "I don’t know" not in html
    assert html.count("<img") == 2 and "Model card" in html


def test_a_strange_image_and_an_unsure_answer_are_not_known(phantom, model, choice):
    for limits, reason in (
        ({"strange_above": -1.0}, "not like the training images"),
        ({"abstain_below": 1.1}, "not sure: confidence"),
        ({"abstain_below": float("inf")}, "never sure enough on its validation images"),
    ):
        wary = AnomalyModel(model.network, replace(model.spec, **limits), model.distance)
        html = anomaly.answer_scan(phantom.image, "a.png", Loaded(wary, choice), None)
        assert "I don’t know" in html and reason in html and "inf%" not in html
        assert "Best guesses, not to be relied on" in html


def test_the_map_lies_on_the_scan_where_the_view_was_cut():
    scan, heat = np.zeros((100, 200), np.uint8), np.zeros((48, 48), np.float32)
    heat[10:14, 30:34] = 2.0
    matrix = np.array([[0.5, 0, -40.0], [0, 0.5, -5.0]])  # the view's (31.5, 11.5) is (143, 33)
    url, caption = anomaly._overlay(scan, heat, matrix, "vein_of_galen")
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8), 1)
    y, x = np.unravel_index(picture.sum(axis=2).argmax(), scan.shape)
    assert (x, y) == (pytest.approx(143, abs=5), pytest.approx(33, abs=5))
    assert "vein of Galen" in caption
    assert "points at nothing" in anomaly._overlay(scan, np.full_like(heat, 3), None, "normal")[1]


def test_several_scans_are_named_in_a_table(tmp_path, phantom, model, choice):
    files = [Upload(tmp_path / "x1", "good.png"), Upload(tmp_path / "x2", "bad.png")]
    files[0].path.write_bytes(png(phantom.image))
    files[1].path.write_bytes(b"")
    good, bad = csv_of(anomaly.answer_files(files, OneModel(Loaded(model, choice))))
    assert good["status"] == "answered" and good["label"] in CLASSES
    assert good["one_of"].split()[0] == good["label"] and good["second"] in CLASSES
    assert good["model"] == bad["model"] == "runs/mine (phantoms)"
    assert (bad["image"], bad["status"]) == ("bad.png", "failed")


def test_the_table_of_anomalies_has_the_pixel_size_that_each_answer_rests_on(
    tmp_path, phantom, model, choice
):
    from made_up_scans import us_region, write_dicom

    def dicom(name, size_cm):
        regions = {"SequenceOfUltrasoundRegions": [us_region(size_cm, size_cm)]}
        return Upload(write_dicom(tmp_path / name, phantom.image, **regions), name)

    silent = Upload(tmp_path / "x", "silent.png")
    silent.path.write_bytes(png(phantom.image))
    files = [dicom("stated.dcm", 0.02), silent, dicom("absurd.dcm", 3.0)]
    shelf = OneModel(Loaded(model, choice))
    stated, unknown, absurd = csv_of(anomaly.answer_files(files, shelf))
    assert (stated["pixel_size_mm"], unknown["pixel_size_mm"]) == ("0.20000", "")
    assert absurd["status"] == "declined" and not absurd["pixel_size_mm"]
    assert absurd["reason"].startswith("absurd.dcm: its header states a pixel of 30 mm")
    with pytest.raises(UploadError, match="Give the right pixel size yourself"):
        anomaly.answer_files(files[2:], shelf)
    typed = csv_of(anomaly.answer_files(files, shelf, None, "0,1"))
    assert [row["pixel_size_mm"] for row in typed] == ["0.10000"] * 3
    told = ["given; the file states 0.2 mm", "given", "given; the file states 30 mm"]
    assert [row["pixel_size_from"] for row in typed] == told
    assert all(row["status"] == "answered" for row in typed)


def test_the_pixel_size_draws_the_scale_bar_that_the_model_was_trained_with(
    tmp_path, phantom, model, choice
):
    """In the batch and for one scan, typed or from the file, halved where the scan was."""
    from made_up_scans import us_region, write_dicom

    wide = np.pad(phantom.image, ((0, 0), (0, 1800)))  # is halved
    regions = {"SequenceOfUltrasoundRegions": [us_region(0.02, 0.02)]}
    file = Upload(write_dicom(tmp_path / "x", wide, **regions), "x.dcm")
    seeing = AnomalyModel(model.network, replace(model.spec, view="head"), model.distance)
    views = []
    seeing.answer = lambda view, found: views.append(view[0]) or model.answer(view, found)
    finder = HeadOracle(phantom)
    finder.probs = lambda images, batch_size=32: np.zeros((len(images), *finder.shape))
    shelf = OneModel(Loaded(seeing, choice))
    shelf.head_finder = lambda: Loaded(finder, choice)
    for sizes in ((None,), ("0,1",)):
        anomaly.answer_files([file], shelf, None, *sizes)
        anomaly.answer_files([file, file], shelf, None, *sizes)
    small, factor = uploads.shrunk(wide)
    bars = [int((view[-1] == 255).sum()) for view in views]
    wanted = [head_view(small, None, 48, factor * size)[-1] for size in (0.2, 0.1)]
    assert bars == [int((row == 255).sum()) for row in wanted for _ in range(3)]
    assert factor == 2 and 48 > bars[-1] > bars[0] > 0


def test_a_batch_of_heads_takes_the_size_that_each_file_states(tmp_path, phantom, measured):
    from made_up_scans import us_region, write_dicom

    size_cm = phantom.pixel_size_mm / 10
    regions = {"SequenceOfUltrasoundRegions": [us_region(size_cm, size_cm)]}
    files = [
        Upload(write_dicom(tmp_path / "x1", phantom.image, **regions), "stated.dcm"),
        Upload(tmp_path / "x2", "silent.png"),
    ]
    files[1].path.write_bytes(png(phantom.image))
    stated, silent = csv_of(head.answer_files(files, OneModel(measured), None, ""))
    assert float(stated["hc_mm"]) == pytest.approx(phantom.hc_mm, rel=0.004)
    assert silent["status"] == "declined" and "states no pixel size" in silent["reason"]


def test_an_age_is_years_of_an_adult_or_nothing():
    assert brain_age.read_years("67,5") == 67.5 and brain_age.read_years("") is None
    with pytest.raises(UploadError, match="must be 18 to 100 years"):
        brain_age.read_years("7")


def test_a_file_that_is_no_scan_has_no_brain_age(tmp_path, choice):
    file = Upload(tmp_path / "secret-folder", "a.nii.gz")
    file.path.write_bytes(b"no gzip")
    html = brain_age.answer_files([file], OneModel(Loaded(adult_age_model(), choice)), None, "")
    assert "I don’t know" in html and "a.nii.gz" in html and "secret-folder" not in html


def test_gradio_is_loaded_when_the_page_is_built_and_not_before():
    code = "import sys, fetal_book.app, fetal_book.cli.open_app; print('gradio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
