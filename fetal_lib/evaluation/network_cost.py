"""What one image costs a PyTorch network: operations, memory and seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fetal_lib.models.segmentation_networks import count_parameters, example_inputs, get_spec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import nn

    from fetal_lib.predict.segmenter import Segmenter

BYTES, MIB = 4, 2**20


def multiply_accumulates(network: nn.Module, inputs: tuple) -> int:
    """Return the multiply-accumulates of one pass: convolutions and matrix products.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Conv2d(3, 5, 3, padding=1)
    >>> multiply_accumulates(layer, (torch.zeros(1, 3, 8, 8),))  # 8*8 * 3*3*3*5
    8640
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    was_training = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    network.train(was_training)
    return counter.get_total_flops() // 2


def activation_mib(network: nn.Module, inputs: tuple) -> float:
    """Return the MiB of all leaf layers' outputs in one pass: what training keeps, about."""
    import torch

    total = 0

    def add(module: nn.Module, given: object, output: object) -> None:
        nonlocal total
        total += output.numel() if isinstance(output, torch.Tensor) else 0

    leaves = [m for m in network.modules() if not list(m.children())]
    hooks = [leaf.register_forward_hook(add) for leaf in leaves]
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return total * BYTES / MIB


def cost_of(segmenter: Segmenter, images: np.ndarray) -> dict[str, float]:
    """Return parameters, cost and speed of one trained network.

    Parameters
    ----------
    segmenter : Segmenter
    images : ndarray, uint8 (N, H, W)
        Timed once, after a single image to warm up.

    Returns
    -------
    dict
        ``parameters``, ``passes`` of the (denoising) network for an image, ``GMAC`` of an image
        with all passes, ``weights (MiB)``, ``activations (MiB)`` and ``images/s``.
    """
    spec = segmenter.spec
    inputs = example_inputs(spec.network, 1, side=spec.image_size)
    inputs = tuple(x.to(segmenter.device) for x in inputs)
    passes = spec.sampling_steps * spec.members if get_spec(spec.network).is_diffusion else 1
    macs = multiply_accumulates(segmenter.network, inputs)
    n_parameters = count_parameters(segmenter.network)
    segmenter.probs(images[:1])
    start = time.perf_counter()
    segmenter.probs(images)
    return {
        "parameters": n_parameters,
        "passes": passes,
        "GMAC": passes * macs / 1e9,
        "weights (MiB)": n_parameters * BYTES / MIB,
        "activations (MiB)": activation_mib(segmenter.network, inputs),
        "images/s": len(images) / (time.perf_counter() - start),
    }


def cost_table(segmenters: dict[str, Segmenter], images: np.ndarray) -> pd.DataFrame:
    """Return :func:`cost_of` of each network, a row each."""
    import pandas as pd

    rows = [{"model": name, **cost_of(s, images)} for name, s in segmenters.items()]
    return pd.DataFrame(rows)
