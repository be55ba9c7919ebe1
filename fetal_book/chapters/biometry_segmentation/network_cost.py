"""What one image costs a PyTorch network: operations, memory and seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from fetal_lib.models.segmentation_networks import (
    build_network,
    count_parameters,
    example_inputs,
    get_spec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pandas as pd
    from torch import nn

    from fetal_lib.predict.segmenter import Segmenter

BYTES, MIB = 4, 2**20
N_SINGLE = 3
RELEASED_PASSES = 1000 * 5
"""Steps times members of the default of MedSegDiff's released code."""


def multiply_accumulates(network: nn.Module, inputs: tuple) -> int:
    """Return the multiply-accumulates of one pass: convolutions and matrix products.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Conv2d(3, 5, 3, padding=1)
    >>> multiply_accumulates(layer, (torch.zeros(1, 3, 8, 8),))  # 8*8 * 3*3*3*5
    8640
    """
    was_training = network.training
    network.eval()
    found = _counted(lambda: network(*inputs))
    network.train(was_training)
    return found


def _counted(compute: Callable[[], object]) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        compute()
    return counter.get_total_flops() // 2


def image_macs(network: nn.Module, inputs: tuple, passes: int = 1) -> int:
    """Return the multiply-accumulates that one image takes.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    inputs : tuple of Tensor
        See `example_inputs`; of one image.
    passes : int
        Of a diffusion network: steps times members. Its condition network counts once.
    """
    if len(inputs) == 1:
        return multiply_accumulates(network, inputs)
    noisy, t, image = inputs
    seen: list = []
    look = _counted(lambda: seen.append(network.look(image)))
    return look + passes * _counted(lambda: network.denoise(noisy, t, image, seen[0]))


class SamplerCost(NamedTuple):
    """Multiply-accumulates of one image: the released sampler, an ensemble here, their ratio."""

    released_macs: int
    here_macs: int
    ratio: float


def released_cost_ratio(steps: int, members: int, side: int = 256) -> SamplerCost:
    """Compare what the released sampler computes for an image with an ensemble here.

    Both at the published width: the released code asks condition network and denoiser at each of
    1000 steps for each of 5 members; here the condition network is asked once for all.

    Parameters
    ----------
    steps, members : int
        Of the ensemble here.
    side : int
        Of the image, pixels.
    """
    import torch

    names = ("med_seg_diff_released", "med_seg_diff")
    with torch.device("meta"):  # counted without computing
        networks = [build_network(name, image_size=side).eval() for name in names]
        inputs = [example_inputs(name, 1, side=side) for name in names]
        released = RELEASED_PASSES * multiply_accumulates(networks[0], inputs[0])
        here = image_macs(networks[1], inputs[1], steps * members)
    return SamplerCost(released, here, released / here)


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
        Timed as a whole, after one image to warm up.

    Returns
    -------
    dict
        ``parameters``, ``passes`` of the (denoising) network for an image, ``GMAC`` of an image
        with all passes, ``weights (MiB)``, ``activations (MiB)``, ``images/s`` of a batch, and
        ``one image (ms)``, alone, the fastest of three.
    """
    spec = segmenter.spec
    inputs = example_inputs(spec.network, 1, side=spec.image_size)
    inputs = tuple(x.to(segmenter.device) for x in inputs)
    passes = spec.sampling_steps * spec.members if get_spec(spec.network).is_diffusion else 1
    n_parameters = count_parameters(segmenter.network)
    _seconds(segmenter, images[:1])
    batch_s = _seconds(segmenter, images)
    return {
        "parameters": n_parameters,
        "passes": passes,
        "GMAC": image_macs(segmenter.network, inputs, passes) / 1e9,
        "weights (MiB)": n_parameters * BYTES / MIB,
        "activations (MiB)": activation_mib(segmenter.network, inputs),
        "images/s": len(images) / batch_s,
        "one image (ms)": 1000 * min(_seconds(segmenter, images[:1]) for _ in range(N_SINGLE)),
    }


def _seconds(segmenter: Segmenter, images: np.ndarray) -> float:
    start = time.perf_counter()
    segmenter.probs(images)
    return time.perf_counter() - start


def cost_table(segmenters: dict[str, Segmenter], images: np.ndarray) -> pd.DataFrame:
    """Return :func:`cost_of` of each network, a row each."""
    import pandas as pd

    rows = [{"model": name, **cost_of(s, images)} for name, s in segmenters.items()]
    return pd.DataFrame(rows)
