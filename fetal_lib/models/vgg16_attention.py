"""Gestational age from three planes: a shared backbone, a sigmoid gate a plane, one number.

After source 000: VGG16 without top reads each plane, a 1 x 1 convolution with a sigmoid is
multiplied onto its features, the planes are flattened and concatenated, Dense 256, dropout 0.5
and a linear output. 34,770,753 parameters at 224 pixels and three planes: 14,714,688 (VGG16) +
3 x 262,656 (gates) + 19,267,840 (Dense 256) + 257. What differs: a grey plane is one channel of
the input and is repeated to three inside; the planes go through the backbone as one batch, so
that batch normalisation sees in training the mixture of planes that it uses afterwards; the
backbone can be narrower, carry batch normalisation, or be Xception or ResNet50.

References
----------
Simonyan K, Zisserman A. Very deep convolutional networks for large-scale image recognition.
ICLR 2015. arXiv:1409.1556
Shen L et al. Attention-guided deep learning for gestational age prediction using fetal brain
MRI. Sci Rep 2022;12:1408. doi:10.1038/s41598-022-05468-5
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.models.vgg16_features import build_vgg16

if TYPE_CHECKING:
    import keras

PLANES = ("axial", "coronal", "sagittal")
SIDES = {"vgg16": 32, "xception": 71, "resnet50": 32}
"""Backbones and the smallest side that each takes, in pixels."""
BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


def get_age_network(
    side: int = 224,
    planes: tuple[str, ...] = PLANES,
    backbone: str = "vgg16",
    width: float = 1.0,
    batch_norm: bool = False,
    n_pools: int = 5,
    weights: str = "none",
    hidden: int = 256,
    dropout: float = 0.5,
    seed: int = 0,
) -> keras.Model:
    """Build the network.

    Parameters
    ----------
    side : side of the square planes in pixels.
    planes : one to three of axial, coronal, sagittal; the channels of the input, in this order.
    backbone : ``vgg16``, ``xception`` or ``resnet50``; shared by the planes.
    width : share of VGG16's channels; below 1 only with ``vgg16`` and random weights.
    batch_norm : batch normalisation after each convolution of VGG16, and after the dense layer.
    n_pools : blocks of VGG16 that end by halving the size; fewer than its five keep a finer grid
        of features, and of maps, on small planes.
    weights : ``none`` (random, seeded), ``imagenet``, or the path of a weight file without top.
    hidden : units of the dense layer, L2 1e-3.
    dropout : before the output.
    seed : of the random weights.

    Returns
    -------
    keras.Model
        (B, side, side, n planes) in [0, 1] to (B, 1). Features of a plane before and after its
        gate are the layers ``features_axial``, ``gated_axial``; its gate is ``gate_axial``.

    Raises
    ------
    ValueError
        If an argument is out of range, or weights cannot be had; the message says what to do.

    Examples
    --------
    >>> get_age_network(64, width=0.125).output_shape
    (None, 1)
    """
    import keras
    from keras import layers, ops

    _check(side, planes, backbone, width, batch_norm, n_pools, weights)
    keras.utils.set_random_seed(seed)
    shared = _backbone(side, backbone, width, batch_norm, n_pools, weights, seed)
    n = len(planes)
    image = keras.Input((side, side, n), name="planes")  # (B, S, S, P)
    gray = ops.reshape(ops.transpose(image, (0, 3, 1, 2)), (-1, side, side, 1))  # (B*P, S, S, 1)
    features = shared(ops.repeat(gray, 3, axis=-1))  # (B*P, h, w, K), h = S/32
    height, width_px, n_channels = features.shape[1:]
    by_plane = ops.reshape(features, (-1, n, height, width_px, n_channels))
    flat = []
    for k, plane in enumerate(planes):
        one = layers.Activation("linear", name=f"features_{plane}")(by_plane[:, k])  # (B, h, w, K)
        gate = layers.Conv2D(n_channels, 1, activation="sigmoid", name=f"gate_{plane}")(one)
        gated = layers.Multiply(name=f"gated_{plane}")([one, gate])
        flat.append(layers.Flatten(name=f"flat_{plane}")(gated))
    x = layers.Concatenate(name="fusion")(flat) if len(flat) > 1 else flat[0]
    penalty = keras.regularizers.L2(1e-3)
    x = layers.Dense(hidden, kernel_regularizer=penalty, name="hidden")(x)  # (B, 256)
    if batch_norm:  # gated features are not negative: a first step can silence every unit
        x = layers.LayerNormalization(name="hidden_norm")(x)
    x = layers.ReLU(name="hidden_relu")(x)
    x = layers.Dropout(dropout, seed=seed, name="dropout")(x)
    network = keras.Model(image, layers.Dense(1, name="age")(x), name="age_network")
    network.supports_jit = False  # XLA compiles longer than a short fit takes
    return network


def backbone_of(network: keras.Model) -> keras.Model:
    """Return the part of an age network that all planes share."""
    return network.get_layer("backbone")


def set_fine_tuning_depth(network: keras.Model, n_layers: int) -> int:
    """Let only the last layers of the backbone be trained, in place.

    VGG16 without top has 19 layers: the source's "last 100 layers" freezes none of them.

    Parameters
    ----------
    network : from :func:`get_age_network`.
    n_layers : how many, counted from the end; 0 freezes the whole backbone.

    Returns
    -------
    int
        Number of layers that are frozen.

    Raises
    ------
    ValueError
        If the number is negative.
    """
    if n_layers < 0:
        raise ValueError(f"n_layers={n_layers}: a number of layers; use 0 to freeze them all.")
    layers = backbone_of(network).layers
    n_frozen = max(0, len(layers) - n_layers)
    for number, layer in enumerate(layers):
        layer.trainable = number >= n_frozen
    return n_frozen


def _check(
    side: int,
    planes: tuple[str, ...],
    backbone: str,
    width: float,
    batch_norm: bool,
    n_pools: int,
    weights: str,
) -> None:
    if backbone not in SIDES:
        raise ValueError(f"backbone={backbone!r}: use one of {', '.join(SIDES)}.")
    if side < SIDES[backbone]:
        raise ValueError(f"side={side}: {backbone} takes {SIDES[backbone]} pixels or more.")
    if not planes or len(set(planes)) < len(planes) or not set(planes) <= set(PLANES):
        raise ValueError(f"planes={planes!r}: one to three different ones of {', '.join(PLANES)}.")
    if not 0 < width <= 1:
        raise ValueError(f"width={width}: a share of the channels, above 0 and at most 1.")
    if not 1 <= n_pools <= len(BLOCKS):
        raise ValueError(f"n_pools={n_pools}: 1 to {len(BLOCKS)} of VGG16's blocks can halve.")
    changed = width < 1 or batch_norm or n_pools < len(BLOCKS)
    if changed and (backbone != "vgg16" or weights != "none"):
        raise ValueError(
            f"width={width}, batch_norm={batch_norm}, n_pools={n_pools}: only VGG16 with random "
            f"weights can be changed, not {backbone} with weights={weights!r}; use width=1, "
            "batch_norm=False and n_pools=5."
        )


def _backbone(
    side: int,
    backbone: str,
    width: float,
    batch_norm: bool,
    n_pools: int,
    weights: str,
    seed: int,
) -> keras.Model:
    import keras

    if backbone != "vgg16":
        base = _application(side, backbone, weights)
    elif width < 1 or batch_norm or n_pools < len(BLOCKS):
        return _narrow_vgg16(side, width, batch_norm, n_pools)
    else:
        base = build_vgg16(side, weights, seed)
    return keras.Model(base.input, base.output, name="backbone")


def _narrow_vgg16(side: int, width: float, batch_norm: bool, n_pools: int) -> keras.Model:
    """Return VGG16's thirteen convolutions, changed: (B, S, S, 3) to (B, S/2**n_pools, ...)."""
    import keras
    from keras import layers

    x = image = keras.Input((side, side, 3))
    for block, (n_convs, channels) in enumerate(BLOCKS, start=1):
        for number in range(1, n_convs + 1):
            name = f"block{block}_conv{number}"
            start = "he_normal" if batch_norm else "glorot_uniform"
            n = max(2, round(channels * width))
            x = layers.Conv2D(
                n, 3, padding="same", use_bias=not batch_norm, kernel_initializer=start, name=name
            )(x)
            if batch_norm:
                x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
        if block <= n_pools:
            x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    return keras.Model(image, x, name="backbone")


def _application(side: int, backbone: str, weights: str) -> keras.Model:
    import keras

    if weights not in ("none", "imagenet") and not Path(weights).is_file():
        raise ValueError(f"weights={weights!r}: no such file; use 'none', 'imagenet' or a file.")
    build = {"xception": keras.applications.Xception, "resnet50": keras.applications.ResNet50}
    start = None if weights == "none" else weights
    try:
        return build[backbone](include_top=False, weights=start, input_shape=(side, side, 3))
    except Exception as error:
        if weights != "imagenet":
            raise
        raise ValueError(
            f"weights='imagenet': those of {backbone} could not be fetched "
            f"({type(error).__name__}). Put Keras' '..._notop.h5' file into ~/.keras/models/, or "
            "use weights='none' for random ones."
        ) from error
