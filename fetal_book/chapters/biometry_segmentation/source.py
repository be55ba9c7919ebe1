"""What source 002's protocol would have reported on the same data, and its table as it is cited."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.data import pooled_name
from fetal_book.chapters.biometry_segmentation.fit import fit_one, fit_settings
from fetal_book.chapters.flaws import add_difference_of_trainings, score_trainings
from fetal_lib.metrics.intervals import with_interval
from fetal_lib.metrics.trainings import over_blocks
from fetal_lib.training.augment import Augmentation, augment_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fetal_book.chapters.biometry_segmentation.data import CaseArrays
    from fetal_book.chapters.flaws import ScoreMaker
    from fetal_book.runs.session import Run
    from fetal_lib.predict.segmenter import Segmenter

    Counted = tuple[np.ndarray, ScoreMaker, np.ndarray]
    """Pixel counts of test images by each training, (N, 3 S), the Dice to make of them, and the
    images' subjects."""

SPLITS = {"by subject": "by_subject", "by image, as the source": "by_image"}
"""How the two splits are called on the page, and in the result rows."""
WAYS = {
    "Dice per image": "",
    "Dice, augmented test": "_augmented_test",
    "pooled Dice, augmented test": "_pooled",
}
"""The ways to score, likewise."""
FLAWS = (
    ("unet_by_image", "unet_by_subject"),
    ("unet_by_subject_augmented_test", "unet_by_subject"),
    ("unet_by_subject_pooled", "unet_by_subject_augmented_test"),
)
"""What each flaw is compared with: one step at a time."""


def image_level_parts(n: int, shares: dict[str, float], seed: int) -> np.ndarray:
    """Deal out single images at random, as the source does: ``train``, ``val`` or ``test``."""
    order = np.random.default_rng([seed, 42]).permutation(n)
    part = np.full(n, "train", dtype=object)
    start = 0
    for name, share in shares.items():
        stop = start + round(share * n)
        part[order[start:stop]] = name
        start = stop
    return part


def augmented(arrays: CaseArrays, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Change test images and masks at random, as the source's test loader does; uint8 both."""
    rng = np.random.default_rng([seed, 43])
    pairs = [
        augment_pair(image, mask, rng, Augmentation())
        for image, mask in zip(arrays.images, arrays.masks, strict=True)
    ]
    images, masks = (np.stack(part) for part in zip(*pairs, strict=True))
    return (255 * images).astype(np.uint8), (255 * masks).astype(np.uint8)


def reenact_source(
    run: Run, table: pd.DataFrame, arrays: CaseArrays, subject_part: np.ndarray
) -> pd.DataFrame:
    """Score one U-Net the source's ways and the right way, on each kind of split.

    Returns a table of text: test images, their subjects, the share of images whose subject the
    network has seen, and the mean Dice of ``source_trainings`` in each way of ``WAYS``, with 95 %
    bootstrap intervals. Subjects are drawn, whatever was dealt out: frames of one are no
    independent evidence; trainings are drawn, too.
    """
    p = run.parameters
    shares = {"test": p.test_fraction, "val": p.val_fraction}
    parts = (subject_part, image_level_parts(len(table), shares, p.seed))
    settings = fit_settings(p, arrays, p.source_epochs)
    rows, counted, exposed = [], {}, {}
    for (name, short), part in zip(SPLITS.items(), parts, strict=True):
        train, val, test = (arrays.select(part == word) for word in ("train", "val", "test"))
        found = []
        for seed in range(p.seed, p.seed + p.source_trainings):
            own = replace(settings, seed=seed)
            segmenter, _ = fit_one(run, "unet", train, val, own, split=f"source, {name}")
            found.append(list(_three_ways(segmenter, test, p.seed)))
        subjects = table["subject"].to_numpy()
        tested = subjects[part == "test"]
        seen = np.isin(tested, subjects[part == "train"])
        row = {"split": name, "test images": len(tested), "subjects": len(np.unique(tested))}
        row["images of known subjects"] = f"{seen.mean():.0%}"
        for (way, suffix), each in zip(WAYS.items(), zip(*found, strict=True), strict=True):
            counts = np.hstack([one for one, _ in each])
            score = partial(over_blocks, each[0][1], p.source_trainings)
            known = {"model": f"unet_{short}{suffix}", "data": pooled_name(table)}
            known |= {"split": "protocol", "metric": "dice"}
            value, ci95 = score_trainings(score, counts, tested, p.seed)
            run.add_result(**known, value=value, n=len(tested), ci95=ci95)
            row[way] = with_interval(value, ci95)
            counted[known["model"]] = counts, score, tested
            exposed[known["model"]] = float(seen.mean())
        rows.append(row)
    facts = {"trainings": p.source_trainings, "epochs": settings.epochs}
    add_differences(run, counted, exposed, **facts)
    return pd.DataFrame(rows)


def _three_ways(
    segmenter: Segmenter, test: CaseArrays, seed: int
) -> Iterator[tuple[np.ndarray, Callable[[np.ndarray], float]]]:
    """Yield the pixel counts and the Dice to make of them, in the order of ``WAYS``."""
    changed, changed_masks = augmented(test, seed)
    plain = pixel_counts(test.masks, segmenter.probs(test.images))
    altered = pixel_counts(changed_masks, segmenter.probs(changed))
    yield from ((plain, mean_dice), (altered, mean_dice), (altered, pooled_dice))


def add_differences(
    run: Run, counted: dict[str, Counted], exposed: dict[str, float], **facts: int
) -> None:
    """Add what each flaw of ``FLAWS`` does to the Dice, with its interval over subjects.

    ``exposed`` is the share of a score's images whose subject was trained on; ``facts`` are those
    of the run's differences: trainings, epochs.
    """
    for names in FLAWS:
        counts, scores, subjects = zip(*(counted[name] for name in names), strict=True)
        told = facts | {"exposed": exposed[names[0]]}
        add_difference_of_trainings(run, names, "dice", counts, scores, subjects, **told)


def pixel_counts(references: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Count the true positive, false positive and false negative pixels of each image, (N, 3)."""
    true, found = references >= 128, probs >= 0.5
    kinds = (true & found, ~true & found, true & ~found)
    return np.stack([kind.sum(axis=(1, 2)) for kind in kinds], axis=1)


def pooled_dice(counts: np.ndarray) -> float:
    """Return the Dice of all pixels of all images taken together, as source 002 scores a batch.

    Of the counts of one image it is its own Dice. Without structure and found pixels it is 1.

    Examples
    --------
    >>> pooled_dice(np.array([[90, 10, 10], [0, 0, 10]]))
    0.8571428571428571
    """
    return mean_dice(np.sum(counts, axis=0, keepdims=True))


def mean_dice(counts: np.ndarray) -> float:
    """Return the mean over images of the Dice."""
    hit, wrong, missed = counts.T
    total = 2 * hit + wrong + missed
    return float(np.where(total == 0, 1, 2 * hit / np.maximum(total, 1)).mean())
