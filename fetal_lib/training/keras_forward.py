"""Run a Keras network over grey images: classifiers and segmentation networks alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

BATCH = 64
"""Images in a forward pass without training."""


def forward(
    model: keras.Model, images: np.ndarray, batch_size: int = BATCH
) -> np.ndarray | tuple[np.ndarray, ...]:
    """Return what a network makes of grey images; one array for each of its outputs.

    A batch is filled up, to the batch size or, of few images, to a power of two: no graph is
    traced anew for every number of images.

    Parameters
    ----------
    model : keras.Model
        (B, H, W, 1) in [0, 1] to one tensor (B, ...), or to several.
    images : ndarray, shape (N, H, W), uint8
    batch_size : int

    Returns
    -------
    ndarray, shape (N, ...), float32, or a tuple of such
    """
    size = max(1, min(batch_size, 1 << (len(images) - 1).bit_length()))
    found = [[np.zeros((0, *out.shape[1:]), np.float32)] for out in model.outputs]
    for i in range(0, len(images), size):
        batch = images[i : i + size]
        filled = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)])
        outs = model.predict_on_batch(filled[..., None] / np.float32(255))
        for kept, out in zip(found, outs if len(found) > 1 else [outs], strict=True):
            kept.append(np.asarray(out, np.float32)[: len(batch)])
    joined = tuple(map(np.concatenate, found))
    return joined if len(joined) > 1 else joined[0]
