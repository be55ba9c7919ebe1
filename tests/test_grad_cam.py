"""Grad-CAM of Keras networks: right where the closed form is known, zero where nothing is."""

import os
import subprocess
import sys

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from fetal_lib.explain.grad_cam import grad_cam  # noqa: E402


def linear_network():
    """Two feature maps (the image and its double); outputs their sums with weights 1, -3."""
    image = keras.Input((8, 8, 1))
    layer = keras.layers.Conv2D(2, 1, use_bias=False, name="maps")
    mean = keras.layers.GlobalAveragePooling2D()(layer(image))
    head = keras.layers.Dense(2, use_bias=False)
    network = keras.Model(image, head(mean))
    layer.set_weights([np.array([1.0, 2.0], "float32").reshape(1, 1, 1, 2)])
    head.set_weights([np.array([[1.0, -1.0], [1.0, -1.0]], "float32")])
    return network


def image():
    x = np.zeros((8, 8, 1), "float32")
    x[2, 5] = 4.0
    return x


def test_the_map_is_that_of_the_closed_form():
    """Gradient of each place is weight / 64; the map is sum_k mean gradient_k * feature_k."""
    found = grad_cam(linear_network(), "maps", image(), output=0)
    wanted = image()[..., 0] * (1 + 2) / 64
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_what_lowers_the_answer_is_cut_off_unless_signs_are_asked_for():
    assert grad_cam(linear_network(), "maps", image(), output=1).max() == 0
    signed = grad_cam(linear_network(), "maps", image(), output=1, signed=True)
    assert signed.min() == pytest.approx(-4 * 3 / 64)


def test_a_map_of_nothing_is_nothing():
    assert np.ptp(grad_cam(linear_network(), "maps", np.zeros((8, 8, 1)), output=0)) == 0


def test_a_layer_that_is_none_is_refused():
    for name in ("dense", "gone"):
        with pytest.raises(ValueError, match=f"layer='{name}': no layer of"):
            grad_cam(linear_network(), name, image())


@pytest.mark.slow
def test_it_gives_the_same_on_pytorch():
    pytest.importorskip("torch")
    code = (
        "import sys; sys.path[:0] = ['tests', '.']\n"
        "from test_grad_cam import *\n"
        "assert keras.backend.backend() == 'torch'\n"
        "test_the_map_is_that_of_the_closed_form()\n"
        "test_what_lowers_the_answer_is_cut_off_unless_signs_are_asked_for()\n"
    )
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
