"""Train the 3D ResUNet on truth and on references, apply it, and score it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age import tissues as tissue_steps
from fetal_book.chapters.brain_age.lessons import Lesson, on_segmenter_grid, segmenter_scans
from fetal_book.chapters.brain_age.tissues import TISSUES, Tissues, read_labels
from fetal_lib.metrics.segmentation import dice
from fetal_lib.models.torch_weights import load_torch_weights
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.torch_arrays import Arrays, of_output
from fetal_lib.training.torch_fit import fit_torch
from fetal_lib.training.torch_forward import predict_network, seed_torch
from fetal_lib.training.torch_task import TorchSettings
from fetal_lib.training.volume_augment import crop_augment

if TYPE_CHECKING:
    from torch import nn

    from fetal_book.chapters.brain_age.data import Parts
    from fetal_book.parameters.brain_age import BrainAgeParameters
    from fetal_book.runs.session import Run
    from fetal_lib.training.reuse import FitOutcome

POOLING = {"readme": (2, 2, 2), "code": (1, 2, 2)}
FIT_CODE = (
    "fetal_lib.models.res_unet_3d",
    "fetal_lib.training.torch_arrays",
    "fetal_lib.training.torch_fit",
    "fetal_lib.training.volume_augment",
    "fetal_lib.training.mri_input",
)
N_CLASSES = 4
TAUGHT_BY_TRUTH, TAUGHT_BY_REFERENCE = "res_unet_truth", "res_unet_reference"


def new_segmenter(p: BrainAgeParameters) -> nn.Module:
    """Build the untrained ResUNet with the run's seed, in the memory format fastest on a CPU."""
    import torch

    from fetal_lib.models.res_unet_3d import get_res_unet_3d

    seed_torch(p.seed)
    network = get_res_unet_3d(N_CLASSES, p.segmentation_width, POOLING[p.pooling])
    return network.to(memory_format=torch.channels_last_3d)


def _code() -> tuple[str, ...]:
    """Return the code that a fit rests on: labels and brightness come from the mixture."""
    return (*FIT_CODE, *tissue_steps.CODE, "fetal_book.chapters.brain_age.segmenter")


def fit_segmenter(
    run: Run, name: str, make_lesson: Callable[[], Lesson], lesson: dict
) -> tuple[nn.Module, FitOutcome]:
    """Train the ResUNet on a lesson by cross-entropy, or load the fit that is there.

    The lesson is made only when the network has to be trained; what it is made from, `lesson`, is
    part of the fit's key.
    """
    from torch.nn.functional import cross_entropy

    p = run.parameters
    settings = TorchSettings(
        epochs=p.segmentation_epochs,
        batch_size=p.segmentation_batch,
        learning_rate=p.segmentation_rate,
        schedule=p.schedule,
        ema=0.0 if p.schedule == "constant" else 0.95,
        seed=p.seed,
    )
    augment = crop_augment(p.segmentation_crop, 0.02, 0.02) if p.segmentation_crop else None

    def fit(folder: Path) -> None:
        part = make_lesson()
        loss = of_output(cross_entropy)
        task = Arrays(part.inputs, part.labels, settings, loss, augment=augment)
        fit_torch(folder, new_segmenter(p), task, run.progress)

    spec = {"name": name, "width": p.segmentation_width, "pooling": p.pooling}
    spec |= {"spacing_mm": p.segmentation_spacing_mm, "side": p.segmentation_side}
    spec |= {"intensity": p.segmentation_intensity}
    more = {"lesson": lesson, "crop": p.segmentation_crop}
    outcome = run.fit_or_reuse(spec, settings.as_spec() | more, _code(), fit)
    network = new_segmenter(p)
    load_torch_weights(network, outcome.folder / WEIGHTS)
    return network.eval(), outcome


@dataclass(frozen=True)
class Segmented:
    """Hold what networks found in each scan."""

    # name to float (N, 3): CSF, gray and white, mL of template space; NaN for a scan that a
    # network was not shown
    volumes: dict[str, np.ndarray]
    # ``row, network, against, csf, gray, white``: one row a scored scan, network and kind of labels
    # (``truth`` or ``reference``)
    dice: pd.DataFrame
    # row to dict of name to labels: input and labels of some rows, for pictures
    shown: dict[int, dict[str, np.ndarray]]


def apply_segmenters(
    run: Run,
    fits: dict[str, tuple[nn.Module, FitOutcome]],
    table: pd.DataFrame,
    tissues: Tissues,
    parts: Parts,
    show: Sequence[int],
) -> Segmented:
    """Segment every scan with every network, once; score each against what labels there are.

    The network that was taught by references is not shown the scans that taught it.
    """
    networks = {name: network for name, (network, _) in fits.items()}

    def compute(folder: Path) -> None:
        found = _apply(run, networks, table, tissues, parts.teaches, show)
        np.savez_compressed(folder / "volumes.npz", **found.volumes)
        found.dice.to_csv(folder / "dice.csv", index=False)
        flat = {f"{row}/{k}": v for row, some in found.shown.items() for k, v in some.items()}
        np.savez_compressed(folder / "shown.npz", **flat)

    spec = {"name": "segmented", "fits": {name: fit.key for name, (_, fit) in fits.items()}}
    rows = {"subjects": table["subject"].tolist(), "show": [int(i) for i in show]}
    rows |= {"teach": np.flatnonzero(parts.teaches).tolist()}
    folder = run.fit_or_reuse(spec, rows, _code(), compute).folder
    shown: dict[int, dict[str, np.ndarray]] = {}
    with np.load(folder / "shown.npz") as file:
        for key in file.files:
            row, _, name = key.partition("/")
            shown.setdefault(int(row), {})[name] = file[key]
    with np.load(folder / "volumes.npz") as file:
        volumes = {name: file[name] for name in file.files}
    return Segmented(volumes, pd.read_csv(folder / "dice.csv"), shown)


def _apply(
    run: Run,
    networks: dict[str, nn.Module],
    table: pd.DataFrame,
    tissues: Tissues,
    teaches: np.ndarray,
    show: Sequence[int],
) -> Segmented:
    p = run.parameters
    voxel_ml = p.segmentation_spacing_mm**3 / 1000
    volumes = {name: np.full((len(table), 3), np.nan) for name in networks}
    rows, shown = [], {}
    for i, (values, truth) in enumerate(segmenter_scans(table, p, tissues.brightness)):
        reference = on_segmenter_grid(read_labels(tissues, tissues.rows[i : i + 1])[0], p)
        known = {"truth": truth, "reference": reference}
        if i in show:
            kept = {"input": values.astype(np.float16), **known}
            shown[i] = {k: v for k, v in kept.items() if v is not None}
        for name, network in networks.items():
            if name == TAUGHT_BY_REFERENCE and teaches[i]:
                continue
            found = segment(network, values)
            volumes[name][i] = [voxel_ml * (found == k).sum() for k in TISSUES.values()]
            rows += _scores(i, name, known, found)
            if i in show:
                shown[i][name] = found.astype(np.uint8)
        if truth is not None:
            rows += _scores(i, "mixture", {"truth": truth}, reference)
        if (i + 1) % 20 == 0:
            run.progress("stage", text=f"networks segmented {i + 1} of {len(table)} scans")
    return Segmented(volumes, pd.DataFrame(rows), shown)


def segment(network: nn.Module, values: np.ndarray) -> np.ndarray:
    """Return the labels that a network gives an input, uint8 (S, S, S).

    Only the box around the brain is computed, with sides that four poolings can halve; what is
    outside it is background.
    """
    box = tuple(_span(values, axis) for axis in range(3))
    labels = np.zeros(values.shape, np.uint8)
    labels[box] = predict_network(network, values[box][None, None], 1)[0].argmax(axis=0)
    return labels


def _span(values: np.ndarray, axis: int, step: int = 16) -> slice:
    """Return the stretch of an axis that holds what is not 0, its length a multiple of a step."""
    n = values.shape[axis]
    used = np.flatnonzero(values.any(axis=tuple(k for k in range(3) if k != axis)))
    first, last = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
    length = min(n, -(-(last - first + 1) // step) * step)
    start = min(max(0, (first + last + 1 - length) // 2), n - length)
    return slice(start, start + length)


def _scores(row: int, name: str, known: dict, found: np.ndarray) -> list[dict]:
    return [
        {"row": row, "network": name, "against": against}
        | {tissue: dice(labels == k, found == k) for tissue, k in TISSUES.items()}
        for against, labels in known.items()
        if labels is not None
    ]
