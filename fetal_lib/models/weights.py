"""Keep the weights of a Keras network in one small file that any backend reads.

Arrays of 1024 numbers or more (kernels; at full width the statistics of the widest
layers, too) are kept as 16-bit floats, which halves the file; smaller ones, as biases
and batch normalisation, stay 32-bit, and so do those with numbers that 16 bits cannot hold.
Rounding changes a network a little, so a network is scored *after* it has been through
:func:`round_weights`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

HALF_FROM = 1024
"""Arrays with at least this many elements are kept as float16, if their numbers fit."""


def packed(array: np.ndarray) -> np.ndarray:
    """Return the array as it is kept on disk.

    Examples
    --------
    >>> packed(np.zeros(2048, np.float32)).dtype, packed(np.zeros(16, np.float32)).dtype
    (dtype('float16'), dtype('float32'))
    >>> packed(np.full(2048, 7e4, np.float32)).dtype
    dtype('float32')
    """
    fits = np.abs(array).max(initial=0) <= np.finfo(np.float16).max
    return np.asarray(array).astype(np.float16 if array.size >= HALF_FROM and fits else np.float32)


def round_weights(model: keras.Model) -> None:
    """Round a network's weights to what :func:`save_weights` keeps, in place."""
    model.set_weights([packed(array).astype(np.float32) for array in model.get_weights()])


def save_weights(model: keras.Model, path: str | Path) -> None:
    """Write all weights, in the order of ``model.weights``, to a ``.npz`` file."""
    arrays = {f"w{i:03d}": packed(array) for i, array in enumerate(model.get_weights())}
    np.savez_compressed(path, **arrays)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file by name, or raise a ValueError where there is none."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"weights: no file {path.name} in {path.parent}; name a model folder.")
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Read weights that :func:`save_weights` wrote into a network, in place.

    Raises
    ------
    ValueError
        If the file is missing, or number or shapes do not fit the network.
    """
    arrays = [array for _, array in sorted(read_arrays(path).items())]
    shapes = [tuple(w.shape) for w in model.weights]
    found = [a.shape for a in arrays]
    if shapes != found:
        raise ValueError(
            f"weights: {Path(path).name} holds {len(found)} arrays, the network '{model.name}' has "
            f"{len(shapes)}, or their shapes differ; build it with the arguments in model.json."
        )
    model.set_weights([array.astype(np.float32) for array in arrays])
