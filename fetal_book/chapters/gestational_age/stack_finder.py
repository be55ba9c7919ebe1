"""Train the finder of the brain in raw stacks of thick slices; it is shipped.

``python -m fetal_book.chapters.gestational_age.stack_finder NEW_FOLDER``

Phantoms alone: stacks of any contrast are drawn anew at every step, heads among skull, womb and
mother in them. The threshold is chosen on stacks of heads that it has not learnt from; stacks of
others, by the simulator that chapter 01 reads, are scored once, at the end. A cut training goes
on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from fetal_book.chapters.gestational_age.stack_finder_card import finish_finder
from fetal_lib.models.stack_unet import StackUNet, stack_network_to_onnx
from fetal_lib.predict.gestational_age_place import standardised
from fetal_lib.predict.onnx_network import OnnxVolumeNetwork
from fetal_lib.predict.stack_finder import StackFinder, StackFinderSpec
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.norms import MAX_GA_DAYS, MIN_GA_DAYS
from fetal_phantoms.fetal_brain.painted_stacks import (
    PIXEL_MM,
    SIDE,
    SLICE_MM,
    DrawnStack,
    Head,
    draw_stack,
    head_of,
)
from fetal_phantoms.reserved import GESTATIONAL_AGE
from fetal_phantoms.set_folder import subject_seed

FIRST = 1000  # phantoms of the reserved seed from this number on are the finder's
N_HEADS, N_HELD_OUT, HEAD_MM = 80, 16, 2.0
EPOCHS, STEPS_AN_EPOCH, STACKS_A_STEP = 30, 50, 2
LEARNING_RATE, EMA = 4e-3, 0.99
N_VALIDATION = 24
LEAST_ML = 15.0
CHOICES = (0.3, 0.4, 0.5, 0.6, 0.7)


def heads(cache: Path) -> list[Head]:
    """Return heads of all ages, from a folder where they are kept once made."""
    cache.mkdir(parents=True, exist_ok=True)
    found, n = [], N_HEADS + N_HELD_OUT
    for k in range(n):
        path = cache / f"head_{k:03d}.npz"
        if not path.exists():
            days = MIN_GA_DAYS + (k * 61 % n + 0.5) / n * (MAX_GA_DAYS - MIN_GA_DAYS)
            seed = subject_seed(GESTATIONAL_AGE, FIRST + k)
            head = head_of(make_fetal_brain(seed, days, HEAD_MM, surroundings=True))
            kept = {"labels": head.labels, "image": head.image, "away_mm": head.away_mm}
            with path.with_suffix(".part").open("wb") as file:
                np.savez(file, **kept)
            path.with_suffix(".part").replace(path)
        with np.load(path) as kept:
            found.append(Head(kept["labels"], kept["image"], kept["away_mm"], HEAD_MM))
    return found


def as_tensors(drawn: DrawnStack) -> tuple[torch.Tensor, torch.Tensor]:
    """Return slices and the share of brain, (1, 1, N, H, W) each."""
    arrays = (standardised(drawn.image), drawn.brain)
    first, second = (
        torch.from_numpy(np.ascontiguousarray(np.moveaxis(a, 2, 0)))[None, None] for a in arrays
    )
    return first, second


def loss_of(network: StackUNet, image: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    """Return cross-entropy and, where there is a brain, 1 - Dice."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(image)
    logits = logits.float()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, brain)
    if brain.sum() < 1:
        return loss
    share = logits.sigmoid()
    return loss + 1 - 2 * (share * brain).sum() / (share.sum() + brain.sum())


def drawn_for(group: Sequence[Head], *seed: int) -> DrawnStack:
    """Draw a stack of one of the heads."""
    rng = np.random.default_rng([GESTATIONAL_AGE, FIRST, *seed])
    return draw_stack(group[int(rng.integers(len(group)))], rng)


def overlaps(network: StackUNet, held_out: Sequence[Head]) -> dict[float, float]:
    """Return the mean Dice of drawn stacks of heads not learnt from, by threshold."""
    scores = []
    for k in range(N_VALIDATION):
        image, brain = as_tensors(drawn_for(held_out, 1, k))
        with torch.inference_mode():
            share = network(image).sigmoid()
        true = brain >= 0.5
        both = (
            [2.0 * ((share >= t) & true).sum() / ((share >= t).sum() + true.sum()) for t in CHOICES]
            if true.any()
            else [float((share < t).all()) for t in CHOICES]
        )
        scores.append([float(one) for one in both])
    return dict(zip(CHOICES, np.mean(scores, axis=0).round(4).tolist(), strict=True))


def train(folder: Path, group: Sequence[Head], held_out: Sequence[Head]) -> StackUNet:
    """Train, or go on with what the folder holds; one line an epoch."""
    torch.manual_seed(0)
    network = StackUNet()
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA)
    )
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-3)
    parts = {"network": network, "average": average, "optimiser": optimiser}
    path, first = folder / "stack_finder.pt", 0
    if path.exists():
        kept = torch.load(path, weights_only=True)
        first = kept.pop("epoch")
        for name, state in kept.items():
            parts[name].load_state_dict(state)
    if first == EPOCHS:
        return average.module.eval()
    steps = EPOCHS * STEPS_AN_EPOCH
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        LEARNING_RATE,
        steps,
        pct_start=0.1,
        final_div_factor=100,
        last_epoch=first * STEPS_AN_EPOCH - 1,
    )
    for epoch in range(first, EPOCHS):
        start, losses = time.monotonic(), []
        for step in range(epoch * STEPS_AN_EPOCH, (epoch + 1) * STEPS_AN_EPOCH):
            optimiser.zero_grad()
            for k in range(STACKS_A_STEP):
                loss = loss_of(network, *as_tensors(drawn_for(group, 0, step, k)))
                (loss / STACKS_A_STEP).backward()
                losses.append(float(loss.detach()))
            torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            rate.step()
            average.update_parameters(network)
        states = {name: part.state_dict() for name, part in parts.items()}
        torch.save(states | {"epoch": epoch + 1}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
        words = f"epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.3f}"
        if epoch % 5 == 4:
            words += f", Dice {overlaps(average.module.eval(), held_out)}"
        print(f"{words}, {time.monotonic() - start:.0f} s", flush=True)
    return average.module.eval()


def main(folder: Annotated[Path, typer.Argument(help="New folder of the model.")]) -> None:
    """Train, choose the threshold and score; ten minutes of one core. A cut run goes on."""
    made = folder / "training"
    every = heads(made / "heads")
    network = train(made, every[:N_HEADS], every[N_HEADS:])
    choices = overlaps(network, every[N_HEADS:])
    threshold = max(choices, key=choices.__getitem__)
    spec = StackFinderSpec(PIXEL_MM, SLICE_MM[0], SIDE, threshold, LEAST_ML, "phantoms")
    finder = StackFinder(OnnxVolumeNetwork(stack_network_to_onnx(network)), spec)
    finish_finder(finder, choices[threshold], every[N_HEADS:], folder)


if __name__ == "__main__":
    typer.run(main)
