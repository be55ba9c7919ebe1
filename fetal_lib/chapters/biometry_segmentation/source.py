"""What source 002's protocol would have reported on the same data, and its table as it is cited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.chapters.biometry_segmentation.data import pooled_name
from fetal_lib.chapters.biometry_segmentation.fit import fit_one, fit_settings
from fetal_lib.evaluation.structures import pooled_dice
from fetal_lib.metrics.segmentation import dice
from fetal_lib.training.augment import Augmentation, augment_pair

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.chapters.biometry_segmentation.data import CaseArrays
    from fetal_lib.runs.session import Run


SPLITS = {"by subject": "by_subject", "by image, as the source": "by_image"}
"""How the two splits are called on the page, and in the result rows."""
WAYS = {
    "Dice per image": "",
    "Dice, augmented test": "_augmented_test",
    "pooled Dice, augmented test": "_pooled",
}
"""The ways to score, likewise."""


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

    Returns
    -------
    DataFrame
        ``split, shared subjects``, the Dice per image on test images as they are, the same on
        augmented ones, and the Dice of all pixels pooled on augmented ones.
    """
    import pandas as pd

    p = run.parameters
    shares = {"test": p.test_fraction, "val": p.val_fraction}
    parts = (subject_part, image_level_parts(len(table), shares, p.seed))
    settings = fit_settings(p, arrays, p.source_epochs)
    rows = []
    for (name, short), part in zip(SPLITS.items(), parts, strict=True):
        train, val, test = (arrays.select(part == word) for word in ("train", "val", "test"))
        segmenter, _ = fit_one(run, "unet", train, val, settings, split=f"source, {name}")
        subjects = table["subject"].to_numpy()
        seen = np.isin(subjects[part == "test"], subjects[part == "train"])
        changed, changed_masks = augmented(test, p.seed)
        found = segmenter.probs(changed)
        dices = (
            _mean_dice(test.masks, segmenter.probs(test.images)),
            _mean_dice(changed_masks, found),
            pooled_dice(changed_masks, found),
        )
        for way, value in zip(WAYS.values(), dices, strict=True):
            known = {"model": f"unet_{short}{way}", "data": pooled_name(table)}
            known |= {"split": "protocol", "metric": "dice"}
            run.add_result(**known, value=value, n=len(test.images))
        row = {"split": name, "test images of known subjects": seen.mean()}
        rows.append(row | dict(zip(WAYS, dices, strict=True)))
    return pd.DataFrame(rows)


def _mean_dice(masks: np.ndarray, probs: np.ndarray) -> float:
    pairs = zip(masks, probs, strict=True)
    return float(np.mean([dice(mask >= 128, found >= 0.5) for mask, found in pairs]))
