"""What must not tell the class of a brain anomaly phantom: a classifier that sees only that."""

import cv2
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict

from fetal_phantoms.anomalies.labels import LABELS
from fetal_phantoms.anomalies.patient import draw_patient, draw_view
from fetal_phantoms.anomalies.phantom import make_anomaly

SIZE = (400, 540)
SMALL = (160, 216)


def accuracy(features, labels):
    forest = RandomForestClassifier(100, max_depth=6, random_state=0)
    return np.mean(cross_val_predict(forest, np.array(features), labels, cv=5) == labels)


def chance_limit(n):
    """The accuracy that guessing among 16 classes reaches in one of a thousand trials."""
    share = 1 / len(LABELS)
    return share + 3.1 * np.sqrt(share * (1 - share) / n)


def setting(patient, view):
    fetus, sector, pose = patient.fetus, view.sector, view.pose
    return (
        fetus.ga_days, fetus.hc_mm, fetus.cephalic_index, fetus.pixel_size_mm,
        fetus.probe.frequency_mhz, fetus.probe.dynamic_range_db, fetus.probe.half_angle_deg,
        pose.center_x, pose.center_y, np.cos(pose.angle_rad), np.sin(pose.angle_rad),
        sector.near, sector.far, sector.half_angle_rad, view.focus_mm,
    )  # fmt: skip


@pytest.mark.slow
def test_age_size_probe_magnification_and_pose_do_not_tell_the_class():
    """The place of an encephalocele is kept in the picture, so that class is left out."""
    features, labels = [], []
    for seed in range(40 * len(LABELS)):
        label = LABELS[seed % len(LABELS)]
        if label == "encephalocele":
            continue
        patient = draw_patient(seed, label, None, SIZE)
        view = draw_view(np.random.default_rng([seed, 2, 0]), patient, SIZE)
        features.append(setting(patient, view))
        labels.append(label)
    assert accuracy(features, np.array(labels)) < chance_limit(len(labels))


def test_a_lesion_size_would_tell_it():
    """The same classifier is not blind: the atrium finds ventriculomegaly."""
    rng = np.random.default_rng(0)
    labels = np.repeat(LABELS, 20)
    features = [(rng.normal() + 3 * LABELS.index(label),) for label in labels]
    assert accuracy(features, labels) > 0.5


@pytest.mark.slow
def test_what_lies_around_the_head_and_the_marks_do_not_tell_the_class():
    features, labels = [], []
    for seed in range(20 * len(LABELS)):
        label = LABELS[seed % len(LABELS)]
        if label == "encephalocele":
            continue
        phantom = make_anomaly(5000 + seed, label, image_size=SMALL)
        head = cv2.dilate(phantom.head.astype(np.uint8), np.ones((9, 9))) > 0
        around, rows = phantom.image[~head], np.linspace(0, SMALL[0], 5).astype(int)
        outside = np.where(head, 0, phantom.image)
        corner = [outside[top : top + 40, c:].mean() for top in rows[:4] for c in (0, 150)]
        quantiles = np.percentile(around, (25, 50, 75, 90, 99))
        features.append((*quantiles, around.std(), phantom.pixel_size_mm, head.mean(), *corner))
        labels.append(label)
    assert accuracy(features, np.array(labels)) < chance_limit(len(labels))
