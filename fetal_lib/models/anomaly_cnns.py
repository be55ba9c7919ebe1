"""Three classifiers of source 001: an ordinary CNN, a separable CNN, and Xception.

All take a grey image in [0, 1] and return one logit a class; the softmax, and the
temperature that calibrates it, stand outside the network. At the source's setting
(64 x 64 x 1, 16 classes) they have 20,962,064, 612,185 and 20,894,264 parameters.

What differs from the source: ``width`` narrows a network for small machines; Xception
is built here layer by layer, so that it takes images below the 71 pixels that Keras'
own asks for, and maps [0, 1] to the [-1, 1] that its weights were trained on; the
separable CNN, which has no normalisation, starts from He's weights on grey values about
zero, or it would not leave the start on a few thousand images.

References
----------
Chollet F. Xception: deep learning with depthwise separable convolutions. CVPR 2017.
doi:10.1109/CVPR.2017.195
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

N_CLASSES = 16
CNN_FILTERS, CNN_UNITS = (64, 128, 256, 512), (2048, 1024, 512)
SEPARABLE_FILTERS, SEPARABLE_UNITS = (32, 64, 128), ((128, 0.2), (64, 0.3), (32, 0.3))
MIN_SIDE = {"cnn": 16, "separable_cnn": 22, "xception": 32}
"""Smallest image side in pixels that leaves each network something to look at."""
NORM_MOMENTUM = 0.9
"""Of the running statistics; Keras' 0.99 keeps those of the start through a fit of some hundred
steps, and the network then answers at chance however well it has learnt."""
NAMES = tuple(MIN_SIDE)
LABELS = {"cnn": "CNN", "separable_cnn": "separable CNN", "xception": "Xception"}


def scaled(n_filters: int, width: float) -> int:
    """Return a layer's number of filters times ``width``, a multiple of 4 and at least 4.

    Examples
    --------
    >>> scaled(728, 1.0), scaled(728, 0.25), scaled(32, 0.05)
    (728, 184, 4)
    """
    return n_filters if width == 1 else max(4, round(n_filters * width / 4) * 4)


def check_input(name: str, side: int, width: float, n_classes: int) -> None:
    """Refuse an image side, a width or a number of classes that a network cannot have.

    Raises
    ------
    ValueError
    """
    if name not in MIN_SIDE:
        raise ValueError(f"name={name!r}: no such network; use one of {', '.join(NAMES)}.")
    if side < MIN_SIDE[name]:
        raise ValueError(
            f"side={side}: {name} reduces its image until nothing is left; use "
            f"{MIN_SIDE[name]} pixels or more (64 in the source)."
        )
    if not 0 < width <= 2:
        raise ValueError(f"width={width}: it multiplies the filters; use a number in (0, 2].")
    if n_classes < 2:
        raise ValueError(f"n_classes={n_classes}: a classifier needs two classes or more.")


def build_cnn(
    side: int = 64,
    n_classes: int = N_CLASSES,
    width: float = 1.0,
    dropout: float = 0.5,
    dtype: str = "float32",
) -> keras.Model:
    """Build the ordinary CNN: four 3x3 convolutions, three hidden dense layers.

    Parameters
    ----------
    side : int
        Side of the square image in pixels.
    n_classes : int
    width : float
        Factor on all filters and units; 1 in the source.
    dropout : float
        Before the dense layers.
    dtype : str
        A Keras precision policy.

    Returns
    -------
    keras.Model
        ``(B, side, side, 1)`` in [0, 1] to logits ``(B, n_classes)``.

    Raises
    ------
    ValueError
        If the side is below 16.

    Examples
    --------
    >>> build_cnn().count_params()
    20962064
    """
    import keras
    from keras import layers

    check_input("cnn", side, width, n_classes)
    image = x = keras.Input((side, side, 1), name="image")
    for level, n_filters in enumerate(CNN_FILTERS):
        same = {"padding": "same", "activation": "relu", "dtype": dtype}
        x = layers.Conv2D(scaled(n_filters, width), 3, name=f"conv{level + 1}", **same)(x)
        x = layers.MaxPooling2D(2, dtype=dtype)(x)  # (B, H/2^l, W/2^l, F_l)
        if level < len(CNN_FILTERS) - 1:
            x = layers.BatchNormalization(momentum=NORM_MOMENTUM, dtype=dtype)(x)
    x = layers.Dropout(dropout, dtype=dtype)(x)
    x = layers.Flatten(dtype=dtype)(x)  # (B, 8192) at the source's setting
    for i, units in enumerate(CNN_UNITS):
        name = "features" if i == len(CNN_UNITS) - 1 else None
        x = layers.Dense(scaled(units, width), activation="relu", name=name, dtype=dtype)(x)
    return keras.Model(image, _logits(x, n_classes), name="cnn")


def build_separable_cnn(
    side: int = 64,
    n_classes: int = N_CLASSES,
    width: float = 1.0,
    dropout: float | None = None,
    dtype: str = "float32",
) -> keras.Model:
    """Build the separable CNN: three separable 3x3 convolutions without padding.

    Parameters
    ----------
    side, n_classes, width, dtype
        As :func:`build_cnn` has them.
    dropout : float or None
        Rate after each hidden dense layer; None takes the source's 0.2, 0.3, 0.3.

    Returns
    -------
    keras.Model
        ``(B, side, side, 1)`` in [0, 1] to logits ``(B, n_classes)``.

    Raises
    ------
    ValueError
        If the side is below 22.

    Examples
    --------
    >>> build_separable_cnn().count_params()
    612185
    """
    import keras
    from keras import layers

    check_input("separable_cnn", side, width, n_classes)
    image = keras.Input((side, side, 1), name="image")
    x = layers.Rescaling(4.0, -1.0, dtype=dtype)(image)  # (B, H, W, 1), about zero
    for level, n_filters in enumerate(SEPARABLE_FILTERS):
        he = {"depthwise_initializer": "he_normal", "pointwise_initializer": "he_normal"}
        he |= {"name": f"conv{level + 1}", "dtype": dtype}
        x = layers.SeparableConv2D(scaled(n_filters, width), 3, **he)(x)
        x = layers.LeakyReLU(0.1, dtype=dtype)(x)
        x = layers.MaxPooling2D(2, dtype=dtype)(x)
    x = layers.Flatten(dtype=dtype)(x)  # (B, 4608) at the source's setting
    for i, (units, rate) in enumerate(SEPARABLE_UNITS):
        name = "features" if i == len(SEPARABLE_UNITS) - 1 else None
        x = layers.Dense(scaled(units, width), kernel_initializer="he_normal", dtype=dtype)(x)
        x = layers.LeakyReLU(0.1, dtype=dtype, name=name)(x)
        x = layers.Dropout(rate if dropout is None else dropout, dtype=dtype)(x)
    return keras.Model(image, _logits(x, n_classes), name="separable_cnn")


def build_xception(
    side: int = 64,
    n_classes: int = N_CLASSES,
    width: float = 1.0,
    n_middle: int = 8,
    dtype: str = "float32",
) -> keras.Model:
    """Build Xception without its top, then mean over the map and a dense layer.

    Parameters
    ----------
    side, n_classes, width, dtype
        As :func:`build_cnn` has them.
    n_middle : int
        Middle modules of three separable convolutions each; 8 in the paper.

    Returns
    -------
    keras.Model
        ``(B, side, side, 1)`` in [0, 1] to logits ``(B, n_classes)``; the grey channel
        is repeated three times.

    Raises
    ------
    ValueError
        If the side is below 32.

    Examples
    --------
    >>> build_xception().count_params()
    20894264
    """
    import keras
    from keras import layers

    check_input("xception", side, width, n_classes)
    image = keras.Input((side, side, 1), name="image")
    x = layers.Concatenate(dtype=dtype)([image] * 3)
    x = layers.Rescaling(2.0, -1.0, dtype=dtype)(x)  # (B, H, W, 3) in [-1, 1]
    x = _conv_norm(x, scaled(32, width), dtype, kernel=3, strides=2, use_relu=True)
    x = _conv_norm(x, scaled(64, width), dtype, kernel=3, strides=1, use_relu=True)
    for i, n_filters in enumerate((128, 256, 728)):
        n_filters = scaled(n_filters, width)
        x = _strided_module(x, (n_filters, n_filters), dtype, f"module{i + 1}", relu_first=i > 0)
    middle = scaled(728, width)
    for i in range(n_middle):
        y = x
        for _ in range(3):
            y = _separable_norm(layers.ReLU(dtype=dtype)(y), middle, dtype)
        x = layers.Add(name=f"module{i + 4}", dtype=dtype)([y, x])  # (B, H/16, W/16, 728)
    x = _strided_module(x, (middle, scaled(1024, width)), dtype, f"module{n_middle + 4}")
    for n_filters in (1536, 2048):
        x = _separable_norm(x, scaled(n_filters, width), dtype)
        x = layers.ReLU(dtype=dtype)(x)  # (B, H/32, W/32, 2048)
    x = layers.GlobalAveragePooling2D(name="features", dtype=dtype)(x)
    return keras.Model(image, _logits(x, n_classes), name="xception")


def _logits(x: keras.KerasTensor, n_classes: int) -> keras.KerasTensor:
    from keras import layers

    return layers.Dense(n_classes, name="logits", dtype="float32")(x)


def _conv_norm(
    x: keras.KerasTensor,
    n_filters: int,
    dtype: str,
    kernel: int,
    strides: int,
    use_relu: bool = False,
    padding: str = "valid",
) -> keras.KerasTensor:
    from keras import layers

    plain = {"use_bias": False, "padding": padding, "dtype": dtype}
    x = layers.Conv2D(n_filters, kernel, strides=strides, **plain)(x)
    x = layers.BatchNormalization(momentum=NORM_MOMENTUM, dtype=dtype)(x)
    return layers.ReLU(dtype=dtype)(x) if use_relu else x


def _separable_norm(x: keras.KerasTensor, n_filters: int, dtype: str) -> keras.KerasTensor:
    from keras import layers

    same = {"padding": "same", "use_bias": False, "dtype": dtype}
    x = layers.SeparableConv2D(n_filters, 3, **same)(x)
    return layers.BatchNormalization(momentum=NORM_MOMENTUM, dtype=dtype)(x)


def _strided_module(
    x: keras.KerasTensor,
    n_filters: tuple[int, int],
    dtype: str,
    name: str,
    relu_first: bool = True,
) -> keras.KerasTensor:
    """Halve the map: two separable convolutions and a pooling, beside a strided 1x1 shortcut."""
    from keras import layers

    shortcut = _conv_norm(x, n_filters[1], dtype, kernel=1, strides=2, padding="same")
    for i, filters in enumerate(n_filters):
        x = layers.ReLU(dtype=dtype)(x) if i or relu_first else x
        x = _separable_norm(x, filters, dtype)
    x = layers.MaxPooling2D(3, strides=2, padding="same", dtype=dtype)(x)
    return layers.Add(name=name, dtype=dtype)([x, shortcut])


BUILDERS = {"cnn": build_cnn, "separable_cnn": build_separable_cnn, "xception": build_xception}


def build_anomaly_cnn(name: str, **arguments: object) -> keras.Model:
    """Build one of the three networks by its name.

    Raises
    ------
    ValueError
        If there is no such network, or an argument is out of range.

    Examples
    --------
    >>> build_anomaly_cnn("cnn", side=32, n_classes=3, width=0.1).output_shape
    (None, 3)
    """
    if name not in BUILDERS:
        raise ValueError(f"name={name!r}: no such network; use one of {', '.join(NAMES)}.")
    return BUILDERS[name](**arguments)
