"""Train the model that tells the age from fetal brain MRI of any contrast; it is shipped.

``python -m fetal_book.chapters.gestational_age.any_contrast DATA_ROOT NEW_FOLDER``

``DATA_ROOT`` holds ``spina_bifida_atlas`` (CC0). Two networks learn to find the brain, by its
tissues, in scans of any contrast that are drawn anew at every step from label maps of that atlas
and of phantoms; two regressions tell the age by the brain's shape. One of each learns from every
other template and phantom: those that it has not seen say how far off it is. A cut training goes
on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from fetal_book.chapters.gestational_age.any_contrast_card import finish_model
from fetal_book.chapters.gestational_age.any_contrast_shape import fit_shape
from fetal_lib.data.layouts.fetal_mri import iter_scans, read_cases
from fetal_lib.data.layouts.fetal_scan import FetalScan
from fetal_lib.models.fetal_brain_net import N_TISSUES, FetalBrainNet
from fetal_lib.predict.gestational_age_place import standardised
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.norms import MAX_GA_DAYS, MIN_GA_DAYS
from fetal_phantoms.fetal_brain.painted import (
    CSF,
    GRAY,
    Anatomy,
    anatomy_of,
    draw_scan,
)
from fetal_phantoms.fetal_brain.tissues import LABELS
from fetal_phantoms.reserved import GESTATIONAL_AGE
from fetal_phantoms.set_folder import subject_seed

N_FOLDS, N_PHANTOMS, PHANTOM_MM = 2, 96, 1.2
STEPS, STEPS_A_SAVE, LEARNING_RATE, EMA = 260, 20, 2e-3, 0.99
SHRUNK = 4  # the grid of the tissues is so much coarser
TIGHT = 3  # brains that fill the grid, in a step; the fourth lies anywhere
ATLAS_SHARE = 0.6  # of the brains; the others are phantoms
ATLAS_TISSUES = {2: CSF, 4: CSF, 5: GRAY, 6: GRAY}
PHANTOM_TISSUES = {
    LABELS[name]: CSF
    for name in ("extra_axial_csf", "lateral_ventricles", "cavum", "other_ventricles")
} | {LABELS["cortex"]: GRAY, LABELS["deep_gray"]: GRAY}


def atlas_scans(root: Path) -> list[FetalScan]:
    """Return the templates of the spina bifida atlas with labels and masks, youngest first."""
    cases = read_cases(root / "spina_bifida_atlas")
    return sorted(iter_scans(cases), key=lambda scan: (scan.ga_days, scan.subject))


def atlas_anatomy(scan: FetalScan) -> Anatomy:
    """Return the brain of a template."""
    labels, volume = np.where(scan.mask, scan.labels, 0), scan.volume
    return anatomy_of(labels, ATLAS_TISSUES, volume.data, volume.affine, scan.ga_days)


def phantom_anatomies(cache: Path, n: int = N_PHANTOMS) -> list[Anatomy]:
    """Return phantoms of all ages, from a folder where they are kept once made."""
    cache.mkdir(parents=True, exist_ok=True)
    found = []
    for k in range(n):
        path = cache / f"phantom_{k:03d}.npz"
        days = MIN_GA_DAYS + (k * 61 % n + 0.5) / n * (MAX_GA_DAYS - MIN_GA_DAYS)
        if not path.exists():
            seed = subject_seed(GESTATIONAL_AGE, k)
            one = make_fetal_brain(seed, ga_days=days, spacing_mm=PHANTOM_MM)
            kept = {"labels": one.labels, "t2": one.t2.astype(np.float16), "affine": one.affine}
            np.savez_compressed(path, **kept)
        with np.load(path) as kept:
            image = kept["t2"].astype(np.float32)
            found.append(anatomy_of(kept["labels"], PHANTOM_TISSUES, image, kept["affine"], days))
    return found


def drawn_batch(
    atlas: Sequence[Anatomy], phantoms: Sequence[Anatomy], rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw the scans of a step: images (4, 1, 64, 64, 64), tissues (4, 64, 64, 64)."""
    drawn = []
    for k in range(TIGHT + 1):
        group = atlas if rng.random() < ATLAS_SHARE else phantoms
        drawn.append(draw_scan(group[int(rng.integers(len(group)))], rng, loose=k == TIGHT))
    images = torch.from_numpy(np.stack([standardised(one.image) for one in drawn])[:, None])
    return images, torch.from_numpy(np.stack([one.tissues for one in drawn]).astype(np.int64))


def loss_of(network: FetalBrainNet, images: torch.Tensor, tissues: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy with the share of each tissue in the network's coarse voxels."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images.contiguous(memory_format=torch.channels_last_3d))
    each = torch.nn.functional.one_hot(tissues, N_TISSUES).movedim(-1, 1).float()
    shares = torch.nn.functional.avg_pool3d(each, SHRUNK)
    return torch.nn.functional.cross_entropy(logits.float(), shares)


def seen_by(fold: int, *groups: Sequence[Anatomy]) -> list[list[Anatomy]]:
    """Return the brains of each group that a fold learns from."""
    return [[one for k, one in enumerate(group) if k % N_FOLDS != fold] for group in groups]


def train_fold(
    fold: int, atlas: Sequence[Anatomy], phantoms: Sequence[Anatomy], folder: Path
) -> FetalBrainNet:
    """Train on the templates and phantoms that are not the fold's; resume from the folder."""
    torch.manual_seed(fold)
    network = FetalBrainNet().to(memory_format=torch.channels_last_3d)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA)
    )
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-3)
    parts = {"network": network, "average": average, "optimiser": optimiser}
    path, first = folder / f"fold_{fold}.pt", 0
    if path.exists():
        kept = torch.load(path, weights_only=True)
        first = kept.pop("step")
        for name, state in kept.items():
            parts[name].load_state_dict(state)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, STEPS, pct_start=0.1, final_div_factor=100, last_epoch=first - 1
    )
    mine = seen_by(fold, atlas, phantoms)
    for step in range(first, STEPS):
        batch = drawn_batch(*mine, np.random.default_rng([GESTATIONAL_AGE, fold, step]))
        loss = loss_of(network, *batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        rate.step()
        average.update_parameters(network)
        if (step + 1) % STEPS_A_SAVE == 0 or step + 1 == STEPS:
            states = {name: part.state_dict() for name, part in parts.items()}
            torch.save(states | {"step": step + 1}, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
        if step % 10 == 0:
            print(f"fold {fold} step {step} loss {loss.item():.3f}", flush=True)
    return average.module.eval()


def main(
    root: Annotated[Path, typer.Argument(help="Folder that holds spina_bifida_atlas.")],
    folder: Annotated[Path, typer.Argument(help="New folder of the model.")],
) -> None:
    """Train, calibrate and score the model; ten minutes of one core. A cut run goes on."""
    made = folder / "training"
    scans, phantoms = atlas_scans(root), phantom_anatomies(made / "phantoms")
    atlas = [atlas_anatomy(scan) for scan in scans]
    networks = [train_fold(fold, atlas, phantoms, made) for fold in range(N_FOLDS)]
    shapes = [
        fit_shape(*seen_by(fold, atlas, phantoms), [GESTATIONAL_AGE, 50 + fold])
        for fold in range(N_FOLDS)
    ]
    finish_model(networks, shapes, scans, atlas, phantoms, root, folder)


if __name__ == "__main__":
    typer.run(main)
