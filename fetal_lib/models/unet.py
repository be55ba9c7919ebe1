"""U-Net for binary segmentation, 16 filters wide, as source 003 describes it.

The encoder-decoder of Ronneberger et al. with batch normalisation, dropout
after each pooling and each concatenation, and 3x3 transposed convolutions.
At its published setting (256 x 256 x 1, 16 filters) it has 2,164,305
parameters, 2,161,361 of them trainable.

What differs from the code that goes round: there, the second convolution of
every block is fed the block's *input*, so the first convolution is dead, no
gradient reaches it, and 1,179,121 parameters remain connected. Here the
second convolution takes the first one's output, as the figure of the paper
shows.

References
----------
Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical
image segmentation. MICCAI 2015. doi:10.1007/978-3-319-24574-4_28
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetal_lib.models.image_batch import nearest_legal_side

if TYPE_CHECKING:
    import keras

N_POOLINGS = 4
"""Number of 2x2 poolings: image sides must be multiples of ``2**N_POOLINGS``."""


def check_image_size(height: int | None, width: int | None) -> None:
    """Refuse an image size in pixels that four poolings cannot halve; None is not checked."""
    step = 2**N_POOLINGS
    for name, side in (("height", height), ("width", width)):
        if side is not None and (side < step or side % step):
            raise ValueError(
                f"{name}={side}: the U-Net pools {N_POOLINGS} times, so each side must be "
                f"a positive multiple of {step}; the nearest is {nearest_legal_side(side, step)}."
            )


def conv2d_block(x: keras.KerasTensor, n_filters: int, dtype: str = "float32") -> keras.KerasTensor:
    """Apply 3x3 convolution, batch normalisation and ReLU, twice: (B, H, W, C) to (B, H, W, F)."""
    from keras import layers

    same = {"padding": "same", "kernel_initializer": "he_normal", "dtype": dtype}
    for _ in range(2):
        x = layers.Conv2D(n_filters, 3, **same)(x)
        x = layers.BatchNormalization(dtype=dtype)(x)
        x = layers.ReLU(dtype=dtype)(x)
    return x


def get_unet(
    height: int | None = 256,
    width: int | None = 256,
    n_filters: int = 16,
    dropout: float = 0.1,
    dtype: str = "float32",
) -> keras.Model:
    """Build the U-Net: one grey channel in, one probability map out.

    Parameters
    ----------
    height, width : int or None
        Image size in pixels, multiples of 16; None takes any such size.
    n_filters : int
        Width of the first block; it doubles at each of four poolings.
    dropout : float
        Dropout rate in [0, 1): 0.1 in the gist, 0.3 in source 003.
    dtype : str
        A Keras precision policy: ``float32``, or ``mixed_bfloat16`` to compute in 16
        bits with weights, statistics and the output in 32.

    Returns
    -------
    keras.Model
        ``(B, height, width, 1)`` in [0, 1] to ``(B, height, width, 1)`` in [0, 1].

    Raises
    ------
    ValueError
        If a side is not a multiple of 16.

    Examples
    --------
    >>> get_unet(256, 256).count_params()
    2164305
    """
    import keras
    from keras import layers

    check_image_size(height, width)
    image = keras.Input((height, width, 1), name="image")

    skips = []
    x = image
    for level in range(N_POOLINGS):
        x = conv2d_block(x, n_filters * 2**level, dtype=dtype)  # (B, H/2^l, W/2^l, 2^l F)
        skips.append(x)
        x = layers.MaxPooling2D(2, dtype=dtype)(x)
        x = layers.Dropout(dropout, dtype=dtype)(x)
    x = conv2d_block(x, n_filters * 2**N_POOLINGS, dtype=dtype)  # (B, H/16, W/16, 16 F)

    up = {"strides": 2, "padding": "same", "dtype": dtype}
    for level in reversed(range(N_POOLINGS)):
        x = layers.Conv2DTranspose(n_filters * 2**level, 3, **up)(x)
        x = layers.Concatenate(dtype=dtype)([x, skips[level]])  # (B, H/2^l, W/2^l, 2 * 2^l F)
        x = layers.Dropout(dropout, dtype=dtype)(x)
        x = conv2d_block(x, n_filters * 2**level, dtype=dtype)
    head = {"activation": "sigmoid", "name": "probs", "dtype": "float32"}
    probs = layers.Conv2D(1, 1, **head)(x)  # (B, H, W, 1)
    return keras.Model(image, probs, name="unet")
