"""Checks of heat-maps answer known questions rightly."""

import numpy as np
import pytest

from fetal_lib.explain.sanity import randomised, region_shares, replacement_curve


def weigh(images):
    return images[..., 0].sum((1, 2)).astype(float)


def test_hiding_by_a_true_map_moves_the_answer_first():
    rng = np.random.default_rng(0)
    image = rng.exponential(1.0, (16, 16, 1))
    share, best = replacement_curve(image, image[..., 0], weigh, steps=8)
    worst = replacement_curve(image, -image[..., 0], weigh, steps=8)[1]
    middle = replacement_curve(image, np.zeros((16, 16)), weigh, steps=8)[1]
    assert share[0] == 0 and share[-1] == 1 and best[0] == 0
    assert best[-1] == pytest.approx(worst[-1])
    assert best[4] > middle[4] > worst[4]


def test_insertion_starts_where_deletion_ends():
    image = np.random.default_rng(1).random((8, 8, 2))
    hidden = replacement_curve(image, image[..., 0], weigh)[1]
    shown = replacement_curve(image, image[..., 0], weigh, insert=True)[1]
    assert shown[0] == pytest.approx(hidden[-1]) and shown[-1] == pytest.approx(0)


def test_a_map_that_knows_nothing_has_ratio_one():
    region = np.zeros((10, 10), bool)
    region[:3] = True
    row = region_shares(np.ones((10, 10)), {"top": region}).iloc[0]
    assert row["ratio"] == pytest.approx(1) and row["area"] == pytest.approx(0.3)
    assert np.isnan(region_shares(np.zeros((10, 10)), {"top": region})["map"]).all()


def test_a_map_of_another_size_is_refused():
    with pytest.raises(ValueError, match="saliency"):
        replacement_curve(np.zeros((4, 4, 1)), np.zeros((2, 2)), weigh)


def test_shuffled_weights_keep_their_spread_and_nothing_else():
    from fetal_lib.models.vgg16_attention import get_age_network

    def build():
        return get_age_network(32, width=0.0625, hidden=8)

    network = build()
    other = randomised(network, build, seed=1)
    for a, b in zip(network.get_weights(), other.get_weights(), strict=True):
        assert a.shape == b.shape and np.allclose(np.sort(a.ravel()), np.sort(b.ravel()))
    assert not np.allclose(network.get_weights()[0], other.get_weights()[0])
