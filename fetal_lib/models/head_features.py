"""A linear layer on what the shipped finder of heads sees: for sets too small to train a network.

The image goes down the U-Net that finds heads, which learnt on real and drawn heads and never heard
of a class. Means over its maps at three depths are brought to one scale and classified by one dense
layer, which alone is fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetal_lib.models.unet import get_unet

if TYPE_CHECKING:
    import keras

N_FILTERS = 8
"""Of the shipped finder."""
BLOCKS = (5, 7, 9)
"""Activations of the U-Net on its way down: 24 x 24, 12 x 12 and 6 x 6 places at 96 pixels."""


def build_head_features(side: int = 96, n_classes: int = 16) -> keras.Model:
    """Build the network, without its weights.

    Parameters
    ----------
    side : int
        Side of the square image in pixels, a multiple of 16.
    n_classes : int

    Returns
    -------
    keras.Model
        ``(B, side, side, 1)`` in [0, 1] to logits ``(B, n_classes)``, with the layers ``means``
        and, brought to one scale, ``features``, both (B, 224).

    Examples
    --------
    >>> build_head_features().count_params()
    300936
    """
    import keras
    from keras import layers

    unet = get_unet(side, side, N_FILTERS)
    active = [layer for layer in unet.layers if isinstance(layer, keras.layers.ReLU)]
    maps = []
    # (B, H/4, W/4, 32), (B, H/8, W/8, 64), (B, H/16, W/16, 128)
    for number, at in enumerate(BLOCKS):
        maps.append(layers.Identity(name=f"module{number + 1}")(active[at].output))
    pooled = [layers.GlobalAveragePooling2D()(one) for one in maps]
    means = layers.Concatenate(name="means")(pooled)
    scale = {"epsilon": 1e-12, "center": False, "scale": False}
    features = layers.BatchNormalization(name="features", **scale)(means)
    logits = layers.Dense(n_classes, name="logits")(features)  # (B, K)
    return keras.Model(unet.input, logits, name="head_features")
