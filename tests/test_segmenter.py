"""Trained segmenters: probabilities, ensembles, saving; scores, costs and comparisons of them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from fetal_book.chapters.biometry_segmentation.network_cost import (  # noqa: E402
    activation_mib,
    multiply_accumulates,
)
from fetal_book.chapters.biometry_segmentation.scores import (  # noqa: E402
    METRICS,
    holm,
    paired_tests,
    score_structures,
)
from fetal_book.chapters.biometry_segmentation.source import pixel_counts, pooled_dice  # noqa: E402
from fetal_book.chapters.case_scores import add_means  # noqa: E402
from fetal_book.chapters.outlines import circumference_mm  # noqa: E402
from fetal_lib.geometry.ellipse import Ellipse  # noqa: E402
from fetal_lib.models.segmentation_networks import build_network, example_inputs  # noqa: E402
from fetal_lib.predict.segmenter import Segmenter, SegmenterSpec, fuse_members, load_segmenter  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)


def segmenter(name="unet", **fields):
    torch.manual_seed(0)
    spec = SegmenterSpec(name, 0.0625, 32, "mask", sampling_steps=2, members=3, **fields)
    return Segmenter(spec.build(), spec)


@pytest.mark.parametrize("name", ["unet", "med_seg_diff"])
def test_probabilities_have_the_images_shape_and_come_back_from_disk(tmp_path, name):
    one = segmenter(name)
    with torch.no_grad():
        for parameter in one.network.parameters():
            parameter.copy_(parameter.half().float())  # kernels are kept in 16 bits
    found = one.probs(IMAGES)
    assert found.shape == IMAGES.shape and 0 <= found.min() and found.max() <= 1
    one.save(tmp_path / "model", "# card\n")
    np.testing.assert_allclose(load_segmenter(tmp_path / "model").probs(IMAGES), found, atol=1e-5)


def test_an_image_s_ensemble_does_not_depend_on_its_batch():
    one = segmenter("med_seg_diff")
    with torch.no_grad():
        for parameter in one.network.parameters():  # off the zeros that blocks start with
            parameter.add_(0.05 * torch.randn_like(parameter))
    whole, alone = one.members(IMAGES), one.members(IMAGES[1:2])
    assert whole.shape == (3, 3, 32, 32)
    np.testing.assert_allclose(whole[:, 1], alone[:, 0], atol=1e-4)
    assert np.abs(whole[0] - whole[1]).max() > 1e-4  # members differ


def test_the_condition_network_is_asked_once_for_all_members():
    one, calls = segmenter("med_seg_diff"), []
    look = one.network.look
    one.network.look = lambda image: calls.append(1) or look(image)
    one.members(IMAGES)
    assert len(calls) == 1  # for three members of two steps each


@pytest.mark.parametrize("how", ["mean", "majority", "staple"])
def test_an_ensemble_of_one_mind_is_followed(how):
    mask = (IMAGES > 128).astype("float32")
    np.testing.assert_allclose(fuse_members(np.stack([mask] * 3), how), mask, atol=1e-6)


def test_missing_models_and_fusions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no model.json"):
        load_segmenter(tmp_path)
    with pytest.raises(ValueError, match="how='vote': use one of staple, mean, majority"):
        fuse_members(np.zeros((2, 1, 4, 4)), "vote")


def ellipse_case(semi_major=120, semi_minor=90, shape=(540, 800)):
    ellipse = Ellipse(400, 270, semi_major, semi_minor, 0.4)
    return ellipse, 255 * ellipse.mask(shape).astype(np.uint8)


def case_table(n, true_mm, pixel_size_mm=0.2):
    return pd.DataFrame(
        {
            "image": [f"{i}.png" for i in range(n)],
            "subject": [f"s{i}" for i in range(n)],
            "structure": "head",
            "source": "made up",
            "pixel_size_mm": pixel_size_mm,
            "true_mm": true_mm,
        }
    )


def test_a_perfect_map_has_perfect_scores_and_the_ellipse_s_length():
    import cv2

    ellipse, mask = ellipse_case()
    probs = cv2.resize(mask / 255, (128, 128), interpolation=cv2.INTER_AREA)[None]
    row = score_structures(case_table(1, ellipse.perimeter * 0.2), [mask], probs).iloc[0]
    assert row["dice"] > 0.998 and row["map"] == 1.0
    assert abs(row["df_mm"]) < 0.005 * row["true_mm"] and row["hd95_mm"] < 2 * 0.2 * 6.25


def test_a_squashed_ellipse_is_carried_back_as_a_whole():
    import cv2

    ellipse, mask = ellipse_case(200, 120)
    small = cv2.resize(mask / 255, (96, 96), interpolation=cv2.INTER_AREA)
    assert circumference_mm(small, (540, 800), 0.1) == pytest.approx(
        ellipse.perimeter * 0.1, rel=0.005
    )


def test_nothing_found_scores_zero_overlap_and_no_length():
    _, mask = ellipse_case()
    scores = score_structures(case_table(2, 130.0), [mask] * 2, np.zeros((2, 64, 64)))
    assert (scores[["dice", "map"]] == 0).all().all() and scores["adf_mm"].isna().all()
    rows: list[dict] = []
    run = SimpleNamespace(parameters=SimpleNamespace(seed=0))
    run.add_result = lambda **row: rows.append(row)
    add_means(run, scores, METRICS, "subject", model="m", data="d", split="test")
    assert {row["metric"] for row in rows} == {"dice", "iou", "recall", "precision", "map"}


def test_map_is_the_mean_share_over_ten_thresholds():
    a, b = ellipse_case()[1], np.zeros((540, 800), np.uint8)
    b[:, :] = a
    half = np.where(np.arange(800) < 400, 0.0, 1.0) * (a / 255)  # IoU about one half
    row = score_structures(case_table(1, 130.0), [a], half[None]).iloc[0]
    assert row["iou"] == pytest.approx(0.5, abs=0.02) and row["map"] <= 0.1


def fake_scores(values):
    table = case_table(len(values), 100.0)
    return table.assign(dice=values)


def test_paired_tests_see_a_small_gap_that_unpaired_intervals_would_not():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.7, 0.95, 40)
    gap = paired_tests({"a": fake_scores(base + 0.01), "b": fake_scores(base)}).iloc[0]
    assert gap["low"] > 0 and gap["p_holm"] < 1e-6
    assert gap["difference"] == pytest.approx(0.01)
    same = paired_tests({"a": fake_scores(base), "b": fake_scores(base)}).iloc[0]
    assert same["p"] == 1 and same["difference"] == 0


def test_a_model_that_measured_nothing_has_no_difference_and_spoils_no_other():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.7, 0.95, 12)
    frames = {"a": fake_scores(base), "b": fake_scores(base - 0.1)}
    found = paired_tests(frames | {"none": fake_scores(np.full(12, np.nan))})
    assert found["difference"].isna().tolist() == [False, True, True]
    assert found["p_holm"].iloc[0] == pytest.approx(3 * found["p"].iloc[0])


def test_models_scored_on_other_images_are_not_compared():
    with pytest.raises(ValueError, match="different images"):
        paired_tests({"a": fake_scores([0.9, 0.8]), "b": fake_scores([0.9])})


def test_holm_agrees_with_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p = np.random.default_rng(1).uniform(0, 0.1, 15)
    np.testing.assert_allclose(holm(p), multitest.multipletests(p, method="holm")[1])


def test_pooled_dice_hides_a_small_structure_that_was_missed():
    masks = np.zeros((2, 40, 40), np.uint8)
    masks[0, :30, :30], masks[1, :3, :3] = 255, 255
    probs = np.stack([masks[0] / 255, np.zeros((40, 40))])
    assert pooled_dice(pixel_counts(masks, probs)) > 0.99  # although the mean per image is one half


def test_operations_of_a_network_are_those_of_its_layers():
    network = build_network("unext_s", width=1.0, image_size=64)
    small = multiply_accumulates(network, example_inputs("unext_s", 1, side=64))
    large = multiply_accumulates(network, example_inputs("unext_s", 1, side=128))
    assert large == pytest.approx(4 * small, rel=0.01)  # convolutions grow with the area
    assert activation_mib(network, example_inputs("unext_s", 1, side=64)) > 0.1


def test_the_published_operations_of_unext():
    network = build_network("unext", 3)
    macs = multiply_accumulates(network, example_inputs("unext", 1, 3, side=256))
    assert macs / 1e9 == pytest.approx(0.56, abs=0.02)


def test_an_ancestral_sample_takes_all_its_steps_and_is_the_same_again():
    one, calls = segmenter("med_seg_diff"), []
    denoise = one.network.denoise
    one.network.denoise = lambda *given: calls.append(1) or denoise(*given)
    first = one.members(IMAGES, n_members=1, ancestral_steps=7)
    assert len(calls) == 7 and first.shape == (1, 3, 32, 32)
    np.testing.assert_array_equal(first, one.members(IMAGES, n_members=1, ancestral_steps=7))
