"""The figure of the audit shows every check and the closest pairs, and not by colour alone."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from planted_leaks import planted_cases

from fetal_lib.data.audit.cases import audit_cases
from fetal_lib.plots.audit import LOOKS, audit_figure, pairs_figure

matplotlib.use("Agg")
NAMED = {"label": "label", "group": "patient", "part": "part", "source": "source"}


@pytest.fixture
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def texts(figure):
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text)]


def test_each_check_is_a_row_with_its_verdict_in_words(close_figures):
    cases, _ = planted_cases("file order", n_groups=40)
    report = audit_cases(cases, **NAMED)
    figure = audit_figure(report)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == report.findings["check"].tolist()
    words = texts(figure)
    assert (
        sum(w.startswith("leak ·") for w in words) == (report.findings["verdict"] == "leak").sum()
    )
    assert len(figure.axes) == 1, "no images were given, so there are no pairs to show"


def test_the_closest_pairs_are_shown_with_their_names(close_figures):
    cases, images = planted_cases("mirrored duplicates", n_groups=40)
    report = audit_cases(cases, images, **NAMED)
    figure = audit_figure(report, n_pairs=2)
    first = report.pairs.iloc[0]
    assert any(first["image_a"] in w and first["image_b"] in w for w in texts(figure))
    assert any("mirrored" in w for w in texts(figure))
    shown = [image for ax in figure.axes for image in ax.images]
    assert len(shown) == 4 and shown[0].get_array().shape == (48, 48)


@pytest.mark.parametrize("n_pairs", [1, 3])
def test_long_names_and_classes_do_not_run_into_one_another(close_figures, n_pairs):
    cases, images = planted_cases("mirrored duplicates", n_groups=40)
    cases["image"] = [f"Copy-of-moderate-ventriculomegaly_aug_{i}" * 2 for i in range(len(cases))]
    cases["label"] = "arnold_chiari_malformation_" + cases["label"].astype(str)
    figure = audit_figure(audit_cases(cases, images, **NAMED), n_pairs=n_pairs)
    figure.canvas.draw()
    titles = [ax.get_title(loc="left") and ax._left_title for ax in figure.axes]
    boxes = [title.get_window_extent() for title in titles if title]
    assert len(boxes) == n_pairs and boxes[-1].x1 <= figure.bbox.x1
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))
    assert all("_aug_" in title.get_text() for title in titles if title)


def test_images_that_are_handed_in_replace_the_small_ones(close_figures):
    cases, images = planted_cases("exact duplicates", n_groups=40)
    report = audit_cases(cases, images, **NAMED)
    whole = dict(zip(cases["image"], images, strict=True))
    figure = audit_figure(report, whole, n_pairs=1)
    shown = [image for ax in figure.axes for image in ax.images]
    assert np.array_equal(shown[0].get_array(), whole[report.pairs["image_a"][0]])


def test_verdicts_differ_in_marker_as_well_as_in_colour():
    colours, markers = zip(*LOOKS.values(), strict=True)
    assert len(set(colours)) == len(set(markers)) == 3


@pytest.mark.parametrize(("n_pairs", "panels"), [(1, 1), (4, 4), (9, 6)])
def test_a_figure_of_pairs_shows_the_first_and_leaves_no_empty_frame(
    n_pairs, panels, close_figures
):
    import pandas as pd

    row = {"image_a": "a.png", "image_b": "b.png", "label_a": "cyst", "label_b": "normal"}
    row |= {"part_a": "", "part_b": "", "exact": False, "bits": 3, "view": "as it is"}
    images = dict.fromkeys(("a.png", "b.png"), np.zeros((20, 30), np.uint8))
    figure = pairs_figure(pd.DataFrame([row] * n_pairs), images)
    assert sum(axes.axison for axes in figure.axes) == panels
    assert sum("cyst and normal" in words for words in texts(figure)) == panels
