"""The class layer fitted alone: what it changes, and what it answers."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from fetal_lib.training.class_layer import ABSENT, fit_class_layer  # noqa: E402
from fetal_lib.training.keras_classification import Classification, ClassifierSettings  # noqa: E402
from fetal_lib.training.keras_fit import fit_keras  # noqa: E402
from fetal_lib.training.keras_forward import forward  # noqa: E402


def small_network(n_classes: int = 4) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 1))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", name="conv1")(image)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(image, keras.layers.Dense(n_classes, name="logits")(x))


def shades(kinds: tuple[int, ...] = (0, 1, 2)) -> tuple[np.ndarray, np.ndarray]:
    """Return 60 images whose brightness is their class."""
    rng = np.random.default_rng(0)
    labels = np.resize(kinds, 60)
    images = 60 * labels[:, None, None] + rng.integers(0, 40, (60, 16, 16))
    return images.astype(np.uint8), labels


@pytest.mark.parametrize("kinds", [(0, 1, 2), (0, 2)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_layer_tells_the_classes_it_was_given_and_never_names_another(kinds, weighted) -> None:
    images, labels = shades(kinds)
    network = small_network()
    before = network.get_layer("conv1").get_weights()
    fit_class_layer(network, images, labels, weighted=weighted, strength=10.0)
    logits = forward(network, images)
    assert (logits.argmax(1) == labels).mean() > 0.95
    absent = [k for k in range(4) if k not in kinds]
    assert np.allclose(logits[:, absent], ABSENT)
    for old, new in zip(before, network.get_layer("conv1").get_weights(), strict=True):
        assert np.array_equal(old, new)


def test_one_class_is_refused() -> None:
    images, labels = shades((1,))
    with pytest.raises(ValueError, match="two or more"):
        fit_class_layer(small_network(), images, labels)


def test_no_epochs_keep_the_weights_that_came(tmp_path) -> None:
    images, labels = shades()
    network = small_network()
    fit_class_layer(network, images, labels)
    before = network.get_weights()
    fit_keras(tmp_path, network, Classification(images, labels, 4, ClassifierSettings(epochs=0)))
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    assert (tmp_path / "weights.npz").is_file()
