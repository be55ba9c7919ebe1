"""Train the network that finds the head before a brain is classified; its weights are shipped.

The network of chapter 04 was trained on frames made for measuring heads, at 128 x 128 pixels. A
frame made for looking at the brain is another picture: of the phantoms' heads it misses one in
ten, and turns as many by more than ten degrees. The network here is a U-Net a quarter as wide in
its work, on 96 x 96 pixels, that learns from both: real heads of HC18, whole examinations held
out, and brain phantoms of a seed of their own; phantoms of abdomens teach it what is no head.

``python -m fetal_book.chapters.brain_anomalies.head_finder HC18_FOLDER NEW_FOLDER``
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fetal_lib.data.images import squash
from fetal_lib.data.layouts.heads import load_arrays, read_cases
from fetal_lib.data.splits.folds import k_folds
from fetal_lib.metrics.segmentation import dice
from fetal_lib.models.unet import get_unet
from fetal_lib.models.weights import load_weights
from fetal_lib.predict.brain_view import find_head
from fetal_lib.predict.head_model import HeadModel, HeadModelSpec
from fetal_lib.training.augment import Augmentation
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.keras_fit import fit_keras
from fetal_lib.training.keras_segmentation import Segmentation, SegmentationSettings
from fetal_phantoms.abdomen import make_abdomen
from fetal_phantoms.anomalies.phantom import make_anomaly
from fetal_phantoms.anomalies.write import label_of_patient
from fetal_phantoms.reserved import HEAD_FINDER
from fetal_phantoms.set_folder import subject_seed, write_each

SIDE, N_FILTERS, DROPOUT = 96, 8, 0.05
PHANTOM_SIZE = (240, 324)
N_PHANTOMS, N_ABDOMENS, EPOCHS = 2500, 150, 20
HELD_OUT = 7
"""One in so many examinations and phantoms is held out, to score the network."""


def phantom_heads(n_patients: int, seed: int = HEAD_FINDER) -> tuple[np.ndarray, np.ndarray]:
    """Draw brain phantoms, one a patient, with their heads: images and masks (n, 96, 96), uint8. A
    mask is the share of each pixel that the head covers, 0 to 255.
    """

    def draw(number: int) -> tuple[np.ndarray, np.ndarray]:
        label = label_of_patient(seed, number)
        phantom = make_anomaly(subject_seed(seed, number), label, image_size=PHANTOM_SIZE)
        head = phantom.head.astype(np.uint8) * 255
        return squash(phantom.image, (SIDE, SIDE)), squash(head, (SIDE, SIDE))

    images, masks = zip(*write_each(draw, n_patients), strict=True)
    return np.stack(images), np.stack(masks)


def phantom_abdomens(n: int, seed: int = HEAD_FINDER) -> tuple[np.ndarray, np.ndarray]:
    """Draw abdomens: images (n, 96, 96), uint8, and masks that are empty."""

    def draw(number: int) -> np.ndarray:
        return squash(make_abdomen(subject_seed(seed, number)).image, (SIDE, SIDE))

    images = np.stack(write_each(draw, n))
    return images, np.zeros_like(images)


def real_heads(folder: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read HC18: images and masks (N, 96, 96), uint8, and whether a head is held out (N,), bool."""
    table = read_cases(folder)
    arrays = load_arrays(table, (SIDE, SIDE))
    examinations = table["examination"].to_numpy(str)
    fold = k_folds(examinations, table["hc_mm"].to_numpy(float), HELD_OUT, 0)
    return arrays.images, arrays.masks, fold == 0


def _overlaps(probs: np.ndarray, masks: np.ndarray) -> list[float]:
    """Return the Dice coefficient of each head, at one half."""
    return [dice(mask >= 128, one >= 0.5) for mask, one in zip(masks, probs, strict=True)]


def train_head_finder(
    hc18: str | Path,
    folder: str | Path,
    n_patients: int = N_PHANTOMS,
    n_abdomens: int = N_ABDOMENS,
    epochs: int = EPOCHS,
    progress: Callable[..., None] = lambda event, **fields: None,
) -> HeadModel:
    """Train the finder on HC18 and phantoms; write weights, spec and card into a folder."""
    import keras

    real, real_masks, held = real_heads(hc18)
    drawn, drawn_masks = phantom_heads(n_patients)
    bellies, empty = phantom_abdomens(n_abdomens)
    kept, taken = np.arange(n_patients) % HELD_OUT > 0, np.arange(n_abdomens) % HELD_OUT > 0
    images = np.concatenate([real[~held], drawn[kept], bellies[taken]])
    masks = np.concatenate([real_masks[~held], drawn_masks[kept], empty[taken]])
    keras.utils.set_random_seed(0)
    network = get_unet(SIDE, SIDE, N_FILTERS, DROPOUT)
    settings = SegmentationSettings(
        epochs=epochs, batch_size=16, learning_rate=3e-3, ema=0.99, aspect=1.35,
        augmentation=Augmentation(),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as fit:
        fit_keras(fit, network, Segmentation(images, masks, settings), progress)
        load_weights(network, Path(fit) / WEIGHTS)
    spec = HeadModelSpec(SIDE, SIDE, N_FILTERS, DROPOUT, trained_on="hc18 and brain phantoms")
    model = HeadModel(network, spec)
    scores = {
        "HC18, examinations held out": _overlaps(model.probs(real[held]), real_masks[held]),
        "brain phantoms held out": _overlaps(model.probs(drawn[~kept]), drawn_masks[~kept]),
    }
    spared = [find_head(one, one.shape) is None for one in model.probs(bellies[~taken])]
    counts = {"of HC18 (CC BY 4.0)": ~held, "brain phantoms": kept, "phantoms of abdomens": taken}
    model.save(folder, _card({k: int(v.sum()) for k, v in counts.items()}, epochs, scores, spared))
    return model


def _card(
    counts: dict[str, int], epochs: int, scores: dict[str, list[float]], spared: list[bool]
) -> str:
    images = ", ".join(f"{n} {name}" for name, n in counts.items())
    rows = [
        f"| {name} | {np.mean(one):.3f} | {np.percentile(one, 5):.3f} | {len(one)} |"
        for name, one in scores.items()
    ]
    return "\n".join(
        [
            "# Head finder of chapter 02",
            "",
            f"A U-Net of {N_FILTERS} filters on scans squashed to {SIDE} x {SIDE}, trained for "
            f"{epochs} epochs on images: {images} (seed {HEAD_FINDER}), by "
            "`python -m fetal_book.chapters.brain_anomalies.head_finder`.",
            "",
            "| held out | Dice, mean | Dice, 5th percentile | n |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Abdomens held out in which no head is found: {sum(spared)} of {len(spared)}.",
            "",
            "It finds where a head lies, so that a view can be cut. It has no interval and "
            "measures nothing: for a head circumference take `predict hc`. Research and teaching "
            "only, not for clinical use.",
            "",
        ]
    )


def tell_epoch(event: str, **row: float) -> None:
    """Print an epoch of a training, as ``progress`` is called with it."""
    typer.echo(f"{event} {row['epoch']:.0f}/{row['epochs']:.0f}  loss {row['loss']:.4f}")


def main(
    hc18: Annotated[Path, typer.Argument(help="Folder in HC18's layout.")],
    folder: Annotated[Path, typer.Argument(help="New folder of the model.")],
) -> None:
    """Train the head finder of chapter 02 anew; about ten minutes on two cores."""
    train_head_finder(hc18, folder, progress=tell_epoch)


if __name__ == "__main__":
    typer.run(main)
