"""How the weights of a PyTorch network lie in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def channels_last(network: nn.Module, precision: str = "32-true") -> nn.Module:
    """Return a network whose 2D weights lie with their channels last, as processors convolve best.

    One with dilated convolutions stays as it is in 16 bits: with channels last and other than a
    multiple of 16 of them, PyTorch 2.13's 16-bit gradient of such a convolution is NaN on a
    processor.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place.
    precision : str
        Lightning's name of what it is trained in.
    """
    import torch

    layers = [one for one in network.modules() if isinstance(one, torch.nn.Conv2d)]
    if precision != "32-true" and any(max(one.dilation) > 1 for one in layers):
        return network
    return network.to(memory_format=torch.channels_last)
