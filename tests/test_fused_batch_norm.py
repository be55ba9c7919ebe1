"""Fused batch normalisation trains what Keras' own trains."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from fetal_lib.training.fused_batch_norm import (  # noqa: E402
    FusedBatchNormalization,
    fuse_batch_norms,
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends keep Keras' own layer"
)


def network(dtype="float32"):
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.BatchNormalization(momentum=0.9, dtype=dtype)]
    )
    image = keras.Input((8, 8, 1))
    x = inner(keras.layers.Conv2D(3, 3, dtype=dtype)(keras.layers.ZeroPadding2D()(image)))
    x = keras.layers.BatchNormalization(scale=False, dtype=dtype)(keras.layers.ReLU()(x))
    x = keras.layers.BatchNormalization()(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Dense(1)(x))


def trained(model, steps=3):
    rng = np.random.default_rng(0)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    for _ in range(steps):
        model.train_on_batch(rng.normal(3, 2, (5, 8, 8, 1)), rng.normal(size=(5, 1)))
    return model.get_weights()


def test_layers_without_scale_stay_and_nested_ones_are_fused():
    layers = fuse_batch_norms(network())._flatten_layers()
    kinds = [type(x) for x in layers if isinstance(x, keras.layers.BatchNormalization)]
    assert sorted(kind is FusedBatchNormalization for kind in kinds) == [False, True, True]


def test_weights_and_running_statistics_become_what_keras_makes_them():
    plain, fused = trained(network()), trained(fuse_batch_norms(network()))
    start = network().get_weights()
    assert any(np.abs(a - b).max() > 0.01 for a, b in zip(start, plain, strict=True))
    for a, b in zip(plain, fused, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


def test_the_variance_of_a_small_map_is_the_mean_square():
    x = np.random.default_rng(0).normal(3, 2, (2, 2, 2, 1)).astype(np.float32)
    image = keras.Input(x.shape[1:])
    layer = keras.layers.BatchNormalization(momentum=0.0)
    model = fuse_batch_norms(keras.Model(image, layer(image)))
    model.compile("sgd", "mse")
    model.train_on_batch(x, x)
    found = layer.moving_mean.numpy()[0], layer.moving_variance.numpy()[0]
    np.testing.assert_allclose(found, (x.mean(), x.var()), rtol=1e-5)


def test_outside_training_and_when_frozen_the_answer_is_keras_own_to_the_bit():
    plain, fused = network(), fuse_batch_norms(network())
    x = np.random.default_rng(1).random((4, 8, 8, 1), np.float32)
    for layer in (*plain._flatten_layers(), *fused._flatten_layers()):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    for training in (False, True):
        found = [np.asarray(model(x, training=training)) for model in (plain, fused)]
        np.testing.assert_array_equal(*found)


def test_sixteen_bit_maps_keep_statistics_of_thirty_two():
    fused = fuse_batch_norms(network("mixed_bfloat16"))
    weights = trained(fused)
    assert all(w.dtype == np.float32 and np.isfinite(w).all() for w in weights)
    plain = trained(network("mixed_bfloat16"))
    for a, b in zip(plain, weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0.1, atol=0.05)
