"""Score the finder of the brain in raw stacks on fetuses it has never seen, and write it.

Their stacks are made by the simulator that chapter 01 reads, which is another than the one that
painted what it learnt from. Stacks that show no head come from the latter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_lib.data.layouts.fetal_scan import FetalScan
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.metrics.segmentation import dice
from fetal_lib.predict.gestational_age_model import load_ga_model
from fetal_lib.predict.self_test import Sample, save_sample
from fetal_lib.predict.stack_finder import COMMAND, StackFinder
from fetal_lib.readers.volume_grid import Volume, canonical
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.norms import MAX_GA_DAYS, MIN_GA_DAYS
from fetal_phantoms.fetal_brain.painted_stacks import PIXEL_MM, Head, draw_stack
from fetal_phantoms.fetal_brain.stacks import SliceStack, make_stacks
from fetal_phantoms.reserved import GESTATIONAL_AGE
from fetal_phantoms.set_folder import subject_seed

FIRST_SCORED = 2000  # phantoms of the reserved seed from this number on are scored
N_SCORED, SCORED_MM = 8, 1.5
SCANS = (("usual", 1.0, 3.3), ("much motion, thick slices", 3.0, 5.0))
"""Words, strength of the motion, thickness in mm."""
N_EMPTY, EMPTY_SLICE_MM = 40, 4.0
SAMPLE_SEED, SAMPLE_DAYS, SAMPLE_MM = 31, 190.0, 2.0


def on_axes(stack: SliceStack) -> tuple[Volume, np.ndarray]:
    """Return a stack as a reader gives it, axes to the right, forward and up; and its truth."""
    volume = canonical(stack.data, stack.affine)
    return volume, canonical(stack.labels.astype(np.float32), stack.affine).data > 0


def scored_stacks(finder: StackFinder) -> pd.DataFrame:
    """Return a row a stack of unseen phantoms: ``fetus, ga_days, plane, scan, dice, ml_ratio``."""
    rows = []
    for k, days in enumerate(np.linspace(MIN_GA_DAYS + 4, MAX_GA_DAYS - 4, N_SCORED)):
        seed = subject_seed(GESTATIONAL_AGE, FIRST_SCORED + k)
        phantom = make_fetal_brain(seed, float(days), SCORED_MM, surroundings=True)
        for words, motion, thickness in SCANS:
            for stack in make_stacks(phantom, seed, motion=motion, thickness_mm=thickness):
                volume, true = on_axes(stack)
                found = finder.find(volume)
                row = {"fetus": k, "ga_days": days, "plane": stack.plane, "scan": words}
                ratio = found.sum() / true.sum()
                rows.append(row | {"dice": dice(true, found), "ml_ratio": ratio})
    return pd.DataFrame(rows)


def empty_stacks(held_out: Sequence[Head]) -> Iterator[Volume]:
    """Yield drawn stacks in which there is no brain."""
    for k in count():
        rng = np.random.default_rng([GESTATIONAL_AGE, FIRST_SCORED, k])
        drawn = draw_stack(held_out[k % len(held_out)], rng)
        if not drawn.brain.any():
            spacing = (PIXEL_MM, PIXEL_MM, EMPTY_SLICE_MM)
            yield Volume(drawn.image, np.diag([*spacing, 1.0]), spacing)


def finish_finder(
    finder: StackFinder, validated: float, held_out: Sequence[Head], folder: Path
) -> None:
    """Score a finder once, and write it with its card and sample.

    ``validated`` is the mean Dice that its threshold was chosen by, on stacks of ``held_out``.
    """
    table = scored_stacks(finder)
    table.to_csv(folder / "training" / "scored.csv", index=False)
    finder.save(folder, card_of(finder, validated, table, empty_text(finder, held_out)))
    write_sample(finder, folder)


def empty_text(finder: StackFinder, held_out: Sequence[Head]) -> str:
    """Say how often something is found in stacks without a brain, and an age told of it."""
    model, found, told = load_ga_model(None), 0, 0
    for volume in islice(empty_stacks(held_out), N_EMPTY):
        mask = finder.find(volume)
        if mask.any():
            scan = FetalScan("empty", math.nan, "stack", volume, None, mask, {})
            found, told = found + 1, told + (not model.read(scan).reason)
    return (
        f"Of {N_EMPTY} drawn stacks without a brain something is found in {found}; of these the\n"
        f"shipped model tells an age of {told} and declines the rest."
    )


def card_of(finder: StackFinder, validated: float, table: pd.DataFrame, empty: str) -> str:
    """Return the model card, Markdown; ``empty`` is what `empty_text` says."""
    lines = [
        "| scan | Dice, mean | Dice, lowest | volume found by true | n |",
        "|---|---|---|---|---|",
    ]
    for words, some in table.groupby("scan", sort=False):
        low, high = bootstrap_ci(some["dice"].to_numpy(), groups=some["fetus"].to_numpy(), seed=0)
        lines.append(
            f"| {words} | {some['dice'].mean():.3f} ({low:.3f} to {high:.3f}) "
            f"| {some['dice'].min():.3f} | {some['ml_ratio'].mean():.2f} "
            f"| {len(some)} stacks, {some['fetus'].nunique()} fetuses |"
        )
    spec = finder.spec
    return f"""# Finder of the fetal brain in raw stacks of thick slices

A small U-Net of slices of {spec.pixel_mm:g} mm pixels that looks at the slices beside. It says
where the brain with its fluid lies in a stack as it was acquired, among skull, womb and mother, so
that a model of gestational age can be asked without a reconstruction. Made by
`{COMMAND}`.

**Learnt from** phantoms of this project alone, 19 to 39 weeks: stacks of any contrast, direction,
field of view and distance of slices, with motion, lost signal, uneven brightness and noise, drawn
anew at every step; some show no head. The weights are free of any data set's terms.

**Overlap** with the true brain in stacks of phantoms that it has never seen, by the simulator of
chapter 01 (95 % intervals over fetuses), scored once:

{chr(10).join(lines)}

{empty}

The threshold ({spec.threshold:g}) was chosen on painted stacks of held-out heads (Dice
{validated:.3f}). A find below {spec.least_ml:g} mL is none.

**Convention**: the inside of the skull, brain with its fluid, as the truth of the phantoms and the
masks of atlases have it.

**It cannot** tell an age, a disease or a twin. No stack of a real fetus was tried: phantoms have
neither placenta, limbs nor the motion of a mother who breathes. Not for clinical use.
"""


def write_sample(finder: StackFinder, folder: Path) -> None:
    """Write a stack that the finder has not seen, and the volume of brain that it finds there."""
    import nibabel

    from fetal_lib.predict.gestational_age_stacks import found_ml

    phantom = make_fetal_brain(SAMPLE_SEED, SAMPLE_DAYS, SAMPLE_MM, surroundings=True)
    stack = make_stacks(phantom, SAMPLE_SEED, ("coronal",), 5.0, in_plane_mm=2.5)[0]
    grey = np.rint(stack.data / stack.data.max() * 255).astype(np.uint8)
    image = nibabel.Nifti1Image(grey, stack.affine)
    image.header.set_xyzt_units("mm")
    place = folder / "self_test" / "phantom_stack.nii.gz"
    place.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, place)
    source = f"a stack of a phantom of {SAMPLE_DAYS / 7:.0f} weeks, made by this project"
    save_sample(folder, Sample(place.name, round(found_ml(place, finder), 2), 3.0, "mL", source))
