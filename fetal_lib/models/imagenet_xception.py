"""Bring the ImageNet weights of Keras' Xception into the one of this project.

They are fetched at first use (83 MB). Where there is no network the message names the
file and the folder, and the other way: random weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

WEIGHT_FILE = "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_SIDE = 71
"""Smallest side that Keras' own Xception takes; its weights do not depend on it."""


def load_imagenet(model: keras.Model, weights: str = "imagenet") -> None:
    """Copy Xception's weights without top into a network, in place; the last layer stays.

    Parameters
    ----------
    model : keras.Model
        From :func:`fetal_lib.models.anomaly_cnns.build_xception` at ``width=1``.
    weights : str
        ``"imagenet"``, or the path of a weight file without top.

    Raises
    ------
    ValueError
        If the file is missing, cannot be fetched, or the network is of another width.
    """
    import keras

    if weights != "imagenet" and not Path(weights).is_file():
        raise ValueError(
            f"weights={weights!r}: no such file; use 'none', 'imagenet', or a {WEIGHT_FILE}."
        )
    shape = (KERAS_SIDE, KERAS_SIDE, 3)
    try:
        known = keras.applications.Xception(include_top=False, weights=weights, input_shape=shape)
    except Exception as error:
        raise ValueError(
            f"weights={weights!r}: the weights could not be had ({type(error).__name__}). Put "
            f"{WEIGHT_FILE} into ~/.keras/models/, or use weights='none' for random ones."
        ) from error
    copy_backbone(known, model)


def copy_backbone(source: keras.Model, model: keras.Model) -> None:
    """Copy all weights of a backbone into a network that ends in one more layer.

    Layers are matched kind by kind in the order of the graph, which is the same in both.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    kinds = ("Conv2D", "SeparableConv2D", "BatchNormalization")
    theirs = _of_kind(source, kinds)
    ours = _of_kind(model, kinds)
    shapes = [[_shapes(layer) for layer in layers] for layers in (theirs, ours)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"width: '{model.name}' has other layers than Xception ({len(ours)} against "
            f"{len(theirs)}, or of other sizes); ImageNet weights fit width=1 and n_middle=8."
        )
    for there, here in zip(theirs, ours, strict=True):
        here.set_weights(there.get_weights())


def _of_kind(model: keras.Model, kinds: tuple[str, ...]) -> list[keras.layers.Layer]:
    return [layer for kind in kinds for layer in model.layers if type(layer).__name__ == kind]


def _shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
