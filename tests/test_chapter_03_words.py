"""Chapter 03: intervals of the source's protocol, the box plot, and sentences made of tables."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from test_chapter_03 import Kept

pytest.importorskip("torch")


from fetal_book.chapters.biometry_segmentation import data as cases
from fetal_book.chapters.biometry_segmentation import explain, growth, report, source
from fetal_book.chapters.biometry_segmentation.source import pixel_counts, pooled_dice
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.metrics.segmentation import dice
from fetal_lib.metrics.trainings import over_blocks
from fetal_lib.plots.segmentation import dice_boxes

MASKS = np.random.default_rng(0).integers(0, 256, (6, 12, 12), dtype=np.uint8)
PROBS = np.random.default_rng(1).random((6, 12, 12))


def test_dice_of_counts_is_the_library_s_dice_per_image_and_pooled():
    counts = pixel_counts(MASKS, PROBS)
    alone = [dice(m >= 128, q >= 0.5) for m, q in zip(MASKS, PROBS, strict=True)]
    assert source.mean_dice(counts) == pytest.approx(np.mean(alone))
    assert pooled_dice(counts) == pytest.approx(dice(MASKS >= 128, PROBS >= 0.5))
    assert [pooled_dice(one[None]) for one in counts] == pytest.approx(alone)
    nothing = np.zeros((1, 3), int)
    assert source.mean_dice(nothing) == pooled_dice(nothing) == 1


class Answers:
    """Stands for a network: gives each image back as its map."""

    def probs(self, images):
        return images / 255


def twice(counts, statistic, subjects):
    """Return what two trainings with the same answers give."""
    return np.hstack([counts, counts]), partial(over_blocks, statistic, 2), subjects


def test_the_protocol_s_intervals_draw_subjects_and_pool_within_the_draw(monkeypatch):
    """Nine frames of one subject are right and one of another is missed: two draws, not ten."""
    masks = np.zeros((10, 8, 8), np.uint8)
    masks[:, 2:6, 2:6] = 255
    found = masks.copy()
    found[9] = 0
    test = cases.CaseArrays(found, masks, np.array([[8, 8]] * 10))
    monkeypatch.setattr(source, "augmented", lambda arrays, seed: (arrays.images, arrays.masks))
    subjects = np.array(["a"] * 9 + ["b"])
    plain, altered, pooled = source._three_ways(Answers(), test, 0)
    assert (plain[0] == altered[0]).all() and plain[1](plain[0]) == pytest.approx(0.9)
    assert pooled[1](pooled[0]) == pytest.approx(2 * 9 / (2 * 9 + 1))
    for counts, statistic in (plain, pooled):  # b alone may be drawn; images would not
        assert bootstrap_ci(counts, statistic, subjects) == (0, 1)
    run = Kept()
    sides = zip(("unet_by_subject", "unet_by_image"), (plain, plain), strict=True)
    counted = {name: twice(*way, subjects) for name, way in sides}
    counted |= {"unet_by_subject_augmented_test": twice(*altered, subjects)}
    counted |= {"unet_by_subject_pooled": twice(*pooled, subjects)}
    source.add_differences(run, counted, dict.fromkeys(counted, 0.5), trainings=2)
    value, n = run.differences["unet_by_subject_pooled", "unet_by_subject_augmented_test"]
    assert value == pytest.approx(18 / 19 - 0.9) and n == 2
    assert run.differences["unet_by_image", "unet_by_subject"] == (0, 2)


def scores_of(n, structures, worst):
    values = np.linspace(worst, 0.99, n)
    rows = {"subject": np.arange(n) // 2, "structure": np.resize(structures, n)}
    return pd.DataFrame(rows | {"dice": values})


def test_box_plot_shows_every_image_and_says_how_many():
    scores = {"unet": scores_of(8, ["head", "abdomen"], 0.0)}
    scores["ellipse_fit"] = scores_of(8, ["head", "abdomen"], 0.5)
    figure = dice_boxes(scores)
    assert [ax.get_title() for ax in figure.axes] == [
        "head: 4 images of 4 subjects",
        "abdomen: 4 images of 4 subjects",
    ]
    three = dice_boxes({"unet": scores_of(9, ["femur", "head", "abdomen"], 0.0)})
    assert three.axes[0].get_title() == "femur:\n3 images of 3 subjects"  # or they overlap
    first = figure.axes[0]
    assert [text.get_text() for text in first.get_yticklabels()] == ["unet", "ellipse_fit"]
    heads = scores["unet"].loc[scores["unet"]["structure"] == "head", "dice"]
    assert first.collections[0].get_offsets()[:, 0].tolist() == pytest.approx(heads.tolist())
    low, high = first.get_xlim()
    assert low <= 0 and high == 1  # a failure is not cut off


def table_of(layout, structures):
    rows = {"subject": ["s1", "s1", "s2"], "structure": structures}
    return pd.DataFrame(rows | {"source": "there", "layout": layout})


def test_text_tells_images_from_subjects_and_where_abdomens_come_from():
    heads = cases.data_text(table_of("hc18", ["head"] * 3))
    assert "**3 images of 2 subjects**, up to 2 of one" in heads and "examination" in heads
    assert "no AC and no weight" in heads
    clinic = cases.data_text(table_of("clinical", ["head", "abdomen", "head"]))
    assert "AC and weight rest: 1, from `there`" in clinic
    assert "examination" not in clinic and "no AC" not in clinic


def dices_of(values, subjects):
    return pd.DataFrame({"subject": subjects, "dice": values})


def test_choice_says_how_often_other_subjects_would_choose_it():
    """One subject of three decides: it is drawn at least once in 1 - (2/3)³ of resamples."""
    subjects = ["a", "a", "b", "b", "c", "c"]
    scores = {"unet": dices_of([0.8] * 6, subjects)}
    scores["unext"] = dices_of([0.9, 0.9, 0.79, 0.79, 0.79, 0.79], subjects)
    told = report.choice_text(scores, "unext", 0)
    assert "Chosen on 6 validation images of 3 subjects: **unext**" in told
    again = int(re.search(r"(\d+)% choose it again", told)[1])
    assert again == pytest.approx(100 * (1 - (2 / 3) ** 3), abs=4)
    assert told.endswith(f", {100 - again}% `unet`.")
    sure = report.choice_text({"unet": scores["unet"], "trans_unet": scores["unet"]}, "unet", 0)
    assert sure.endswith(" 100% choose it again.")  # the first of equals, as it was chosen


def test_text_says_how_many_weights_have_a_centile_and_at_which_age():
    rows = {"efw_true_g": [900.0, 1500.0, np.nan], "centile_true": [np.nan, 12.0, np.nan]}
    told = growth.weights_text(pd.DataFrame(rows | {"age_from": growth.FROM_HEAD}))
    assert told.startswith("Of 2 subjects with head and abdomen, 0 with a femur too, **1** have")
    assert "1 at the age by the annotated head" in told and "22 to 40 weeks" in told
    assert "no weight" in growth.weights_text(pd.DataFrame({"efw_true_g": [np.nan]}))


CHECKS = {"map on structure": 0.6, "structure's area": 0.2, "map on edge": 0.1, "edge's area": 0.2}


def means_of(model, deletion, insertion):
    rows = [(model, "deletion", *deletion), (model, "insertion", *insertion)]
    return pd.DataFrame(rows, columns=["model", "way", "mean, map order", "mean, random order"])


def test_verdict_says_of_each_network_what_it_passed_and_failed():
    checks = pd.DataFrame(
        [
            {"model": "unet", **CHECKS, "r, shuffled weights": 0.1},
            {"model": "unet", **CHECKS, "r, shuffled weights": -0.2},
            {"model": "med_seg_diff", **CHECKS, "r, shuffled weights": 0.1},
        ]
    )
    means = [means_of("unet", (3.0, 2.0), (1.0, 2.0)), means_of("med_seg_diff", (1, 2), (1, 2))]
    plain, diffusion = explain.cam_verdict(checks, pd.concat(means)).splitlines()
    assert "`unet`, 2 images, 0 of 4 failed" in plain and "**failed**" not in plain
    assert "shuffled weights passed (|r| up to 0.20" in plain
    assert "1 of 4 failed" in diffusion and diffusion.count("**failed**") == 1
    assert "deletion **failed** (mean change 1, 2 in random order)" in diffusion


def test_verdict_fails_a_map_that_weights_do_not_change_and_one_that_lies_elsewhere():
    rows = [{"model": "unet", **CHECKS, "r, shuffled weights": r} for r in (0.1, -0.9)]
    rows[0] |= {"map on structure": 0.1}
    told = explain.cam_verdict(pd.DataFrame(rows), means_of("unet", (3, 2), (3, 2)))
    assert "place **failed** (ahead of its area in 1 of 2 images)" in told
    assert "shuffled weights **failed** (|r| up to 0.90" in told
    assert "insertion **failed**" in told and "3 of 4 failed" in told


def test_verdict_counts_an_empty_map_as_not_tested():
    row = {"model": "unet", **CHECKS, "map on structure": np.nan, "r, shuffled weights": np.nan}
    columns = ["model", "way", "mean, map order", "mean, random order"]
    told = explain.cam_verdict(pd.DataFrame([row]), pd.DataFrame(columns=columns))
    assert told.count("not tested (") == 4 and "passed (" not in told and "0 of 4 failed" in told


@pytest.mark.parametrize(("n", "of", "expected"), [(3, 9, [0, 4, 8]), (5, 2, [0, 1]), (3, 0, [])])
def test_few_cases_are_spread_over_all(n, of, expected):
    assert evenly_spaced(n, of).tolist() == expected


def test_the_page_says_the_coverage_that_the_chapter_promises():
    from fetal_book.site.reference_part import PROMISED

    assert PROMISED == {"03_biometry_segmentation": report.COVERAGE}
