"""A Keras network is asked in batches; neither their size nor the last, smaller one is seen."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from fetal_lib.models.anomaly_cnns import build_separable_cnn  # noqa: E402
from fetal_lib.models.unet import get_unet  # noqa: E402
from fetal_lib.training.keras_forward import forward  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 24, 24), dtype=np.uint8)


def tiny():
    keras.utils.set_random_seed(7)
    return build_separable_cnn(24, n_classes=3, width=0.25)


def test_the_last_batch_may_be_small():
    model = tiny()
    whole, parts = forward(model, IMAGES, 10), forward(model, IMAGES, 4)
    assert whole.shape == (10, 3)
    np.testing.assert_allclose(whole, parts, atol=1e-5)
    assert forward(model, IMAGES[:0]).shape == (0, 3)


def test_few_shapes_serve_all_numbers_of_images():
    model, seen = tiny(), set()
    predict = model.predict_on_batch
    model.predict_on_batch = lambda batch: seen.add(len(batch)) or predict(batch)
    for n in range(1, 11):
        assert len(forward(model, IMAGES[:n], 8)) == n
    assert seen == {1, 2, 4, 8}


def test_a_network_with_two_outputs_gives_both():
    model = tiny()
    both = keras.Model(model.input, [model.output, model.get_layer("features").output])
    logits, features = forward(both, IMAGES, 4)
    np.testing.assert_allclose(logits, forward(model, IMAGES, 4), atol=1e-6)
    assert features.shape == (10, both.outputs[1].shape[-1])
    assert [out.shape[0] for out in forward(both, IMAGES[:0])] == [0, 0]


def test_a_segmentation_network_gives_a_map_an_image():
    images = np.repeat(IMAGES[:3, :16, :16], 2, axis=1)
    model = get_unet(32, 16, 2)
    direct = np.asarray(model(images[..., None] / np.float32(255)))
    maps = forward(model, images, 2)
    assert maps.shape == (3, 32, 16, 1)
    np.testing.assert_allclose(maps, direct, atol=1e-5)
