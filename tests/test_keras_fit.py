"""A fit that was cut goes on where it was, and ends as one that was not."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from made_up_fits import check_equal_weights, cut_after, damage  # noqa: E402

from fetal_lib.models.unet import get_unet  # noqa: E402
from fetal_lib.models.weights import load_weights, round_weights, save_weights  # noqa: E402
from fetal_lib.training.augment import Augmentation, augment_pair  # noqa: E402
from fetal_lib.training.history import DamagedFit, read_history  # noqa: E402
from fetal_lib.training.keras_fit import fit_keras  # noqa: E402
from fetal_lib.training.keras_segmentation import Segmentation, SegmentationSettings  # noqa: E402


def discs(n=12, side=32):
    y, x = np.mgrid[:side, :side]
    radii = np.linspace(5, 12, n)[:, None, None]
    mask = (((x - side / 2) ** 2 + (y - side / 2) ** 2) < radii**2) * np.uint8(255)
    return (mask * 0.6).astype(np.uint8), mask


def tiny(side=32):
    """Build what a fit needs to be shown on: batch statistics, dropout, a mask."""
    keras.utils.set_random_seed(7)
    layers = keras.layers
    parts = [
        layers.Conv2D(8, 5, padding="same", name="filters"),
        layers.BatchNormalization(name="statistics"),
        layers.Activation("relu", name="relu"),
        layers.Dropout(0.1, name="dropout"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="mask"),
    ]
    return keras.Sequential([keras.Input((side, side, 1)), *parts])


SETTINGS = SegmentationSettings(epochs=3, batch_size=4, augmentation=Augmentation(), seed=3)


@pytest.mark.slow
def test_a_cut_fit_resumes_and_ends_like_an_uncut_one(tmp_path):
    images, masks = discs()
    task = Segmentation(images, masks, SETTINGS)
    fit_keras(tmp_path / "whole", tiny(), task)

    with cut_after(2) as cut:
        fit_keras(tmp_path / "cut", tiny(), task, cut)
    assert len(read_history(tmp_path / "cut")) == 2
    seen = []
    fit_keras(tmp_path / "cut", tiny(), task, lambda event, **fields: seen.append(fields["epoch"]))
    assert seen == [3]
    check_equal_weights(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["empty", "half", "turned"])
@pytest.mark.usefixtures("eagerly")
def test_a_damaged_fit_is_not_gone_on_with(tmp_path, way):
    images, masks = discs()
    task = Segmentation(images, masks, SETTINGS)
    with cut_after(2) as cut:
        fit_keras(tmp_path, tiny(), task, cut)
    (checkpoint,) = tmp_path.glob("*.h5")
    damage(checkpoint, way)
    with pytest.raises(DamagedFit, match=checkpoint.name):
        fit_keras(tmp_path, tiny(), task)


@pytest.mark.slow
def test_the_moving_average_watches_training_and_does_not_steer_it(tmp_path):
    images, masks = discs()
    histories, weights = {}, {}
    for ema in (0.0, 0.9):
        settings = SegmentationSettings(epochs=4, batch_size=4, learning_rate=5e-3, ema=ema, seed=3)
        fit_keras(tmp_path / str(ema), tiny(), Segmentation(images, masks, settings))
        histories[ema] = [row["loss"] for row in read_history(tmp_path / str(ema))]
        weights[ema] = np.load(tmp_path / str(ema) / "weights.npz")
    np.testing.assert_allclose(histories[0.9], histories[0.0], rtol=1e-4)
    apart = [np.abs(weights[0.9][n] - weights[0.0][n]).max() for n in weights[0.0].files]
    assert max(apart) > 1e-3  # the average is another set of weights than the last


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_fit_may_start_at_half_size_and_is_resumed_between_the_sizes(tmp_path):
    images, masks = discs()
    settings = SegmentationSettings(epochs=1, half_size_epochs=2, batch_size=4, seed=3)
    seen = []

    class Noted(Segmentation):
        def batches(self, epoch):
            batches = list(super().batches(epoch))
            seen.append(batches[0][0].shape[1:3])
            return batches

    watched = (images[:4], masks[:4])
    fit_keras(tmp_path / "whole", tiny(None), Noted(images, masks, settings, watched))
    assert seen == [(16, 16), (16, 16), (32, 32)]
    with cut_after(2) as cut:
        fit_keras(tmp_path / "cut", tiny(None), Segmentation(images, masks, settings), cut)
    fit_keras(tmp_path / "cut", tiny(None), Segmentation(images, masks, settings))
    check_equal_weights(tmp_path)
    load_weights(tiny(), tmp_path / "whole" / "weights.npz")  # a network of one size takes them


@pytest.mark.slow
def test_training_lowers_the_loss_of_images_that_are_not_trained_on(tmp_path):
    images, masks = discs(16)
    settings = SegmentationSettings(epochs=8, batch_size=4, learning_rate=1e-2, ema=0.0)
    train, val = slice(0, None, 2), slice(1, None, 2)
    watched = (images[val], masks[val])
    fit_keras(tmp_path, tiny(), Segmentation(images[train], masks[train], settings, watched))
    history = read_history(tmp_path)
    assert history[-1]["val_loss"] < 0.8 * history[0]["val_loss"]


def test_epochs_differ_but_each_repeats():
    images, masks = discs()
    task = Segmentation(images, masks, SETTINGS)
    first, again, second = (next(task.batches(epoch))[0] for epoch in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 0.1


def test_augmentation_moves_image_and_mask_together():
    images, masks = discs()
    ranges = Augmentation(log_gamma=0.0, gain=0.0)
    image, mask = augment_pair(images[5], masks[5], np.random.default_rng(0), ranges)
    np.testing.assert_allclose(image, 0.6 * mask, atol=0.01)


def test_a_rotation_keeps_circles_round_in_the_scans_own_aspect():
    """A disc of the scan is an ellipse once squashed; turning must not shear it."""
    side, aspect = 96, 1.5
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    disc = ((x * aspect) ** 2 + y**2 < 30**2) * np.uint8(255)
    ranges = Augmentation(False, 90.0, (0.0, 0.0), 0.0, 0.0, 0.0)
    _, turned = augment_pair(disc, disc, np.random.default_rng(4), ranges, aspect)
    assert np.abs(turned - disc / 255).mean() < 0.01
    _, sheared = augment_pair(disc, disc, np.random.default_rng(4), ranges, 1.0)
    assert np.abs(sheared - disc / 255).mean() > 0.02


def test_a_training_step_is_traced_once(tmp_path):
    """A second trace costs as much again: seconds for a U-Net."""
    images, masks = discs()
    network, traced = tiny(), []
    step = network.train_step
    network.train_step = lambda data: traced.append(len(traced)) or step(data)
    fit_keras(tmp_path, network, Segmentation(images, masks, SETTINGS))
    assert traced == [0]


def test_an_unknown_loss_is_refused(tmp_path):
    images, masks = discs(4)
    with pytest.raises(ValueError, match="loss='hinge': use one of"):
        settings = SegmentationSettings(epochs=1, loss="hinge")
        fit_keras(tmp_path, tiny(), Segmentation(images, masks, settings))


def test_saved_weights_come_back_as_rounded(tmp_path):
    model, other = (get_unet(32, 32, n_filters=2) for _ in range(2))
    save_weights(model, tmp_path / "w.npz")
    load_weights(other, tmp_path / "w.npz")
    round_weights(model)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_of_another_network_are_refused(tmp_path):
    save_weights(get_unet(32, 32, n_filters=2), tmp_path / "w.npz")
    with pytest.raises(ValueError, match="their shapes differ"):
        load_weights(get_unet(32, 32, n_filters=4), tmp_path / "w.npz")
    with pytest.raises(ValueError, match="no file none.npz"):
        load_weights(tiny(), tmp_path / "none.npz")
