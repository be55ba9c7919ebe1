"""A classifier's fit learns, repeats, goes on after a cut, and balances classes inside training."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from made_up_fits import check_equal_weights, cut_after  # noqa: E402

from fetal_lib.models.anomaly_cnns import build_separable_cnn  # noqa: E402
from fetal_lib.training.augment import Augmentation  # noqa: E402
from fetal_lib.training.augment_image import GENTLE, augment_image  # noqa: E402
from fetal_lib.training.history import read_history  # noqa: E402
from fetal_lib.training.keras_classification import (  # noqa: E402
    Classification,
    ClassifierSettings,
    class_weights,
    epoch_order,
)
from fetal_lib.training.keras_fit import fit_keras  # noqa: E402

SETTINGS = ClassifierSettings(epochs=3, batch_size=8, augmentation=GENTLE, seed=3)


def discs(n=48, side=24):
    """Dark, small bright and large bright discs: three classes."""
    labels = np.arange(n) % 3
    y, x = np.mgrid[:side, :side] - side / 2
    radii = np.array([0, 4, 8])[labels][:, None, None]
    rng = np.random.default_rng(0)
    grey = 60 + 120 * (x**2 + y**2 < radii**2) + rng.normal(0, 12, (n, side, side))
    return np.clip(grey, 0, 255).astype(np.uint8), labels


def tiny():
    keras.utils.set_random_seed(7)
    return build_separable_cnn(24, n_classes=3, width=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.usefixtures("eagerly")
def test_a_cut_fit_resumes_and_ends_like_an_uncut_one(tmp_path, ema):
    images, labels = discs()
    settings = ClassifierSettings(**{**SETTINGS.__dict__, "ema": ema})
    task = Classification(images, labels, 3, settings)
    fit_keras(tmp_path / "whole", tiny(), task)

    with cut_after(2) as cut:
        fit_keras(tmp_path / "cut", tiny(), task, cut)
    fit_keras(tmp_path / "cut", tiny(), task)
    check_equal_weights(tmp_path)


@pytest.mark.slow
def test_it_learns_what_it_has_not_seen(tmp_path):
    images, labels = discs(96)
    settings = ClassifierSettings(epochs=12, batch_size=8, learning_rate=5e-3, seed=1)
    train, val = slice(0, 66), slice(66, 96)
    watched = (images[val], labels[val])
    fit_keras(tmp_path, tiny(), Classification(images[train], labels[train], 3, settings, watched))
    history = read_history(tmp_path)
    assert history[-1]["val_macro_f1"] > 0.9 and history[-1]["val_loss"] < history[0]["val_loss"]


def test_epochs_differ_but_each_repeats():
    images, labels = discs()
    orders = [epoch_order(labels, SETTINGS, epoch) for epoch in (0, 0, 1)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()
    task = Classification(images, labels, 3, SETTINGS)
    first, again = (np.concatenate([x for x, *_ in task.batches(0)]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (48, 24, 24, 1) and 0 <= first.min() and first.max() <= 1


def test_an_epoch_has_whole_batches_and_no_image_twice():
    images, _ = discs(21)
    batches = list(Classification(images, np.zeros(21, int), 3, SETTINGS).batches(0))
    assert [len(x) for x, *_ in batches] == [8, 8]
    order = epoch_order(np.zeros(21, int), SETTINGS, 0)
    assert len(set(order)) == 21


def test_oversampling_draws_classes_equally_often():
    labels = np.repeat([0, 1, 4], [180, 15, 5])
    settings = ClassifierSettings(epochs=1, batch_size=10, balance="oversample")
    drawn = np.bincount(labels[epoch_order(labels, settings, 0)], minlength=5)
    assert drawn[1] > 55 and drawn[4] > 55 and drawn[0] < 80


def test_class_weights_go_with_the_root_of_rarity():
    labels = np.repeat([0, 1], [400, 100])
    weights = class_weights(labels, 3)
    assert weights[1] / weights[0] == pytest.approx(2)
    assert weights[labels].mean() == pytest.approx(1) and weights[2] == 0


def test_an_augmented_image_stays_the_same_shape_and_scene():
    images, _ = discs()
    changed = augment_image(images[2], np.random.default_rng(0), GENTLE)
    assert changed.shape == (24, 24) and changed.dtype == np.float32
    bright = (changed > 0.5).mean()
    assert bright == pytest.approx((images[2] > 128).mean(), rel=0.4)


def test_a_strip_keeps_its_place_or_is_hidden():
    image = np.full((24, 24), 90, np.uint8)
    image[-3:] = 0
    image[-2:, :10] = 200
    plain = Augmentation(True, 40.0, (-0.2, 0.2), 0.2, 0.0, 0.0)
    shown, hidden = (
        augment_image(image, np.random.default_rng(5), plain, strip=3, hide_strip=share)
        for share in (0.0, 1.0)
    )
    np.testing.assert_allclose(shown[-3:] * 255, image[-3:], atol=1e-3)
    assert not hidden[-3:].any()
    np.testing.assert_array_equal(shown[:-3], hidden[:-3])


def test_an_unknown_balance_is_refused():
    images, labels = discs(8)
    settings = ClassifierSettings(epochs=1, balance="copies")
    with pytest.raises(ValueError, match="balance='copies': use one of none"):
        Classification(images, labels, 3, settings)
