"""Grad-CAM for Keras networks that answer with numbers, on TensorFlow or PyTorch.

Nothing is rescaled: a map is in the unit of the answer per unit of the features, and one that is
zero everywhere comes back as zero, so that it cannot look like a finding. It explains the network
as it predicts: dropout off, batch normalisation with its stored statistics.

References
----------
Selvaraju RR et al. Grad-CAM: visual explanations from deep networks via gradient-based
localization. ICCV 2017. doi:10.1109/ICCV.2017.74
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def grad_cam(
    network: keras.Model, layer: str, image: np.ndarray, output: int = 0, signed: bool = False
) -> np.ndarray:
    """Return where the features of a layer raise one number of the answer.

    Parameters
    ----------
    network : keras.Model
        (B, H, W, C) to (B, n).
    layer : str
        Name of a layer whose output is (B, h, w, K).
    image : float32 (H, W, C), as the network takes it.
    output : which number is explained, such as the logit of a class.
    signed : keep what lowers the number, as negative values; plain Grad-CAM cuts it off.

    Returns
    -------
    float32 (H, W), bilinear interpolation of the layer's own grid.

    Raises
    ------
    ValueError
        If there is no such layer, its output has no space, or the number does not depend on it.
    """
    import cv2
    import keras

    found = {one.name: one for one in network.layers}
    if layer not in found or len(getattr(found[layer].output, "shape", ())) != 4:
        raise ValueError(
            f"layer={layer!r}: no layer of '{network.name}' with an output (B, h, w, K); use the "
            "name of its last convolution or block."
        )
    both = keras.Model(network.input, [found[layer].output, network.output])
    features, gradient = _features_and_gradient(both, np.asarray(image, np.float32)[None], output)
    if gradient is None:
        raise ValueError(f"layer={layer!r}: the answer does not depend on it; use another layer.")
    cam = (gradient.mean((1, 2), keepdims=True) * features).sum(-1)[0]  # (h, w)
    cam = cam if signed else np.maximum(cam, 0)
    height, width = np.shape(image)[:2]
    return cv2.resize(cam.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def _features_and_gradient(
    both: keras.Model, x: np.ndarray, output: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return features (1, h, w, K) and the gradient of one number by them; None if it has none."""
    import keras

    known = {"tensorflow": _tensorflow, "torch": _torch}
    backend = keras.backend.backend()
    if backend not in known:
        raise ValueError(
            f"KERAS_BACKEND={backend!r}: gradients are taken on {' or '.join(known)} only; set "
            "KERAS_BACKEND before Python starts."
        )
    features, gradient = known[backend](both, x, output)
    if gradient is None:
        return keras.ops.convert_to_numpy(features), None
    return keras.ops.convert_to_numpy(features), keras.ops.convert_to_numpy(gradient)


def _tensorflow(both: keras.Model, x: np.ndarray, output: int) -> tuple[Any, Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        batch = tf.convert_to_tensor(x)
        tape.watch(batch)
        features, answer = both(batch, training=False)
        number = answer[0, output]
    return features, tape.gradient(number, features)


def _torch(both: keras.Model, x: np.ndarray, output: int) -> tuple[Any, Any]:
    import keras
    import torch

    with torch.enable_grad():
        batch = keras.ops.convert_to_tensor(x).requires_grad_()
        features, answer = both(batch, training=False)
        (gradient,) = torch.autograd.grad(answer[0, output], features, allow_unused=True)
    return features.detach(), gradient
