"""Train the small Xception that a fit may start from: it has learnt to measure, not to name.

The source starts Xception from ImageNet, whose weights need a download and the published width.
``xception_weights=measures`` starts the narrow one of ``quick`` from weights that are shipped:
trained on brain phantoms of a seed of their own to tell how wide the atria and the cerebellum are,
how deep the cisterna magna is, and how long a cyst, a mass or a sac is, if there is one, each as
a share of the head's length; and from the scale bar, the length of the head and the width of the
atrium in mm. No class is named to it, though some measures all but name one: only an arachnoid
cyst has the length of a cyst. So it is far nearer to the task than ImageNet is, and the same
generator drew both sets: chapter 02 says so, and shows the same fit from random weights beside it.

``python -m fetal_book.chapters.brain_anomalies.backbone NEW_FOLDER``
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fetal_book.chapters.brain_anomalies.fit import HIDE_RULER
from fetal_book.chapters.brain_anomalies.head_finder import tell_epoch
from fetal_lib.models.anomaly_cnns import build_xception
from fetal_lib.models.measuring_xception import MIDDLE, SIDE, WIDTH
from fetal_lib.models.weights import load_weights, save_weights
from fetal_lib.predict.brain_view import ASPECT, load_head_finder, ruler_rows, views_of
from fetal_lib.training.augment_image import ALIGNED
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.keras_classification import ClassifierSettings, epoch_order, image_batches
from fetal_lib.training.keras_fit import KerasTask, fit_keras
from fetal_lib.training.keras_forward import forward
from fetal_phantoms.anomalies.phantom import make_anomaly
from fetal_phantoms.anomalies.write import label_of_patient
from fetal_phantoms.reserved import XCEPTION_MEASURES
from fetal_phantoms.set_folder import subject_seed, write_each, write_json

PHANTOM_SIZE = (240, 324)
N_PHANTOMS, EPOCHS = 8000, 24
HELD_OUT = 10
"""One in so many phantoms is held out, to score the network."""
ALWAYS_ASKED = ("cyst_mm", "mass_mm", "clot_mm", "cavity_mm", "sac_mm", "gap_mm", "vein_mm")
"""Measures that are zero where there is nothing to measure."""
WHERE_SHOWN = ("atrium_mm", "other_atrium_mm", "frontal_horn_mm", "tcd_mm", "cm_mm")
"""Measures that only one of the two planes shows; elsewhere they are not asked for."""
PLANES = ("atria shown", "cerebellum shown")
IN_MM = ("log of the head's length in mm", "log of the atrium in mm")
"""What only the scale bar tells; as logarithms, the one is the other and a share of the head."""
OUTPUTS = (*ALWAYS_ASKED, *WHERE_SHOWN, *PLANES, *IN_MM)


def measures_of(found: dict[str, float]) -> np.ndarray:
    """Return what the network learns of a phantom, (16,): lengths as shares of the head's length, 0
    or 1 for what the plane shows, two logarithms of mm; NaN where it is not asked.

    >>> measures_of({"ofd_mm": 80.0, "tcd_mm": 20.0, "cm_mm": 4.0, "cyst_mm": 16.0})[[0, 7, 10, 13]]
    array([0.2 ,  nan, 0.25, 1.  ])
    """
    length = found["ofd_mm"]
    always = [found.get(name, 0.0) / length for name in ALWAYS_ASKED]
    shown = [found.get(name, np.nan) / length for name in WHERE_SHOWN]
    planes = [float("atrium_mm" in found), float("tcd_mm" in found)]
    in_mm = [math.log(length), math.log(found.get("atrium_mm", math.nan))]
    return np.array([*always, *shown, *planes, *in_mm])


def measured_views(n_patients: int, seed: int = XCEPTION_MEASURES) -> tuple[np.ndarray, np.ndarray]:
    """Draw brain phantoms, one a patient, as the classifier sees them, and measure them."""

    def draw(number: int) -> tuple[np.ndarray, float, np.ndarray]:
        label = label_of_patient(seed, number)
        phantom = make_anomaly(subject_seed(seed, number), label, image_size=PHANTOM_SIZE)
        return phantom.image, phantom.pixel_size_mm, measures_of(phantom.measures)

    scans, pixels, measures = zip(*write_each(draw, n_patients), strict=True)
    made = views_of(scans, SIDE, "head", load_head_finder(), pixel_sizes=pixels)
    return np.stack([view for view, _ in made]), np.stack(measures)


@dataclass(frozen=True)
class Measuring(KerasTask):
    """Learn standardised measures by squared error where they are asked."""

    views: np.ndarray  # (N, 64, 64), uint8
    measures: np.ndarray  # (N, 16), of zero mean and unit spread; NaN where not asked
    settings: ClassifierSettings

    def n_cases(self) -> int:
        return len(self.views)

    def loss(self) -> Callable[[object, object], object]:
        """Return the squared error, for targets that say in a second half what is asked."""
        from keras import ops

        def error(asked: object, found: object) -> object:
            values, known = asked[..., : len(OUTPUTS)], asked[..., len(OUTPUTS) :]
            return ops.mean(known * ops.square(values - found), axis=-1)

        return error

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        known = [np.nan_to_num(self.measures), np.isfinite(self.measures)]
        asked = np.concatenate(known, axis=1).astype(np.float32)
        order = epoch_order(np.zeros(len(self.views), int), self.settings, epoch)
        for rows, x in image_batches(self.views, order, self.settings, epoch):
            yield x, asked[rows]


def train_backbone(
    folder: str | Path,
    n_patients: int = N_PHANTOMS,
    epochs: int = EPOCHS,
    progress: Callable[..., None] = lambda event, **fields: None,
) -> dict[str, float]:
    """Train the network that measures; write its weights and a card into a new folder. Returns the
    share of the variance of each output that is explained on phantoms held out.
    """
    import keras

    views, measures = measured_views(n_patients)
    held = np.arange(n_patients) % HELD_OUT == 0
    centre, scale = (f(measures[~held], axis=0) for f in (np.nanmean, np.nanstd))
    scaled = (measures - centre) / scale
    keras.utils.set_random_seed(0)
    network = build_xception(SIDE, len(OUTPUTS), WIDTH, MIDDLE)
    settings = ClassifierSettings(
        epochs, learning_rate=3e-3, augmentation=ALIGNED, aspect=ASPECT,
        strip=ruler_rows(SIDE), hide_strip=HIDE_RULER,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as fit:
        fit_keras(fit, network, Measuring(views[~held], scaled[~held], settings), progress)
        load_weights(network, Path(fit) / WEIGHTS)
    missed = np.square(scaled[held] - forward(network, views[held]))
    spread = np.nanvar(scaled[held], axis=0)
    explained = dict(zip(OUTPUTS, 1 - np.nanmean(missed, axis=0) / spread, strict=True))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(network, folder / WEIGHTS)
    counts = np.isfinite(measures[held]).sum(axis=0)
    card = _card(int((~held).sum()), epochs, explained, counts)
    (folder / "card.md").write_text(card, encoding="utf-8")
    spec = {"side": SIDE, "width": WIDTH, "n_middle": MIDDLE, "outputs": OUTPUTS}
    write_json(folder / "model.json", spec | {"trained_on": "brain phantoms"})
    return explained


def _card(n: int, epochs: int, explained: dict[str, float], counts: np.ndarray) -> str:
    rows = [
        f"| {name.removesuffix('_mm')} | {value:.3f} | {count} |"
        for (name, value), count in zip(explained.items(), counts, strict=True)
    ]
    return "\n".join(
        [
            "# Xception that learnt to measure, chapter 02",
            "",
            f"Xception of width {WIDTH} with {MIDDLE} middle module on views of {SIDE} x {SIDE}, "
            f"trained from random weights for {epochs} epochs on {n} brain phantoms (seed "
            f"{XCEPTION_MEASURES}, one image each), by "
            "`python -m fetal_book.chapters.brain_anomalies.backbone`.",
            "",
            "It answers with lengths as shares of the head's length, with what the plane shows, "
            "and, by the scale bar, with lengths in mm. No class was named to it, though some "
            "measures all but name one. On phantoms held out:",
            "",
            "| output | share of variance explained | n |",
            "|---|---|---|",
            *rows,
            "",
            "A start for fits of chapter 02 (`xception_weights=measures`), nothing else: it saw "
            "no real image, and on phantoms it is at home. Research and teaching only, not for "
            "clinical use.",
            "",
        ]
    )


def main(folder: Annotated[Path, typer.Argument(help="New folder of the weights.")]) -> None:
    """Train the measuring Xception of chapter 02 anew; about half an hour on two cores."""
    for name, value in train_backbone(folder, progress=tell_epoch).items():
        typer.echo(f"{name}: {value:.3f} of the variance explained")


if __name__ == "__main__":
    typer.run(main)
