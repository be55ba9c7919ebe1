"""What each network is and takes: parameters, operations, memory, time, and the Dice beside."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from fetal_lib.models.segmentation_networks import (
    build_network,
    count_parameters,
    example_inputs,
    get_spec,
    published_parameters,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import nn

    from fetal_book.runs.session import Run
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
    """Return the multiply-accumulates that one image takes, by a network in evaluation mode.

    Passes of a diffusion network are steps times members. Its condition network counts once.
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


def inputs_of(segmenter: Segmenter) -> tuple:
    """Return inputs of one image, as its network takes them, on its device."""
    inputs = example_inputs(segmenter.spec.network, 1, side=segmenter.spec.image_size)
    return tuple(x.to(segmenter.device) for x in inputs)


def cost_of(segmenter: Segmenter, images: np.ndarray) -> dict[str, float]:
    """Return parameters, cost and speed of one trained network.

    ``passes`` are those of the (denoising) network for an image, and ``GMAC`` counts all of them.
    The images are timed as a whole, after one to warm up; ``one image (ms)``, alone, is the
    fastest of three.
    """
    spec = segmenter.spec
    inputs = inputs_of(segmenter)
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
    rows = [{"model": name, **cost_of(s, images)} for name, s in segmenters.items()]
    return pd.DataFrame(rows)


def network_table(names: Sequence[str], size: str, image_size: int) -> pd.DataFrame:
    """Return each network's parameters: as published, counted, and in a run on images of a size."""
    import torch

    rows = []
    for name in names:
        spec = get_spec(name)
        width = spec.narrow if size == "narrow" else 1.0
        with torch.device("meta"):
            here = count_parameters(build_network(name, 1, 1, width, image_size))
        row = {"network": spec.title, "published": spec.published_count or "not released"}
        row |= {"counted at that setting": published_parameters(name), "width here": width}
        rows.append(row | {"parameters here": here, "sides multiple of": spec.multiple})
    return pd.DataFrame(rows)


def training_table(
    run: Run, histories: Mapping[str, Sequence[dict]], train_s: Mapping[str, float]
) -> pd.DataFrame:
    """Return time, throughput and last losses of each network, and add them as result rows."""
    rows = []
    for name, history in histories.items():
        last, speed = history[-1], np.median([row["images_per_s"] for row in history])
        run.add_result(model=name, split="train", metric="train_s", value=train_s[name])
        run.add_result(model=name, split="train", metric="images_per_s", value=speed)
        row = {"model": name, "epochs": last["epoch"], "train_s": train_s[name]}
        row |= {"images/s": speed, "loss": last["loss"], "validation loss": last["val_loss"]}
        rows.append(row | {"validation Dice": last["val_score"]})
    return pd.DataFrame(rows)


def add_costs(run: Run, costs: pd.DataFrame) -> None:
    """Add parameters, operations and speed of each network as result rows."""
    for row in costs.to_dict("records"):
        known = {"model": row["model"], "split": "all"}
        run.add_result(**known, metric="params", value=row["parameters"])
        run.add_result(**known, metric="gmac", value=row["GMAC"])
        run.add_result(**known, metric="images_per_s", value=row["images/s"])


def dice_intervals(rows: Sequence[dict], names: Sequence[str]) -> pd.DataFrame:
    """Return ``model, dice, low, high`` of all test images; the value itself for no interval."""
    found: dict[str, dict] = {}
    for row in rows:
        if (row["split"], row["metric"]) == ("test", "dice") and row["model"] in names:
            low, high = row["ci95"] or (row["value"],) * 2
            line = {"model": row["model"], "dice": row["value"], "low": low, "high": high}
            found.setdefault(row["model"], line)  # the pooled row comes first
    return pd.DataFrame(list(found.values()))
