"""Build and train the networks of chapter 03 under one budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_book.chapters.biometry_segmentation.data import CaseArrays
from fetal_book.chapters.model_card import model_card
from fetal_book.parameters.biometry_segmentation import BiometrySegmentationParameters
from fetal_book.runs.folder import data_name
from fetal_book.runs.session import Run
from fetal_lib.models.segmentation_networks import get_spec
from fetal_lib.models.torch_weights import load_torch_weights
from fetal_lib.predict.segmenter import Segmenter, SegmenterSpec
from fetal_lib.training.augment import Augmentation
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.memory_format import channels_last
from fetal_lib.training.precision import lightning_precision
from fetal_lib.training.reuse import FitOutcome
from fetal_lib.training.segmentation_loss import (
    anchored_diffusion_loss,
    bce_dice_loss,
    mean_dice,
    released_diffusion_loss,
    sampled_dice,
)
from fetal_lib.training.torch_fit import fit_torch
from fetal_lib.training.torch_forward import choose_device, seed_torch
from fetal_lib.training.torch_segmentation import Segmentation, SegmentationSettings
from fetal_lib.training.torch_task import Loss

WATCH_STEPS = 5
"""DDIM steps of the sample whose Dice is watched during training."""
N_WATCHED = 10
"""About how often the validation part is looked at, which takes a fifth of a diffusion network's
epoch; early stopping looks at each epoch."""
SPLIT = "subjects of each source, by planes and size"
"""How `deal_out` splits, as a fit's key names it."""
FIT_CODE = (
    "fetal_lib.training.torch_fit",
    "fetal_lib.training.torch_segmentation",
    "fetal_lib.training.segmentation_loss",
)


def chosen_networks(parameters: BiometrySegmentationParameters) -> list[str]:
    """Return the names in ``networks``; one that is not known is refused, with the known ones."""
    names = [name.strip() for name in parameters.networks.split(",") if name.strip()]
    for name in names:
        get_spec(name)
    return names


def segmenter_spec(parameters: BiometrySegmentationParameters, name: str) -> SegmenterSpec:
    """Turn the chapter's parameters into what one network is."""
    p = parameters
    return SegmenterSpec(
        network=name,
        width=get_spec(name).narrow if p.size == "narrow" else 1.0,
        image_size=p.image_size,
        predicts=p.predicts,
        signal=p.signal,
        sampling_steps=p.sampling_steps,
        members=p.members,
        fusion=p.fusion,
        seed=p.seed,
        trained_on="+".join(data_name(name) for name in (p.data, p.also) if name),
    )


def fit_settings(
    parameters: BiometrySegmentationParameters, arrays: CaseArrays, epochs: int | None = None
) -> SegmentationSettings:
    """Turn the chapter's parameters into the settings of every fit."""
    p = parameters
    epochs = epochs or p.epochs
    height, width = np.median(arrays.sizes_hw, axis=0)
    return SegmentationSettings(
        epochs=epochs,
        batch_size=p.batch_size,
        learning_rate=p.learning_rate,
        patience=p.patience,
        watch_every=1 if p.patience else max(1, epochs // N_WATCHED),
        augmentation=Augmentation() if p.augment else None,
        aspect=float(width / height),
        precision=lightning_precision(p.precision),
        seed=p.seed,
        devices=p.devices,
        strategy=p.strategy,
    )


def loss_of(spec: SegmenterSpec, anchor_every: int) -> Loss:
    """Return the loss that a network is trained on."""
    if not get_spec(spec.network).is_diffusion:
        return bce_dice_loss
    if spec.network == "med_seg_diff_released":
        return released_diffusion_loss(spec.process())
    return anchored_diffusion_loss(spec.process(), anchor_every)


def score_of(spec: SegmenterSpec) -> Loss:
    """Return the Dice that is watched during training."""
    if not get_spec(spec.network).is_diffusion:
        return mean_dice
    return sampled_dice(spec.process(), min(WATCH_STEPS, spec.sampling_steps))


def fit_one(
    run: Run,
    name: str,
    train: CaseArrays,
    val: CaseArrays,
    settings: SegmentationSettings,
    split: str = SPLIT,
) -> tuple[Segmenter, FitOutcome]:
    """Train one network, go on with a fit that was killed, or reuse a finished one.

    The validation part is watched; it stops training only if ``patience`` is set. Which split the
    parts come from is part of the fit's key.
    """
    p = run.parameters
    spec = segmenter_spec(p, name)

    def fit(folder: Path) -> None:
        seed_torch(settings.seed)
        run.progress("stage", text=f"training {name}")
        task = Segmentation(
            train.images,
            train.masks,
            settings,
            loss_of(spec, p.anchor_every),
            (val.images, val.masks),
            score_of(spec),
        )
        fit_torch(folder, channels_last(spec.build(), settings.precision), task, run.progress)

    model = {"name": name, "width": spec.width, "image_size": spec.image_size}
    how = settings.as_spec() | {"split": split, "test": p.test_fraction, "val": p.val_fraction}
    if get_spec(name).is_diffusion:
        how |= {"predicts": p.predicts, "signal": p.signal, "anchor_every": p.anchor_every}
    code = (get_spec(name).module, *FIT_CODE)
    outcome = run.fit_or_reuse(model, how, code, fit)
    network = spec.build()
    load_torch_weights(network, outcome.folder / WEIGHTS)
    return Segmenter(network, spec, choose_device()), outcome


def fit_all(
    run: Run, train: CaseArrays, val: CaseArrays, settings: SegmentationSettings
) -> tuple[dict[str, Segmenter], dict[str, FitOutcome]]:
    """Train every chosen network on the same images, for as many epochs."""
    fits = {
        name: fit_one(run, name, train, val, settings) for name in chosen_networks(run.parameters)
    }
    segmenters = {name: fit[0] for name, fit in fits.items()}
    outcomes = {name: fit[1] for name, fit in fits.items()}
    return segmenters, outcomes


def card_of(run: Run, segmenter: Segmenter) -> str:
    """Return the model card: data, figures on the test part, limits; Markdown."""
    spec = segmenter.spec
    return model_card(
        run,
        spec.network,
        f"{get_spec(spec.network).title} for heads and abdomens",
        f"`{spec.trained_on}`",
        f", width {spec.width:g} of the published network. Input: a grey scan squashed to "
        f"{spec.image_size} x {spec.image_size}; output: probability.",
        [],
        "Standard planes only; other machines and populations were not tested.",
    )
