"""The source's protocol is what its notebooks do, flaws included."""

import numpy as np
import pytest

from fetal_lib.baselines.head_size import fit_pixel_size_regression
from fetal_lib.baselines.mask_features import regress_from_features, regress_with_pixel_size
from fetal_lib.training.source_003 import background_accuracy, source_split, source_targets


def test_mirror_images_cross_the_split():
    images = np.random.default_rng(0).integers(0, 255, (200, 4, 6), np.uint8)
    split = source_split(images, images)
    assert len(split.val[0]) == 80 and len(split.train[0]) == 320
    assert 0.7 < split.leaked_share < 0.9  # 4 in 5 mirror images land in the training part


def test_mirrored_pairs_stay_pairs():
    images = np.arange(20 * 2 * 3, dtype=np.uint8).reshape(20, 2, 3)
    split = source_split(images, 255 - images)
    for image, outline in zip(*split.train, strict=True):
        np.testing.assert_array_equal(image, 255 - outline)


def test_targets_reach_two_so_that_ring_pixels_can_never_be_right():
    keras = pytest.importorskip("keras")
    ring = np.zeros((1, 10, 10), np.uint8)
    ring[0, 5] = 255
    targets = source_targets(ring)
    assert targets.max() == 2
    perfect = (ring > 0).astype("float32")
    metric = keras.metrics.BinaryAccuracy()
    metric.update_state(targets, perfect)
    assert float(metric.result()) == pytest.approx(0.9) == background_accuracy(targets)


def test_features_without_pixel_size_cannot_tell_scale():
    """One shape at two zooms: the same features, another length."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 5))
    pixels = 1000 + 100 * features[:, 0]
    size = rng.choice([0.1, 0.3], 200)
    old, new = slice(0, 150), slice(150, None)
    blind = regress_from_features(features[old], (pixels * size)[old], features[new])
    scaled = regress_with_pixel_size(
        features[old], (pixels * size)[old], size[old], features[new], size[new]
    )
    error = [np.abs(guess - (pixels * size)[new]).mean() for guess in (blind, scaled)]
    assert error[1] < 1 < 50 < error[0]


def test_a_mask_that_differs_where_training_masks_hardly_do_is_not_sent_far_away():
    rng = np.random.default_rng(0)
    target = rng.uniform(100, 300, 200)
    features = np.column_stack([target / 300, rng.normal(0, 1e-4, 200)])
    odd = np.array([[200 / 300, 1.0]])  # ten thousand SD from the second feature's mean
    assert regress_from_features(features, target, odd) == pytest.approx(200, abs=20)


def test_a_set_of_one_pixel_size_is_predicted_by_its_mean_and_of_two_by_a_line():
    one = fit_pixel_size_regression(np.full(3, 0.1), np.array([1.0, 2.0, 6.0]))
    assert one.predict([0.1, 0.2]).tolist() == pytest.approx([3, 3])
    two = fit_pixel_size_regression(np.array([0.1, 0.1, 0.2]), np.array([1.0, 3.0, 4.0]))
    assert two.predict([0.1, 0.2, 0.3]).tolist() == pytest.approx([2, 4, 6])
