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

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def grad_cam(
    network: keras.Model, layer: str, image: np.ndarray, output: int = 0, signed: bool = False
) -> np.ndarray:
    """Return where the features of a layer raise one number of the answer: float32 (H, W).

    As :func:`grad_cams`, of one image (H, W, C).
    """
    return grad_cams(network, layer, np.asarray(image)[None], [output], signed)[0]


def grad_cams(
    network: keras.Model,
    layer: str,
    images: np.ndarray,
    outputs: Sequence[int],
    signed: bool = False,
) -> np.ndarray:
    """Return where the features of a layer raise one number of the answer, for each image.

    Parameters
    ----------
    network : keras.Model
        (B, H, W, C) to (B, n).
    layer : str
        Name of a layer whose output is (B, h, w, K).
    images : float32 (N, H, W, C), as the network takes them.
    outputs : which number of each image's answer is explained, such as the logit of a class.
    signed : keep what lowers the number, as negative values; plain Grad-CAM cuts it off.

    Returns
    -------
    float32 (N, H, W), bilinear interpolation of the layer's own grid.

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
    chosen = np.eye(network.output_shape[-1], dtype=np.float32)[list(outputs)]  # (N, n)
    features, gradient = _features_and_gradient(both, np.asarray(images, np.float32), chosen)
    if gradient is None:
        raise ValueError(f"layer={layer!r}: the answer does not depend on it; use another layer.")
    cams = (gradient.mean((1, 2), keepdims=True) * features).sum(-1)  # (N, h, w)
    cams = (cams if signed else np.maximum(cams, 0)).astype(np.float32)
    height, width = np.shape(images)[1:3]
    return np.stack([cv2.resize(one, (width, height)) for one in cams])


def _features_and_gradient(
    both: keras.Model, x: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return features (N, h, w, K) and the gradients of chosen numbers by them, or None.

    Images do not touch each other in a network that predicts, so that the gradient of the sum of
    all chosen numbers holds that of each.
    """
    import keras

    known = {"tensorflow": _tensorflow, "torch": _torch}
    backend = keras.backend.backend()
    if backend not in known:
        raise ValueError(
            f"KERAS_BACKEND={backend!r}: gradients are taken on {' or '.join(known)} only; set "
            "KERAS_BACKEND before Python starts."
        )
    features, gradient = known[backend](both, x, chosen)
    if gradient is None:
        return keras.ops.convert_to_numpy(features), None
    return keras.ops.convert_to_numpy(features), keras.ops.convert_to_numpy(gradient)


def _tensorflow(both: keras.Model, x: np.ndarray, chosen: np.ndarray) -> tuple[Any, Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        batch = tf.convert_to_tensor(x)
        tape.watch(batch)
        features, answer = both(batch, training=False)
        number = tf.reduce_sum(answer * chosen)
    return features, tape.gradient(number, features)


def _torch(both: keras.Model, x: np.ndarray, chosen: np.ndarray) -> tuple[Any, Any]:
    import keras
    import torch

    with torch.enable_grad():
        batch = keras.ops.convert_to_tensor(x).requires_grad_()
        features, answer = both(batch, training=False)
        number = (answer * keras.ops.convert_to_tensor(chosen)).sum()
        (gradient,) = torch.autograd.grad(number, features, allow_unused=True)
    return features.detach(), gradient
