"""Count what one pass of a Keras network costs: multiply-accumulates and activations.

Convolutions and dense layers only; batch normalisation, pooling and activations are
left out, as is usual. One multiply-accumulate is two floating-point operations.

References
----------
Howard AG et al. MobileNets: efficient convolutional neural networks for mobile vision
applications. 2017. arXiv:1704.04861 (the cost of a separable convolution).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

COUNTED = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense")
BYTES = 4


def layer_macs(layer: keras.layers.Layer) -> int:
    """Return the multiply-accumulates of one layer for one image, 0 for layers not counted.

    Parameters
    ----------
    layer : keras.layers.Layer
        Built, of a model with a fixed input size.
    """
    kind = type(layer).__name__
    if kind not in COUNTED:
        return 0
    shape = layer.output.shape[1:]
    if kind == "Dense":
        return math.prod(layer.kernel.shape) * math.prod(shape[:-1])
    kernels = [w for w in layer.weights if len(w.shape) == 4]  # (h, w, in, out)
    places = shape[0] * shape[1]
    return places * sum(math.prod(kernel.shape) for kernel in kernels)


def network_macs(model: keras.Model) -> int:
    """Return the multiply-accumulates of a network for one image.

    Examples
    --------
    >>> import keras
    >>> image = keras.Input((8, 8, 3))
    >>> network_macs(keras.Model(image, keras.layers.Conv2D(5, 3)(image)))  # 6*6 * 3*3*3*5
    4860
    """
    return sum(layer_macs(layer) for layer in model.layers)


def weight_bytes(model: keras.Model) -> int:
    """Return the bytes of all weights as 32-bit floats."""
    return BYTES * model.count_params()


def activation_bytes(model: keras.Model) -> int:
    """Return the bytes of the largest layer's input and output for one image, 32-bit floats.

    A lower bound of the memory that a forward pass needs beside the weights.
    """
    sizes = []
    for layer in model.layers:
        outputs = layer.output if isinstance(layer.output, list) else [layer.output]
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        sizes.append(sum(math.prod(t.shape[1:]) for t in (*inputs, *outputs)))
    return BYTES * max(sizes)
