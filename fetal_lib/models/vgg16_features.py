"""VGG16's last feature map of a mask, flattened, as source 003's second step uses it.

Weights: ``none`` (random, seeded), ``imagenet`` (fetched by Keras at first use), or
the path of a ``.h5`` file without top. 14,714,688 parameters without the top.

References
----------
Simonyan K, Zisserman A. Very deep convolutional networks for large-scale image
recognition. ICLR 2015. arXiv:1409.1556
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

WEIGHT_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
MIN_SIDE = 32


def build_vgg16(side: int, weights: str = "none", seed: int = 0) -> keras.Model:
    """Build VGG16 without its top.

    Parameters
    ----------
    side : int
        Side of the square input in pixels, at least 32.
    weights : str
        ``"none"``, ``"imagenet"``, or the path of a weight file.
    seed : int
        Of the random weights.

    Returns
    -------
    keras.Model
        (B, side, side, 3) to (B, side/32, side/32, 512).

    Raises
    ------
    ValueError
        If the side is too small, the file is missing, or the weights of ImageNet
        cannot be fetched; the message says where to put the file.
    """
    import keras

    if side < MIN_SIDE:
        raise ValueError(f"side={side}: VGG16 halves its input five times; use {MIN_SIDE} or more.")
    known = weights in ("none", "imagenet")
    if not known and not Path(weights).is_file():
        raise ValueError(
            f"weights={weights!r}: no such file; use 'none', 'imagenet', or a {WEIGHT_FILE}."
        )
    keras.utils.set_random_seed(seed)
    start = weights if weights == "imagenet" or not known else None
    try:
        return keras.applications.VGG16(
            include_top=False, weights=start, input_shape=(side, side, 3)
        )
    except Exception as error:
        if weights != "imagenet":
            raise
        raise ValueError(
            f"weights='imagenet': the weights could not be fetched ({type(error).__name__}). "
            f"Put {WEIGHT_FILE} into ~/.keras/models/, or use weights='none' for random ones."
        ) from error


def mask_features(masks: np.ndarray, network: keras.Model, batch_size: int = 16) -> np.ndarray:
    """Return flattened VGG16 features of masks.

    Parameters
    ----------
    masks : ndarray, shape (N, H, W), in [0, 1]
        Masks or probability maps.
    network : keras.Model
        From :func:`build_vgg16`; masks are resized to its input and repeated over
        three channels.
    batch_size : int

    Returns
    -------
    ndarray, shape (N, F), float32
    """
    import cv2
    import keras

    side = network.input_shape[1]
    small = [cv2.resize(m.astype(np.float32), (side, side)) for m in masks]
    x = np.repeat(np.stack(small)[..., None] * 255, 3, axis=-1)  # (N, side, side, 3)
    x = keras.applications.vgg16.preprocess_input(x)
    out = [network(x[i : i + batch_size], training=False) for i in range(0, len(x), batch_size)]
    flat = [keras.ops.convert_to_numpy(o).reshape(len(o), -1) for o in out]
    return np.concatenate(flat)
