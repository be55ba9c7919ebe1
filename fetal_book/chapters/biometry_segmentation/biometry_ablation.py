"""Train the head network with one part of its recipe changed at a time, and tell what each does.

``python -m fetal_book.chapters.biometry_segmentation.biometry_ablation DATA_ROOT NEW_FOLDER``

Each arm is a short training on HC18's training part, measured on its validation part; the test part
is not read. The table, ``ablation.csv``, belongs into the folder of the head model, whose card
shows it. A call that was cut goes on at its last epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from fetal_book.chapters.biometry_segmentation.biometry_calibration import offsets
from fetal_book.chapters.biometry_segmentation.biometry_card import ABLATION
from fetal_book.chapters.biometry_segmentation.biometry_cases import Case, hc18_cases, of_part
from fetal_book.chapters.biometry_segmentation.biometry_network import (
    FIT,
    SHAPE,
    Recipe,
    fit_network,
    tell,
    written,
)
from fetal_book.chapters.biometry_segmentation.biometry_pictures import Forms
from fetal_book.chapters.biometry_segmentation.biometry_scores import score_table
from fetal_lib.metrics.differences import difference_ci
from fetal_lib.models.biometry_unet import WIDTHS, BiometryUNet
from fetal_lib.models.torch_weights import load_torch_weights
from fetal_lib.predict.biometry_maps import CHANNELS
from fetal_lib.predict.biometry_model import BiometryModel
from fetal_lib.predict.onnx_network import OnnxNetwork
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.torch_forward import choose_device

EPOCHS, LEARNING_RATE = 12, 2e-3
WHOLE = Forms(quarter=0, square=0, crop=0)
"""No turns by quarters, no crops."""
PLAIN_GREY = {"log_gamma": 0.0, "gain": 0.0, "spoilt": 0.0}
STILL = {"rotation_deg": 0.0, "log_scale": (0.0, 0.0), "log_stretch": 0.0, "shift": 0.0}


@dataclass(frozen=True)
class Arm:
    """A training that differs from the first one in one thing.

    Attributes
    ----------
    words : str
        As the table says it.
    recipe : Recipe
    shape : (height, width) of the input.
    seed : of the weights that it starts from.
    of : tuple of str
        Words of the arms whose networks it takes, their maps averaged; empty: it has its own.
    taught_by : tuple of str
        Words of the arms whose mean answer it learns from beside the truth.
    """

    words: str
    recipe: Recipe = Recipe()
    shape: tuple[int, int] = SHAPE
    seed: int = 0
    of: tuple[str, ...] = ()
    taught_by: tuple[str, ...] = ()


AS_SHIPPED, LUCK = "as shipped", "the same from other first weights: luck"
ARMS = (
    Arm(AS_SHIPPED),
    Arm(LUCK, seed=1),
    Arm("the two above averaged, twice the work", of=(AS_SHIPPED, LUCK)),
    Arm("one network taught by the two and the truth", seed=2, taught_by=(AS_SHIPPED, LUCK)),
    Arm("no mirrored views", Recipe(mirrors=False), of=(AS_SHIPPED,)),
    Arm("the last weights, not their moving average", Recipe(ema=0.0)),
    Arm("cross-entropy alone", Recipe(dice=0.0)),
    Arm("Dice loss alone", Recipe(cross_entropy=0.0)),
    Arm("no quarter turns, no crops", Recipe(WHOLE)),
    Arm("grey levels as they are", Recipe(Forms(**PLAIN_GREY))),
    Arm(
        "no augmentation",
        Recipe(Forms(quarter=0, square=0, crop=0, **PLAIN_GREY, **STILL)),
    ),
    Arm("rare sizes as often as others", Recipe(shown_rare=(1, 1))),
    Arm("a square input of as many pixels", shape=(160, 160)),
    Arm("half the channels", Recipe(widths=tuple(n // 2 for n in WIDTHS))),
    Arm("an input of 192 x 288", shape=(192, 288)),
)


@dataclass(frozen=True)
class Averaged:
    """Networks of one shape as one: the mean of their maps."""

    networks: Sequence[OnnxNetwork]

    @property
    def shape(self) -> tuple[int, int]:
        return self.networks[0].shape

    def forward(self, images: np.ndarray, batch_size: int = 4) -> np.ndarray:
        return np.mean([one.forward(images, batch_size) for one in self.networks], axis=0)


def measure_arm(
    arm: Arm, cases: Sequence[Case], folders: Mapping[str, Path], epochs: int
) -> pd.DataFrame:
    """Fit an arm on the training part and measure the validation part, with the offset set on it.

    ``folders`` has each arm's, by its words; those that it takes or is taught by were fitted.

    Returns
    -------
    DataFrame
        A row an image: ``image, subject, off_mm`` (NaN where the head was lost) and ``dice``.
    """
    import torch

    folder = folders[arm.words]
    folder.mkdir(parents=True, exist_ok=True)
    networks = [loaded(folders[words]) for words in arm.of]
    if not networks:
        torch.manual_seed(arm.seed)
        networks = [BiometryUNet(1, arm.recipe.widths)]
        stages = ((arm.shape, epochs, LEARNING_RATE),)
        given = of_part(cases, "train"), CHANNELS[:1], stages, folder / FIT, tell, arm.recipe
        device = choose_device()
        teachers = (loaded(folders[words]).requires_grad_(False) for words in arm.taught_by)
        fit_network(*networks, *given, tuple(one.to(device) for one in teachers))
    models = [written(one, CHANNELS[:1], arm.shape, folder, arm.recipe.mirrors) for one in networks]
    model = BiometryModel(Averaged([one.network for one in models]), models[0].spec)
    table = score_table(model, of_part(cases, "validation"))
    table = table[table["size"] == "hc_mm"]
    factor = table["channel"].map(offsets(table))
    off_mm = (table["value"] * factor - table["true"]).abs()
    return table[["image", "subject", "dice"]].assign(off_mm=off_mm).reset_index(drop=True)


def loaded(folder: Path) -> BiometryUNet:
    """Return the network of an arm of the usual width that was fitted before."""
    network = BiometryUNet(1)
    load_torch_weights(network, folder / FIT / "stage_0" / WEIGHTS)
    return network.eval()


def ablation_table(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row an arm, the first without differences: ADF and Dice, and what they change.

    Lost heads have a Dice of 0 and no ADF; a difference is of images that both arms measured, with
    its 95 % interval over examinations.
    """
    rows, (first, *_) = [], found.values()
    for words, one in found.items():
        row = {"arm": words, "images": len(one), "lost": int(one["off_mm"].isna().sum())}
        row |= {"adf_mm": one["off_mm"].mean(), "dice": one["dice"].mean()}
        for name in ("off_mm", "dice"):
            told = (np.nan,) * 3 if one is first else _change(one, first, name)
            row |= dict(
                zip((f"{name}_more{end}" for end in ("", "_low", "_high")), told, strict=True)
            )
        rows.append(row)
    return pd.DataFrame(rows)


def _change(one: pd.DataFrame, first: pd.DataFrame, name: str) -> tuple[float, float, float]:
    """Return the difference of a column where both have it, and its interval."""
    both = (one[name].notna() & first[name].notna()).to_numpy()
    if not both.any():
        return (np.nan,) * 3
    a, b = (table.loc[both, name].to_numpy() for table in (one, first))
    groups = one.loc[both, "subject"].to_numpy()
    return float(a.mean() - b.mean()), *difference_ci(a, b, groups=(groups, groups))


def main(
    root: Annotated[Path, typer.Argument(help="Folder of the data sets.")],
    folder: Annotated[Path, typer.Argument(help="New folder of the fits and the table.")],
    epochs: Annotated[int, typer.Option(help="Of each arm.")] = EPOCHS,
) -> None:
    """Train every arm and write the table; it is written behind every arm."""
    cases, found = hc18_cases(root / "hc18"), {}
    folders = {arm.words: folder / f"arm_{number}" for number, arm in enumerate(ARMS)}
    for arm in ARMS:
        print(arm.words, flush=True)
        found[arm.words] = measure_arm(arm, cases, folders, epochs)
        table = ablation_table(found).assign(epochs=epochs)
        table.round(4).to_csv(folder / ABLATION, index=False)


if __name__ == "__main__":
    typer.run(main)
