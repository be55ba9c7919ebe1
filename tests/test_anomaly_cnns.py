"""The three classifiers have their published counts, learn, and take each other's weights."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from fetal_lib.models import anomaly_cnns as nets  # noqa: E402
from fetal_lib.models.cost import layer_macs, network_macs  # noqa: E402
from fetal_lib.models.imagenet_xception import copy_backbone, load_imagenet  # noqa: E402

PUBLISHED = {"cnn": 20_962_064, "separable_cnn": 612_185, "xception": 20_894_264}
SMALL = {
    "cnn": {"side": 24, "width": 0.1, "dropout": 0.0},
    "separable_cnn": {"side": 24, "dropout": 0.0},
    "xception": {"side": 32, "width": 0.1, "n_middle": 1},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_source_setting_has_the_published_count(name):
    assert nets.build_anomaly_cnn(name).count_params() == PUBLISHED[name]


def test_xception_has_the_trainable_count_of_the_source():
    model = nets.build_xception()
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 20_839_736


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.usefixtures("eagerly")
def test_a_step_moves_every_kernel(name):
    """A dead layer would keep its kernel."""
    keras.utils.set_random_seed(3)
    model = nets.build_anomaly_cnn(name, n_classes=4, **SMALL[name])
    side = SMALL[name]["side"]
    x = np.random.default_rng(0).random((8, side, side, 1), dtype="float32")
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    model.train_on_batch(x, np.arange(8) % 4)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        if len(weight.shape) > 1:
            assert np.abs(keras.ops.convert_to_numpy(weight) - old).max() > 1e-3, weight.path


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_it_overfits_one_batch(name):
    keras.utils.set_random_seed(1)
    model = nets.build_anomaly_cnn(name, n_classes=4, **SMALL[name])
    side = SMALL[name]["side"]
    y, x = np.mgrid[:side, :side] / side
    bars = [np.sin(7 * x), np.sin(7 * y), np.sin(7 * (x + y)), np.sin(7 * (x - y))]
    images = np.stack(bars * 2)[..., None].astype("float32") / 2 + 0.5
    images += np.random.default_rng(0).normal(0, 0.05, images.shape).astype("float32")
    labels = np.arange(8) % 4
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    for _ in range(120):
        model.reset_metrics()  # they would go on as means over all steps so far
        last = model.train_on_batch(images, labels, return_dict=True)
        if learnt := last["accuracy"] == 1.0 and last["loss"] < 0.2:
            break
    assert learnt, last


def test_the_first_separable_layer_has_one_spatial_filter():
    """On one grey channel all its 32 maps are multiples of a single 3x3 filter."""
    layer = nets.build_separable_cnn().get_layer("conv1")
    depthwise, pointwise, _ = layer.get_weights()
    assert depthwise.shape == (3, 3, 1, 1) and pointwise.shape == (1, 1, 1, 32)


@pytest.mark.slow
def test_xception_computes_what_the_one_of_keras_computes():
    theirs = keras.applications.Xception(include_top=False, weights=None, input_shape=(71, 71, 3))
    rng = np.random.default_rng(5)
    values = [
        rng.uniform(0.5, 1.5, w.shape) if "variance" in w.path else rng.normal(0, 0.05, w.shape)
        for w in theirs.weights
    ]
    theirs.set_weights([v.astype("float32") for v in values])
    ours = nets.build_xception(71, n_classes=5)
    copy_backbone(theirs, ours)
    gray = rng.random((2, 71, 71, 1), dtype="float32")
    features = keras.Model(ours.input, ours.get_layer("features").output)
    wanted = theirs.predict(np.repeat(gray, 3, -1) * 2 - 1, verbose=0).mean((1, 2))
    assert wanted.std() > 1e-3
    np.testing.assert_allclose(features.predict(gray, verbose=0), wanted, atol=1e-5)


@pytest.mark.slow
def test_imagenet_weights_that_do_not_fit_or_are_not_there_say_what_to_do(tmp_path):
    theirs = keras.applications.Xception(include_top=False, weights=None, input_shape=(71, 71, 3))
    with pytest.raises(ValueError, match="ImageNet weights fit width=1 and n_middle=8"):
        copy_backbone(theirs, nets.build_xception(71, width=0.25))
    with pytest.raises(ValueError, match="no such file; use 'none', 'imagenet'"):
        load_imagenet(nets.build_xception(width=0.1), str(tmp_path / "gone.h5"))
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="or use weights='none' for random ones"):
        load_imagenet(nets.build_xception(width=0.1), str(broken))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("cnn", {"side": 8}, "side=8: cnn reduces its image"),
        ("separable_cnn", {"side": 20}, "use 22 pixels or more"),
        ("xception", {"width": 0}, "width=0: it multiplies"),
        ("cnn", {"n_classes": 1}, "n_classes=1: a classifier needs two"),
        ("vgg", {}, "name='vgg': no such network; use one of cnn"),
    ],
)
def test_what_a_network_cannot_be_is_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        nets.build_anomaly_cnn(name, **arguments)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_smallest_side_works(name):
    assert nets.build_anomaly_cnn(name, side=nets.MIN_SIDE[name], width=0.1).output_shape[1] == 16


def test_macs_are_those_of_the_closed_form():
    image = keras.Input((10, 12, 4))
    layers = keras.layers
    cases = {
        layers.Conv2D(6, 3, padding="same"): 10 * 12 * 9 * 4 * 6,
        layers.SeparableConv2D(6, 3, padding="same"): 10 * 12 * (9 * 4 + 4 * 6),
        layers.DepthwiseConv2D(3, padding="valid"): 8 * 10 * 9 * 4,
    }
    for layer, macs in cases.items():
        layer(image)
        assert layer_macs(layer) == macs
    dense = layers.Dense(7)
    keras.Model(image, dense(layers.Flatten()(image)))
    assert layer_macs(dense) == 10 * 12 * 4 * 7


@pytest.mark.slow
def test_vgg16_costs_what_is_published():
    """15.5 GMAC at 224 pixels with its top (Canziani et al. 2016)."""
    model = keras.applications.VGG16(weights=None)
    assert network_macs(model) == pytest.approx(15.47e9, rel=0.005)
