"""Train the network that says which plane an ultrasound image shows; its weights are shipped.

``python -m fetal_book.chapters.biometry_segmentation.plane_recogniser DATA_ROOT NEW_FOLDER``

``DATA_ROOT`` holds ``hc18``, ``fetal_biometry_fp``, ``fetal_brain_anomalies_16`` and
``fetal_us_abnormalities``. Temperature and operating point are set on the validation part; the
test part is scored once, at the end, for the card.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fetal_book.chapters.biometry_segmentation.plane_card import plane_card
from fetal_book.chapters.biometry_segmentation.plane_pictures import (
    DRAWN,
    PARTS,
    Picture,
    Scan,
    beside,
    biometry_scans,
    head_scans,
    label,
    margin,
    read_scans,
    shown,
    shuffled,
    slices,
    spoilt,
)
from fetal_book.chapters.brain_anomalies.head_finder import tell_epoch
from fetal_lib.metrics.calibration import fit_temperature, softmax
from fetal_lib.models.anomaly_cnns import build_xception
from fetal_lib.models.keras_onnx import network_to_onnx
from fetal_lib.models.weights import load_weights
from fetal_lib.predict.onnx_network import OnnxNetwork
from fetal_lib.predict.plane import PLANES, PlaneRecogniser, PlaneSpec, letterbox
from fetal_lib.training.augment import Augmentation
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.keras_classification import Classification, ClassifierSettings
from fetal_lib.training.keras_fit import fit_keras
from fetal_phantoms.abdomen import make_abdomen
from fetal_phantoms.adult_brain.brain import make_adult_brain
from fetal_phantoms.anomalies.phantom import make_anomaly
from fetal_phantoms.anomalies.write import label_of_patient
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.head import make_head
from fetal_phantoms.reserved import PLANE_RECOGNISER
from fetal_phantoms.set_folder import subject_seed, write_each

SPEC = PlaneSpec(
    side=96, width=0.2, n_middle=1, trained_on="HC18, FETAL_PLANES_DB, brain anomalies, phantoms"
)
SEED = 0
ROUNDS = ((8, 2e-3), (12, 1.5e-3))
"""Epochs and learning rate of each round; the second starts from the weights of the first."""
FORMS = {"biometry head": 12, "biometry abdomen": 14, "biometry femur": 26, "HC18": 4}
"""Forms in which each scan of a set is shown; once each of the others, which are augmented."""
N_PHANTOMS, N_BRAINS, N_DRAWN = 200, 24, 1600
HEADS_KEPT, POINTS = 0.995, (0.2, 0.8)
"""Share of the validation part's heads that the operating point keeps, and its bounds."""
AUGMENTATION = Augmentation(
    rotation_deg=20.0, log_scale=(-0.4, 0.3), shift=0.1, log_gamma=0.5, gain=0.35
)
SETTINGS = ClassifierSettings(
    epochs=0, ema=0.995, balance="weights", label_smoothing=0.02, augmentation=AUGMENTATION
)


@dataclass(frozen=True)
class Pictures:
    """Pictures (N, side, side), uint8, with their labels (N,)."""

    images: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, pairs: Iterator[tuple[Picture, int]]) -> Pictures:
        images, labels = zip(*((letterbox(image, SPEC.side), k) for image, k in pairs), strict=True)
        return cls(np.stack(images), np.array(labels))


def n_forms(scan: Scan) -> int:
    """Return in how many forms a scan is shown."""
    kind = "biometry " + scan.plane if scan.source.startswith("biometry") else scan.source
    return FORMS.get(kind, 1)


def from_scans(scans: list[Scan], rng: np.random.Generator) -> Iterator[tuple[Picture, int]]:
    """Yield scans in their forms, and what their corners and tiles make: other."""
    for scan, image in zip(scans, read_scans(scans), strict=True):
        yield image, label(scan.plane)
        for _ in range(n_forms(scan) - 1):
            yield shown(image, rng), label(scan.plane)
        if rng.random() < 0.45:
            yield spoilt(margin(image, rng), rng), label("other")
            yield shown(shuffled(image, rng), rng), label("other")
        if scan.source == "HC18":
            for band in beside(scan.path):
                yield shown(band, rng), label("other")


def from_phantoms(rng: np.random.Generator) -> Iterator[tuple[Picture, int]]:
    """Yield phantoms of heads and abdomens."""
    seeds = [subject_seed(PLANE_RECOGNISER, k) for k in range(N_PHANTOMS)]

    def draw(k: int) -> list[tuple[Picture, int]]:
        seed = seeds[k]
        anomaly = make_anomaly(seed, label_of_patient(PLANE_RECOGNISER, k))
        return [
            (make_head(seed).image, label("head")),
            (anomaly.image, label("head")),
            (make_abdomen(seed).image, label("abdomen")),
        ]

    for pairs in write_each(draw, N_PHANTOMS):
        for image, plane in pairs:
            yield image, plane
            yield shown(image, rng), plane
        yield shown(shuffled(image, rng), rng), label("other")


def from_brains(rng: np.random.Generator) -> Iterator[tuple[Picture, int]]:
    """Yield slices of MRI phantoms of fetal and adult brains: other."""
    seeds = [subject_seed(PLANE_RECOGNISER, k) for k in range(N_BRAINS)]

    def draw(k: int) -> list[np.ndarray]:
        bare = bool(k % 2)
        fetal = make_fetal_brain(seeds[k], spacing_mm=1.5, surroundings=bare).t2
        return [fetal, make_adult_brain(seeds[k], with_skull=bare).t1]

    for volumes in write_each(draw, N_BRAINS):
        for volume in volumes:
            for image in slices(volume, 12, rng):
                yield shown(image, rng), label("other")


def from_nothing(rng: np.random.Generator) -> Iterator[tuple[Picture, int]]:
    """Yield drawn noise, screens and photographs: other."""
    for k in range(N_DRAWN):
        yield spoilt(DRAWN[k % len(DRAWN)](rng), rng), label("other")


def learnt_from(scans: list[Scan], part: str) -> Pictures:
    """Return the pictures of a part of the split: its scans, and for training what is drawn."""
    rng = np.random.default_rng([SEED, PARTS.index(part)])
    sources = [from_scans([scan for scan in scans if scan.part == part], rng)]
    if part == "train":
        sources += [from_phantoms(rng), from_brains(rng), from_nothing(rng)]
    return Pictures.of(chain(*sources))


def train_plane_recogniser(
    root: str | Path,
    folder: str | Path,
    rounds: Sequence[tuple[int, float]] = ROUNDS,
    progress: Callable[..., None] = lambda event, **fields: None,
) -> PlaneRecogniser:
    """Train the recogniser on the sets in a folder; write weights, spec and card into another."""
    import keras

    scans = biometry_scans(Path(root) / "fetal_biometry_fp") + head_scans(root)
    train, validation = learnt_from(scans, "train"), learnt_from(scans, "validation")
    keras.utils.set_random_seed(SEED)
    network = build_xception(SPEC.side, len(PLANES), SPEC.width, SPEC.n_middle)
    for number, (epochs, learning_rate) in enumerate(rounds):
        settings = replace(SETTINGS, epochs=epochs, learning_rate=learning_rate, seed=number)
        watched = validation.images, validation.labels
        task = Classification(train.images, train.labels, len(PLANES), settings, watched)
        with tempfile.TemporaryDirectory() as fit:
            fit_keras(fit, network, task, progress)
            load_weights(network, Path(fit) / WEIGHTS)
    exported = OnnxNetwork(network_to_onnx(network))
    model = calibrated(PlaneRecogniser(exported, SPEC), validation)
    counts = np.bincount(train.labels, minlength=len(PLANES))
    model.save(folder, plane_card(model, root, scans, dict(zip(PLANES, counts, strict=True))))
    return model


def calibrated(model: PlaneRecogniser, validation: Pictures) -> PlaneRecogniser:
    """Set temperature and operating point on the validation part."""
    logits, labels = model.logits(validation.images), validation.labels
    temperature = fit_temperature(logits, labels)
    heads = softmax(logits, temperature)[labels == label("head"), label("head")]
    point = float(np.clip(np.quantile(heads, 1 - HEADS_KEPT), *POINTS))
    spec = replace(model.spec, temperature=float(temperature), head_from=point)
    return PlaneRecogniser(model.network, spec)


def main(
    root: Annotated[Path, typer.Argument(help="Folder of the four data sets.")],
    folder: Annotated[Path, typer.Argument(help="New folder of the model.")],
) -> None:
    """Train the plane recogniser anew; about a quarter of an hour on two cores."""
    train_plane_recogniser(root, folder, progress=tell_epoch)


if __name__ == "__main__":
    typer.run(main)
