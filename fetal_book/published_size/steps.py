"""Measure what one training step of a network takes: seconds an image, by size and precision.

Forward pass, loss, backward pass and Adam's step on random images, at the published width. The
first step, which allocates and traces, is not counted; the faster of the next two is.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.published_size.networks import SourceNetwork, get_network
from fetal_book.runs.machine import cores, cpu_model, gpu_name
from fetal_lib.files.atomic import write_text

if TYPE_CHECKING:
    import keras
    from torch import nn

TABLE = "steps.csv"
COLUMNS = (
    *("network", "side", "precision", "channels_last", "batch", "seconds_per_image"),
    *("parameters", "cores", "processor", "gpu"),
)
KEYS = ("network", "side", "precision", "channels_last", "cores", "processor", "gpu")
PIXELS = 2 * 256**2
"""Of a batch: two images of 256 pixels a side, eight of 128."""
MOST = 8
"""Images of a batch, at most."""
TORCH = ("03_biometry_segmentation", "05_brain_age")
KERAS_TYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def settings_of(network: SourceNetwork) -> Iterator[tuple[int, str, bool]]:
    """Yield the sizes, precisions and memory orders that a network is measured at.

    Networks of chapter 01 and 05 are trained in 32 bits alone; Keras always has channels last.
    """
    for side in network.sides:
        yield side, "float32", network.chapter not in TORCH
        if network.chapter not in ("01_gestational_age", "05_brain_age"):
            yield side, "bfloat16", True


def read_steps(folder: Path) -> list[dict[str, str]]:
    """Return the rows that were measured so far."""
    path = Path(folder) / TABLE
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def measure_all(folder: Path, names: list[str], say: Callable[[str], None]) -> None:
    """Measure what this machine has not measured yet, and add a row at a time to ``steps.csv``."""
    machine = {"cores": cores(), "processor": cpu_model(), "gpu": gpu_name() or ""}
    for name in names:
        for side, precision, last in settings_of(get_network(name)):
            row = {"network": name, "side": side, "precision": precision, "channels_last": last}
            row |= machine
            rows = read_steps(folder)
            if any(all(str(row[key]) == one[key] for key in KEYS) for one in rows):
                continue
            row |= measure(name, side, precision, last)
            say(f"{name} {side} {precision}: {row['seconds_per_image']} s an image")
            write_steps(folder, [*rows, row])


def write_steps(folder: Path, rows: list[dict]) -> None:
    """Write the table of steps, whole or not at all."""
    lines = [",".join(COLUMNS)]
    lines += [
        ",".join(f'"{row[c]}"' if c in ("processor", "gpu") else str(row[c]) for c in COLUMNS)
        for row in rows
    ]
    write_text(Path(folder) / TABLE, "\n".join(lines) + "\n")


def measure(name: str, side: int, precision: str, channels_last: bool) -> dict[str, object]:
    """Return batch size, parameters and seconds an image of one training step."""
    network = get_network(name)
    if network.chapter == "05_brain_age":
        batch, shape = 2, (1, side, side, side)
    else:
        most = 2 if name == "med_seg_diff" else MOST
        batch, shape = max(2, min(most, PIXELS // side**2)), (1, side, side)
    how = _torch_step if network.chapter in TORCH else _keras_step
    step, parameters = how(name, shape, batch, precision, channels_last)
    step()
    seconds = min(_timed(step) for _ in range(2))
    return {
        "batch": batch,
        "parameters": parameters,
        "seconds_per_image": f"{seconds / batch:.4g}",
    }


def _timed(step: Callable[[], object]) -> float:
    """Return seconds; on one core those that it worked, whatever else ran beside."""
    alone = cores() == 1 and not gpu_name()
    clock = time.process_time if alone else time.perf_counter
    start = clock()
    step()
    return clock() - start


def _torch_step(
    name: str, shape: tuple[int, ...], batch: int, precision: str, channels_last: bool
) -> tuple[Callable[[], None], int]:
    import torch

    network, loss = _torch_network(name, shape[-1])
    x = torch.rand(batch, *shape)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    y = torch.rand(batch, 1) if name == "resnext" else (torch.rand(batch, *shape) > 0.5).float()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, x, y = network.to(device), x.to(device), y.to(device)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            value = loss(network, x, y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        value.item()

    return step, sum(p.numel() for p in network.parameters())


def _torch_network(name: str, side: int) -> tuple[nn.Module, Callable]:
    from torch.nn import functional

    from fetal_lib.models.res_next_3d import get_res_next_3d
    from fetal_lib.models.res_unet_3d import get_res_unet_3d

    if name == "resnext":
        return get_res_next_3d(), lambda net, x, y: functional.mse_loss(net(x), y)
    if name == "res_unet":
        return get_res_unet_3d(), lambda net, x, y: functional.cross_entropy(net(x), y[:, 0].long())
    from fetal_book.chapters.biometry_segmentation.fit import loss_of, segmenter_spec
    from fetal_book.published_size.settings import parameters_of

    spec = segmenter_spec(parameters_of(name, {"image_size": side}), _listed(name))
    return spec.build().train(), loss_of(spec, anchor_every=5)


def _listed(name: str) -> str:
    return str(dict(get_network(name).parameters)["networks"])


def _keras_step(
    name: str, shape: tuple[int, ...], batch: int, precision: str, channels_last: bool
) -> tuple[Callable[[], object], int]:
    import keras

    del channels_last  # Keras knows no other order
    side = shape[-1]
    network = _keras_network(name, side, KERAS_TYPES[precision])
    x = np.random.default_rng(0).random((batch, *network.input_shape[1:]), np.float32)
    y = np.zeros((batch, *network.output_shape[1:]), np.float32)
    network.compile(keras.optimizers.Adam(1e-4), "mse")
    return (lambda: network.train_on_batch(x, y)), network.count_params()


def _keras_network(name: str, side: int, dtype: str) -> keras.Model:
    from fetal_lib.models.anomaly_cnns import build_anomaly_cnn
    from fetal_lib.models.unet import get_unet
    from fetal_lib.models.vgg16_attention import get_age_network

    if name == "vgg16_gate":
        return get_age_network(side)
    if name.startswith("unet"):
        return get_unet(side, side, dtype=dtype)
    return build_anomaly_cnn(name, side=side, dtype=dtype)
