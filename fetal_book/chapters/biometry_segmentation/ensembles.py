"""What the diffusion network's ensemble is worth: ways to fuse it, and steps to sample it in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.data import CaseArrays, pooled_name
from fetal_book.chapters.biometry_segmentation.network_cost import (
    image_macs,
    inputs_of,
    released_cost_ratio,
)
from fetal_book.chapters.biometry_segmentation.scores import score_structures
from fetal_book.chapters.case_scores import interval_of
from fetal_book.runs.session import Run
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.models.mask_fusion import squared_mean
from fetal_lib.predict.segmenter import Segmenter, fuse_members

DDIM_STEPS = (1, 2, 5, 50)
"""Tried beside the run's own number of steps."""
N_SAMPLED = 12
"""Test images that every sampler gets, evenly spaced over the part."""


def single_member(segmenter: Segmenter) -> Segmenter:
    """Return a diffusion network that samples one mask an image; others as they are."""
    if not segmenter.is_diffusion:
        return segmenter
    return Segmenter(segmenter.network, replace(segmenter.spec, members=1), segmenter.device)


def ensemble_table(
    segmenter: Segmenter,
    members: np.ndarray,
    table: pd.DataFrame,
    arrays: CaseArrays,
    references: Sequence[np.ndarray],
) -> pd.DataFrame:
    """Score each way to fuse the members, float32 (K, N, S, S), of the test part.

    They are one member alone, the three fusions, the squared mean that the released code calls
    STAPLE, and the condition network by itself, which needs no sampling. The Dice minus that of
    the last has its 95 % bootstrap interval over subjects.
    """
    alone = "condition network alone"
    answers = {"one member": members[0]}
    answers |= {how: fuse_members(members, how) for how in ("mean", "majority", "staple")}
    answers["squared mean"] = squared_mean(members)
    answers[alone] = segmenter.anchor_probs(arrays.images)
    frames = {name: score_structures(table, references, p) for name, p in answers.items()}
    subjects, rows = table["subject"].to_numpy(), []
    for name, frame in frames.items():
        row = {"answer": name, "Dice": frame["dice"].mean(), "ADF (mm)": frame["adf_mm"].mean()}
        gap = (frame["dice"] - frames[alone]["dice"]).to_numpy()
        gap = _gap(gap, subjects, segmenter.spec.seed, "Dice minus condition network")
        rows.append(row | {"HD95 (mm)": frame["hd95_mm"].mean()} | gap)
    return pd.DataFrame(rows)


def sampling_table(
    run: Run,
    segmenter: Segmenter,
    table: pd.DataFrame,
    arrays: CaseArrays,
    references: Sequence[np.ndarray],
) -> pd.DataFrame:
    """Compare samplers of one diffusion network on a few test images, and add result rows.

    GMAC and seconds are those of an image; the Dice minus that of one long ancestral sample has
    its 95 % bootstrap interval over subjects.
    """
    p, spec = run.parameters, segmenter.spec
    own = (spec.sampling_steps, spec.members)
    plan = [(steps, 1, 0) for steps in sorted({*DDIM_STEPS, spec.sampling_steps})]
    plan += [(*own, 0), (p.ancestral_steps, 1, p.ancestral_steps)]
    pick = evenly_spaced(N_SAMPLED, len(table))
    part, masks, images = table.iloc[pick], [references[i] for i in pick], arrays.images[pick]
    rows, dices = [], []
    for steps, members, ancestral in dict.fromkeys(plan):
        sampler = Segmenter(
            segmenter.network, replace(spec, sampling_steps=steps), segmenter.device
        )
        start = time.perf_counter()
        found = sampler.members(images, members, ancestral)
        seconds = (time.perf_counter() - start) / len(part)
        fused = fuse_members(found, spec.fusion) if members > 1 else found[0]
        dices.append(score_structures(part, masks, fused)["dice"].to_numpy())
        row = {"sampler": "ancestral" if ancestral else "DDIM", "steps": steps}
        macs = image_macs(segmenter.network, inputs_of(segmenter), steps * members)
        row |= {"members": members, "GMAC": macs / 1e9}
        rows.append(row | {"s an image": seconds, "Dice": dices[-1].mean()})
    subjects = part["subject"].to_numpy()
    gaps = [_gap(dice - dices[-1], subjects, p.seed, "minus ancestral") for dice in dices]
    found = pd.concat([pd.DataFrame(rows), pd.DataFrame(gaps)], axis=1)
    found.insert(0, "n", len(part))
    _add_samplers(run, spec.network, part, found, dices)
    return found


def _gap(differences: np.ndarray, subjects: np.ndarray, seed: int, title: str) -> dict[str, float]:
    low, high = bootstrap_ci(differences, groups=subjects, seed=seed)
    return {title: differences.mean(), "low": low, "high": high}


def _add_samplers(
    run: Run, name: str, part: pd.DataFrame, found: pd.DataFrame, dices: Sequence[np.ndarray]
) -> None:
    subjects = part["subject"].to_numpy()
    for row, dice in zip(found.itertuples(), dices, strict=True):
        model = f"{name}, {row.sampler} {row.steps} x {row.members}"
        known = {"model": model, "data": pooled_name(part)}
        ci95 = interval_of(dice, subjects, run.parameters.seed)
        run.add_result(**known, split="test", metric="dice", value=row.Dice, n=row.n, ci95=ci95)
        run.add_result(**known, split="all", metric="gmac", value=row.GMAC)


def sampling_verdict(run: Run, segmenter: Segmenter, found: pd.DataFrame) -> str:
    """Say what the ensemble costs beside the released sampler, and what it lost; add both costs."""
    spec = segmenter.spec
    cost = released_cost_ratio(spec.sampling_steps, spec.members)
    for model, value in {
        "med_seg_diff_released, ancestral 1000 x 5, published, 256 px": cost.released_macs,
        f"{spec.network}, DDIM {spec.sampling_steps} x {spec.members}, published, 256 px": (
            cost.here_macs
        ),
    }.items():
        run.add_result(model=model, split="all", metric="gmac", value=value / 1e9)
    ddim = (found["sampler"] == "DDIM") & (found["steps"] == spec.sampling_steps)
    rows = [found[ddim & (found["members"] == n)].iloc[0] for n in (1, spec.members)]
    words = (
        f"{row['minus ancestral']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})" for row in rows
    )
    one, fused = words
    return (
        f"At published width and 256 px the released sampler computes **{cost.ratio:.0f} times** "
        f"as much for an image as {spec.members} members of {spec.sampling_steps} DDIM steps. Dice "
        f"against {run.parameters.ancestral_steps} ancestral steps of this network: {one} for one "
        f"member, {fused} for the fused ensemble ({found['n'].iloc[0]} images)."
    )
