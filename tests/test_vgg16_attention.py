"""The gestational age network: its count, its parts, and what can be changed."""

import numpy as np
import pytest

from fetal_lib.models.vgg16_attention import backbone_of, get_age_network, set_fine_tuning_depth


@pytest.mark.slow
def test_the_source_network_has_the_published_count():
    network = get_age_network(224)
    assert network.count_params() == 34_770_753
    assert backbone_of(network).count_params() == 14_714_688
    assert network.get_layer("gate_axial").count_params() == 262_656


@pytest.mark.slow
def test_the_last_hundred_layers_of_nineteen_freeze_none():
    network = get_age_network(32)
    assert len(backbone_of(network).layers) == 19
    assert set_fine_tuning_depth(network, 100) == 0
    before = len(network.trainable_weights)
    assert set_fine_tuning_depth(network, 4) == 15
    assert len(network.trainable_weights) == before - 26 + 6
    assert set_fine_tuning_depth(network, 0) == 19


@pytest.mark.parametrize("planes", [("axial",), ("coronal", "axial")])
def test_planes_are_left_out_with_their_gates(planes):
    network = get_age_network(32, planes, width=0.0625)
    assert network.input_shape == (None, 32, 32, len(planes))
    gates = [layer.name for layer in network.layers if layer.name.startswith("gate_")]
    assert gates == [f"gate_{plane}" for plane in planes]


def test_each_plane_reaches_the_answer():
    network = get_age_network(32, width=0.125, batch_norm=True)
    rng = np.random.default_rng(0)
    x = rng.random((1, 32, 32, 3), np.float32)
    whole = float(network(x, training=False)[0, 0])
    for k in range(3):
        hidden = x.copy()
        hidden[..., k] = 0
        assert float(network(hidden, training=False)[0, 0]) != whole


@pytest.mark.slow
def test_batch_statistics_mix_the_planes_in_training_as_they_do_afterwards():
    """Statistics a plane in training and a mixture afterwards would be two networks."""
    import keras

    network = get_age_network(32, ("axial", "coronal"), width=0.0625, batch_norm=True, n_pools=3)
    features = keras.Model(network.input, network.get_layer("features_axial").output)
    rng = np.random.default_rng(0)
    x = rng.random((4, 32, 32, 2), np.float32)
    other = x.copy()
    other[..., 1] *= 0.2
    seen = [
        [keras.ops.convert_to_numpy(features(v, training=training)) for v in (x, other)]
        for training in (True, False)
    ]
    assert np.abs(seen[0][0] - seen[0][1]).max() > 1e-3
    assert np.abs(seen[1][0] - seen[1][1]).max() < 1e-5


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_large_first_steps_do_not_silence_the_dense_layer():
    import keras

    network = get_age_network(32, width=0.0625, batch_norm=True, n_pools=3, hidden=32)
    network.compile(keras.optimizers.Adam(5e-3), "huber")
    rng = np.random.default_rng(0)
    x = rng.random((8, 32, 32, 3), np.float32)
    for _ in range(8):
        network.train_on_batch(x, np.full((8, 1), -2.0, np.float32))
    units = keras.Model(network.input, network.get_layer("hidden_relu").output)
    alive = keras.ops.convert_to_numpy(units(x, training=True)).max(axis=0) > 0
    assert alive.mean() > 0.3


def test_fewer_poolings_keep_a_finer_grid():
    network = get_age_network(32, width=0.0625, n_pools=3, hidden=8)
    assert network.get_layer("gate_axial").output.shape[1:3] == (4, 4)
    whole = get_age_network(32, width=0.0625, hidden=8)
    assert backbone_of(network).count_params() == backbone_of(whole).count_params()


def test_the_same_seed_builds_the_same_network():
    one, two = (get_age_network(32, width=0.0625, seed=4).get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "channels"), [("xception", 2048), ("resnet50", 2048)])
def test_backbones_drop_in(backbone, channels):
    network = get_age_network(71, ("axial",), backbone)
    assert network.get_layer("gate_axial").output.shape[-1] == channels


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"backbone": "vgg19"}, "backbone"),
        ({"side": 16}, "side"),
        ({"planes": ("axial", "axial")}, "planes"),
        ({"width": 0.0}, "width"),
        ({"width": 0.5, "weights": "imagenet"}, "width"),
        ({"n_pools": 6}, "n_pools"),
        ({"backbone": "xception", "weights": "nowhere.h5", "side": 71}, "weights"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(arguments, name):
    with pytest.raises(ValueError, match=name):
        get_age_network(**({"side": 32} | arguments))


def test_negative_depth_is_refused():
    with pytest.raises(ValueError, match="n_layers"):
        set_fine_tuning_depth(get_age_network(32, width=0.0625), -1)
