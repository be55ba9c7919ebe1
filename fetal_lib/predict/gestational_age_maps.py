"""What a gestational age network looks at in each plane: its gate, and Grad-CAM behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.explain.grad_cam import grad_cam

if TYPE_CHECKING:
    import keras


def plane_cams(network: keras.Model, image: np.ndarray, planes: Sequence[str]) -> np.ndarray:
    """Return the size of signed Grad-CAM behind each plane's gate.

    Parameters
    ----------
    network : from `get_age_network`.
    image : uint8 (S, S, P)
    planes : names of the P planes.

    Returns
    -------
    float32 (P, S, S), in the unit of the network's answer.
    """
    x = image / np.float32(255)
    return np.stack([np.abs(grad_cam(network, f"gated_{one}", x, signed=True)) for one in planes])


def plane_gates(network: keras.Model, image: np.ndarray, planes: Sequence[str]) -> np.ndarray:
    """Return the mean gate over channels of each plane, 0 to 1.

    Parameters
    ----------
    network, image, planes : as in `plane_cams`.

    Returns
    -------
    float32 (P, S, S), bilinear interpolation of the gate's own grid.
    """
    import cv2
    import keras

    outputs = [network.get_layer(f"gate_{plane}").output for plane in planes]
    found = keras.Model(network.input, outputs)(image[None] / np.float32(255), training=False)
    found = found if isinstance(found, list | tuple) else [found]
    small = [keras.ops.convert_to_numpy(one)[0].mean(-1) for one in found]
    size = image.shape[:2]
    return np.stack([cv2.resize(g, size, interpolation=cv2.INTER_LINEAR) for g in small])
