"""Keep the weights of a PyTorch network in one small `.npz` file.

Arrays of 1024 numbers or more are kept as 16-bit floats and smaller ones, as biases and batch
statistics of most layers, as 32-bit; so does `fetal_lib.models.weights` for Keras. No pickle is
written or read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.models.weights import packed, read_arrays

if TYPE_CHECKING:
    from torch import nn


def save_torch_weights(network: nn.Module, path: str | Path) -> None:
    """Write all parameters and buffers by their names."""
    state = network.state_dict()
    np.savez_compressed(path, **{k: packed(v.detach().cpu().numpy()) for k, v in state.items()})


def load_torch_weights(network: nn.Module, path: str | Path) -> None:
    """Read weights that :func:`save_torch_weights` wrote into a network, in place.

    Raises
    ------
    ValueError
        If the file is missing, or names or shapes do not fit the network.
    """
    import torch

    arrays = read_arrays(path)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: array.shape for name, array in arrays.items()}
    if wanted != found:
        apart = sorted(set(wanted.items()) ^ set(found.items()))[:3]
        raise ValueError(
            f"weights: {Path(path).name} holds {len(found)} arrays, the network has {len(wanted)}, "
            f"and they differ, first in {apart}; build the network with the arguments in "
            "model.json."
        )
    kinds = {name: value.dtype for name, value in network.state_dict().items()}
    state = {k: torch.from_numpy(np.array(v)).to(kinds[k]) for k, v in arrays.items()}
    network.load_state_dict(state)
