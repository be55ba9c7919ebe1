"""Count the statistics of batch normalisation anew, as the network sees them when it is used.

Dropout before a batch normalisation makes its inputs scatter more in training than in use, where
nothing is dropped. The running mean and variance are those of training, so that every layer of a
network that is used scales by the wrong number, and the next one by a wrong number more.

References
----------
Li X et al. Understanding the disharmony between dropout and batch normalization by variance shift.
CVPR 2019. doi:10.1109/CVPR.2019.00279
Wu Y, Johnson J. Rethinking "batch" in BatchNorm. 2021. arXiv:2105.07576 (precise statistics)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn


def drops_before_normalising(network: nn.Module) -> bool:
    """Say whether a network has both dropout and batch normalisation.

    Examples
    --------
    >>> from torch import nn
    >>> drops_before_normalising(nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(2)))
    True
    >>> drops_before_normalising(nn.Sequential(nn.Dropout(0.0), nn.BatchNorm1d(2)))
    False
    """
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.dropout import _DropoutNd

    layers = list(network.modules())
    drops = any(isinstance(one, _DropoutNd) and one.p > 0 for one in layers)
    return drops and any(isinstance(one, _BatchNorm) for one in layers)


def recount_statistics(
    network: nn.Module,
    images: np.ndarray,
    batch_size: int = 8,
    seed: int = 0,
) -> None:
    """Set the running statistics of all batch normalisations to their means over batches of images.

    Nothing is dropped, unlike by `torch.optim.swa_utils.update_bn`, and no weight changes. The
    network is left in the mode of use.

    Parameters
    ----------
    network : torch.nn.Module
        Takes a batch (B, 1, H, W) in [0, 1].
    images : ndarray, uint8 (N, H, W)
        Of the training part; two or more.
    batch_size, seed : int
        Batches are drawn without replacement; a last one of a single image is left out.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    device = next(network.parameters()).device
    layers = [one for one in network.modules() if isinstance(one, _BatchNorm)]
    momenta = [one.momentum for one in layers]
    network.eval()
    for one in layers:
        one.reset_running_stats()
        one.train().momentum = None  # of all batches the same weight
    order = np.random.default_rng(seed).permutation(len(images))
    with torch.no_grad():
        for start in range(0, len(order) - 1, batch_size):
            batch = torch.from_numpy(images[order[start : start + batch_size]])
            network(batch.to(device).float()[:, None] / 255)
    for one, momentum in zip(layers, momenta, strict=True):
        one.momentum = momentum
    network.eval()
