"""Train the networks that measure head, abdomen and femur; their weights are shipped.

``python -m fetal_book.chapters.biometry_segmentation.biometry_network DATA_ROOT NEW_FOLDER``

``DATA_ROOT`` holds ``hc18`` and, for three planes, ``fetal_biometry_fp``. Without ``--start`` the
head is learnt from HC18 alone; with the folder of such a head model it goes on from its weights
with all three planes. A call that was cut goes on at its last epoch. Offsets and intervals are
set on the validation part; the test part is scored once, at the end, for the card.

With ``--folds 5`` no model is made but a table, ``out_of_fold.csv``: every case measured by a
shorter fit that has not seen its examination or subject. Copied into the model's folder it sets
the model's intervals, by the command ``biometry_calibration`` beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from fetal_book.chapters.biometry_segmentation.biometry_calibration import finish
from fetal_book.chapters.biometry_segmentation.biometry_cases import (
    Case,
    calliper_cases,
    hc18_cases,
    of_part,
)
from fetal_book.chapters.biometry_segmentation.biometry_folds import measure_folds
from fetal_book.chapters.biometry_segmentation.biometry_pictures import UNKNOWN, Forms, Pictures
from fetal_lib.models.biometry_unet import WIDTHS, BiometryUNet
from fetal_lib.models.onnx_file import write_onnx
from fetal_lib.models.torch_weights import load_torch_weights
from fetal_lib.predict.biometry_maps import CHANNELS
from fetal_lib.predict.biometry_model import BiometryModel, BiometrySpec
from fetal_lib.predict.onnx_network import FILE, OnnxNetwork
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.precision import lightning_precision
from fetal_lib.training.torch_fit import fit_torch
from fetal_lib.training.torch_task import Batches, TorchSettings, TorchTask

if TYPE_CHECKING:
    import torch
    from torch import nn

SHAPE, FIT = (128, 192), "fit"
HEAD_STAGES = ((SHAPE, 36, 2e-3), (SHAPE, 60, 1.5e-3))
PLANES_STAGES = ((SHAPE, 60, 2e-3), (SHAPE, 60, 1.5e-3))
"""Size of the input, epochs and learning rate of each stage."""
FOLD_STAGES = (((SHAPE, 14, 2e-3),), ((SHAPE, 14, 2e-3),))
"""Those of a fold: of the head alone, and of three planes."""
SHOWN = {"femur": 3, "abdomen": 1, "head": 1}
"""How often an epoch shows a case of the calliper set, by plane."""
RARE_MM, SHOWN_RARE = (100.0, 225.0), (2, 3)
"""An epoch shows heads of HC18 that are smaller or larger than most so often."""
N_HC18 = 200
"""Heads of HC18 in an epoch of the three planes."""
ORIGIN = (
    {"trained_on": "HC18", "licence": "CC BY 4.0"},
    {
        "trained_on": "HC18, FETAL_PLANES_DB with the multicentre benchmark's callipers",
        "licence": "CC BY-NC-SA 4.0",
    },
)
"""Of the head alone, and of three planes."""


@dataclass(frozen=True)
class Recipe:
    """How a network of biometry is trained; the defaults are those of the shipped ones.

    Attributes
    ----------
    forms : Forms
        The random forms of a scan.
    cross_entropy, dice : float
        Weights of the two parts of the loss.
    ema : float
        Momentum of the moving average of the weights; 0 keeps the last ones.
    widths : tuple of int
        Channels of the network's levels.
    shown_rare : tuple of int
        How often an epoch shows a small and a large head of HC18.
    mirrors : bool
        The network answers for the mean of four mirrored views.
    """

    forms: Forms = Forms()
    cross_entropy: float = 1.0
    dice: float = 1.0
    ema: float = 0.995
    widths: tuple[int, ...] = WIDTHS
    shown_rare: tuple[int, int] = SHOWN_RARE
    mirrors: bool = True


SHIPPED = Recipe()


@dataclass(frozen=True)
class Biometry(TorchTask):
    """Learn soft maps from scans in random forms.

    Attributes
    ----------
    pictures : Pictures
        Of the training part and nothing else.
    settings : TorchSettings
    recipe : Recipe
    teachers : tuple of nn.Module
        Networks whose mean answer counts for half of each map that has a truth.
    """

    pictures: Pictures
    settings: TorchSettings
    recipe: Recipe = SHIPPED
    teachers: tuple[nn.Module, ...] = ()

    def loss(self, network: nn.Module, image: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Return cross-entropy and soft Dice loss of the maps that have a truth."""
        if self.teachers:
            maps = taught(self.teachers, image, maps)
        return map_loss(network(image).float(), maps, self.recipe.cross_entropy, self.recipe.dice)

    def n_cases(self) -> int:
        return len(self._order(0))

    def _order(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self.settings.seed, epoch, 1])
        cases = self.pictures.cases
        often = np.array([_often(case, self.recipe.shown_rare) for case in cases])
        is_hc18 = np.array([case.source == "hc18" for case in cases])
        hc18, others = (np.repeat(*np.array([np.flatnonzero(kind), often[kind]]))
                        for kind in (is_hc18, ~is_hc18))  # fmt: skip
        chosen = rng.permutation(hc18)[: N_HC18 if len(others) else None]
        return rng.permutation(np.concatenate([chosen, others]))

    def batches(self, epoch: int) -> Batches:
        size = self.settings.batch_size
        order = self._order(epoch)
        rows = np.split(order[: len(order) - len(order) % size], len(order) // size)
        return Batches(len(rows), lambda: self._drawn(rows, epoch))

    def _drawn(self, batches: Sequence[np.ndarray], epoch: int) -> Iterator[Any]:
        import torch

        rng = np.random.default_rng([self.settings.seed, epoch, 2])
        for rows in batches:
            pairs = [self.pictures.draw(int(k), rng, self.recipe.forms) for k in rows]
            yield tuple(torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))

    def watched(self) -> None:
        return None


def _often(case: Case, shown_rare: tuple[int, int]) -> int:
    if case.source != "hc18":
        return SHOWN[case.plane]
    few, many = (case.sizes_mm["hc_mm"] < RARE_MM[0], case.sizes_mm["hc_mm"] > RARE_MM[1])
    return shown_rare[0] if few else shown_rare[1] if many else 1


def taught(teachers: Sequence[nn.Module], image: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return the means of known maps (B, C, h, w) and of what the teachers answer to the image.

    References
    ----------
    Hinton G, Vinyals O, Dean J. Distilling the knowledge in a neural network. 2015.
    arXiv:1503.02531
    """
    import torch

    with torch.no_grad():
        answers = torch.stack([torch.sigmoid(one(image).float()) for one in teachers]).mean(0)
    return torch.where(maps == UNKNOWN, maps, (maps + answers) / 2)


def map_loss(
    logits: torch.Tensor, maps: torch.Tensor, of_entropy: float = 1.0, of_dice: float = 1.0
) -> torch.Tensor:
    """Return cross-entropy plus soft Dice loss, mean over the maps (B, C, h, w) that are known,
    each by its weight.

    The squared denominators of the Dice loss have their least value at a soft truth itself.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    known = maps[:, :, 0, 0] != UNKNOWN
    logits, maps = logits[known], maps[known]  # (K, h, w)
    probs = torch.sigmoid(logits)
    overlap, squares = (probs * maps).sum((1, 2)), (probs**2 + maps**2).sum((1, 2))
    dice = 1 - (2 * overlap + 1) / (squares + 1)
    return of_entropy * cross_entropy(logits, maps) + of_dice * dice.mean()


def fit_network(
    network: BiometryUNet,
    cases: Sequence[Case],
    channels: Sequence[str],
    stages: Sequence[tuple[tuple[int, int], int, float]],
    folder: Path,
    progress: Callable[..., None],
    recipe: Recipe = SHIPPED,
    teachers: tuple[nn.Module, ...] = (),
) -> None:
    """Fit a network in stages of growing images; checkpoints and weights of each in a folder."""
    import torch

    network.to(memory_format=torch.channels_last)
    for number, (shape, epochs, learning_rate) in enumerate(stages):
        settings = TorchSettings(
            epochs,
            batch_size=8,
            learning_rate=learning_rate,
            weight_decay=1e-4,
            clip=5.0,
            ema=recipe.ema,
            precision=lightning_precision("auto"),
            seed=number,
        )
        task = Biometry(Pictures(cases, shape, channels), settings, recipe, teachers)
        fit_torch(folder / f"stage_{number}", network, task, progress)


def started(folder: Path | None, channels: Sequence[str]) -> BiometryUNet:
    """Build a network, with the weights of a head model in its folder of fits where given."""
    import torch

    torch.manual_seed(0)
    network = BiometryUNet(len(channels))
    if folder is not None:
        start = BiometryUNet(1)
        last = max((folder / FIT).glob(f"stage_*/{WEIGHTS}"))
        load_torch_weights(start, last)
        state = start.state_dict()
        for name in ("head.weight", "head.bias"):
            state[name] = state[name].repeat_interleave(len(channels), 0)
        network.load_state_dict(state)
    return network


def written(
    network: BiometryUNet,
    channels: Sequence[str],
    shape: tuple[int, int],
    folder: Path,
    mirrors: bool = True,
) -> BiometryModel:
    """Write a fitted network; return the model without offsets and intervals."""
    write_onnx(network, shape, folder / FILE, mirrors)
    spec = BiometrySpec(*shape, tuple(channels), **ORIGIN[len(channels) > 1])
    return BiometryModel(OnnxNetwork(folder / FILE), spec)


def fold_model(cases: Sequence[Case], folder: Path, start: Path | None) -> BiometryModel:
    """Fit the network of a fold, of three planes where there is a head model to go on from."""
    channels = CHANNELS[:1] if start is None else CHANNELS
    stages = FOLD_STAGES[start is not None]
    network = started(start, channels)
    fit_network(network, cases, channels, stages, folder / FIT, tell)
    return written(network, channels, stages[-1][0], folder)


def tell(event: str, **row: Any) -> None:
    """Print an epoch."""
    print(
        f"{row['epoch']}/{row['epochs']} loss {row['loss']:.4f} {row['seconds']:.0f} s", flush=True
    )


def main(
    root: Annotated[Path, typer.Argument(help="Folder of the data sets.")],
    folder: Annotated[Path, typer.Argument(help="New folder of the model.")],
    start: Annotated[
        Path | None, typer.Option(help="Folder of a head model to go on from.")
    ] = None,
    folds: Annotated[int, typer.Option(help="Measure every case by one of so many fits.")] = 0,
) -> None:
    """Train a head model, or from one the network of three planes."""
    cases = hc18_cases(root / "hc18")
    channels, stages = CHANNELS[:1], HEAD_STAGES
    if start is not None:
        cases += calliper_cases(root / "fetal_biometry_fp")
        channels, stages = CHANNELS, PLANES_STAGES
    if folds:
        measure_folds(cases, folds, start is not None, folder, partial(fold_model, start=start))
        return
    network = started(start, channels)
    fit_network(network, of_part(cases, "train"), channels, stages, folder / FIT, tell)
    finish(written(network, channels, stages[-1][0], folder), cases, folder)


if __name__ == "__main__":
    typer.run(main)
