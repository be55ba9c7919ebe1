"""Figures of a classifier show what their tables hold, also where a kind of case is absent."""

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pandas as pd
import pytest

from fetal_lib.metrics.calibration import reliability
from fetal_lib.metrics.selective import risk_coverage
from fetal_lib.plots import classification, confidence


@pytest.fixture(autouse=True)
def closed():
    yield
    matplotlib.pyplot.close("all")


def test_bars_of_the_class_counts_add_up_to_the_images_of_each_class():
    counts = pd.DataFrame({"class": ["a", "b"], "train": [7, 3], "val": [2, 0], "test": [1, 4]})
    counts = counts.assign(images=[10, 7], patients=[5, 4])
    axes = classification.class_counts_figure(counts).axes[0]
    assert sum(bar.get_width() for bar in axes.patches) == 17
    assert [text.get_text() for text in axes.texts] == ["10", "7"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axes.get_legend().texts] == ["train", "val", "test"]


def test_a_confusion_matrix_shows_counts_and_leaves_zeros_out():
    confusion = np.array([[6, 0], [1, 4]])
    axes = classification.confusion_figure(confusion, ["a", "b"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["6", "", "1", "4"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a (6)", "b (5)"]


@pytest.mark.parametrize("inside", [(1, 1, 0), (1, 1, 1), (0, 0, 0)])
def test_sets_are_shown_whether_or_not_any_holds_the_truth(inside):
    curves = {"CNN": risk_coverage(np.array([0.9, 0.8, 0.7]), np.array([True, True, False]))}
    size, held = np.array([1, 2, 2]), np.array(inside, bool)
    left = confidence.sets_figure(size, held, 0.9, curves).axes[0]
    assert sum(bar.get_height() for bar in left.patches) == 3
    hatched = sum(bar.get_height() for bar in left.patches if bar.get_hatch())
    assert hatched == (~held).sum()


def test_the_area_of_a_point_of_reliability_is_its_share_of_the_images():
    probs = np.repeat([0.25, 0.75], [30, 10])
    bins = reliability(probs, np.arange(40) % 2 == 0)
    figure = confidence.reliability_figure({"before": bins})
    points = figure.axes[0].collections[-1]
    assert points.get_sizes() == pytest.approx(14 + 170 * bins.n / 40)


def test_a_model_without_epochs_has_no_curve():
    epochs = [{"epoch": k, "loss": 1 / k, "val_loss": 1 / k, "val_macro_f1": 0.1} for k in (1, 2)]
    left, right = classification.training_curves({"a": epochs, "b": []}).axes
    assert len(left.lines) == 2
    assert [text.get_text() for text in right.get_legend().texts] == ["a", "training (augmented)"]


def test_bars_of_the_border_carry_their_intervals():
    rows = [
        {"network": name, "image": view, "macro_f1": 0.5, "low": 0.4, "high": 0.7}
        for name in ("cnn", "xception")
        for view in ("as it is", "black")
    ]
    axes = classification.border_figure(pd.DataFrame(rows), ["CNN", "Xception"]).axes[0]
    ends = [line.get_segments()[0][:, 1] for line in axes.collections]
    assert len(ends) == 2 and ends[0] == pytest.approx([0.4, 0.7])
