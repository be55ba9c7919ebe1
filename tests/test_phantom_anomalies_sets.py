"""Sets of brain anomaly phantoms: nuisances do not tell the class, and the loader reads them."""

import json

import cv2
import numpy as np
import pytest

from fetal_lib.data.layouts.brain_anomalies import iter_images, read_cases
from fetal_phantoms.anomalies.labels import LABELS
from fetal_phantoms.anomalies.patient import draw_patient
from fetal_phantoms.anomalies.phantom import make_anomaly
from fetal_phantoms.anomalies.write import CSV_HEADER, label_of_patient, write_anomaly_set

SIZE = (400, 540)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_anomaly_set(tmp_path_factory.mktemp("anomalies") / "set", 16, 4)


@pytest.mark.parametrize("label", LABELS)
def test_the_class_leaves_age_size_scale_probe_and_direction_alone(label):
    for seed in range(5):
        normal, other = (draw_patient(seed, name, None, SIZE) for name in ("normal", label))
        assert other.fetus.ga_days == normal.fetus.ga_days
        assert other.fetus.hc_mm == normal.fetus.hc_mm
        assert other.fetus.pixel_size_mm == normal.fetus.pixel_size_mm
        assert other.fetus.probe == normal.fetus.probe
        assert other.turn_rad == normal.turn_rad


def test_marks_do_not_know_the_class():
    blank = {}
    for label in ("normal", "severe_ventriculomegaly"):
        pair = [make_anomaly(11, label, marks=marks, plane="transventricular").image
                for marks in (False, True)]  # fmt: skip
        blank[label] = pair[0] != pair[1]
        bar = pair[1][:, 2:10]
        assert bar.max() == 255
    changed = blank["normal"] ^ blank["severe_ventriculomegaly"]
    assert changed.mean() < 0.05  # only where the image below had the same grey by chance


@pytest.mark.slow
def test_brightness_contrast_and_place_tell_normal_from_not_no_better_than_chance():
    def nuisances(label, seed):
        phantom = make_anomaly(seed, label, marks=False, image_size=(200, 270))
        y, x = np.nonzero(phantom.head)
        outside = phantom.image[~(cv2.dilate(phantom.head.astype(np.uint8), np.ones((25, 25))) > 0)]
        return (phantom.pixel_size_mm, x.mean(), y.mean(), phantom.head.mean(),
                outside.mean(), np.percentile(phantom.image, 99))  # fmt: skip

    ill = [label for label in LABELS if label not in ("normal", "encephalocele")]
    normal = np.array([nuisances("normal", seed) for seed in range(60)])
    others = np.array([nuisances(ill[seed % len(ill)], 1000 + seed) for seed in range(60)])
    for column in range(normal.shape[1]):
        greater = (others[:, None, column] > normal[None, :, column]).mean()
        assert 0.33 < greater < 0.67, column  # the area under the curve; its error is 0.053


def test_sixteen_patients_hold_each_class_once():
    for seed in (0, 7):
        assert {label_of_patient(seed, k) for k in range(16)} == set(LABELS)
        assert {label_of_patient(seed, k) for k in range(16, 32)} == set(LABELS)
    assert [label_of_patient(0, k) for k in range(16)] != [
        label_of_patient(1, k) for k in range(16)
    ]


def test_set_is_read_by_the_loader_of_the_chapter(folder):
    table = read_cases(folder)
    assert set(table["label"]) == set(LABELS) and table["subject"].nunique() == 16
    assert table.groupby("subject")["label"].nunique().max() == 1
    assert table.groupby("subject").size().between(1, 3).all()
    assert table.groupby("subject")["ga_days"].nunique().max() == 1
    assert (
        table["ga_days"].between(133, 252).all() and table["pixel_size_mm"].between(0.03, 0.8).all()
    )
    images = list(iter_images(table))
    assert len(images) == len(table) and min(image.std() for image in images) > 3
    for row in table.itertuples():
        assert row.image_path.is_file() and row.lesion_path.name == row.image
        lesion = cv2.imread(str(row.lesion_path), cv2.IMREAD_UNCHANGED)
        assert lesion.shape == SIZE and set(np.unique(lesion)) <= {0, 255}
        assert lesion.any() == (row.label != "normal")


def test_table_and_record_agree(folder):
    lines = (folder / "cases.csv").read_text().splitlines()
    assert lines[0] == CSV_HEADER == "image,lesion,label,patient,ga_days,pixel_size_mm"
    names = [line.split(",")[0] for line in lines[1:]]
    on_disk = sorted(f"images/{path.name}" for path in (folder / "images").iterdir())
    assert sorted(names) == on_disk
    record = json.loads((folder / "phantom.json").read_text())
    assert record["seed"] == 4 and record["n_patients"] == 16 and record["n_images"] == len(names)
    assert {f"images/{name}" for name in record["measures_mm"]} == set(names)
    assert record["generator"] == "fetal_phantoms.anomalies" and record["version"]


def test_frames_share_the_anatomy_and_differ_in_view():
    first, second = (make_anomaly(6, "severe_ventriculomegaly", frame=frame) for frame in (0, 1))
    assert first.measures == pytest.approx(second.measures, rel=0.01)
    assert (first.ga_days, first.pixel_size_mm) == (second.ga_days, second.pixel_size_mm)
    assert not np.array_equal(first.head, second.head)


def test_unknown_shares_are_refused(tmp_path):
    with pytest.raises(ValueError, match="shares is 'most'"):
        write_anomaly_set(tmp_path / "set", 2, 0, shares="most")
    assert not list(tmp_path.iterdir())
