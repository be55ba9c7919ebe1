"""What runs around a PyTorch network: the device, the seed, and a pass over arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn


def choose_device(device: str = "auto") -> str:
    """Return the name of the PyTorch device for ``"auto"`` or a device's name."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(torch.device(device))


def seed_torch(seed: int, epoch: int = 0) -> None:
    """Seed what PyTorch draws from by ``(seed, epoch)``."""
    import torch

    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """Return a tensor of an array's type, whatever the array's strides."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def predict_network(
    network: nn.Module, x: np.ndarray, batch_size: int = 4, device: str = "auto"
) -> np.ndarray:
    """Return a network's output for rows of an array, in evaluation mode.

    The network is left in the mode that it was in.
    """
    import torch

    device = choose_device(device)
    network.to(device)
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        parts = [
            network(as_tensor(x[i : i + batch_size]).to(device)).float().cpu().numpy()
            for i in range(0, len(x), batch_size)
        ]
    network.train(was_training)
    return np.concatenate(parts)
