"""Look for what lets a model cheat: twins across a split, and labels in metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

HASH_SIDE = 12
"""Side of the perceptual hash in bits; 144 bits in all."""


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """Return the perceptual hash of each image: signs of its low frequencies.

    Parameters
    ----------
    images : ndarray, shape (N, H, W), uint8

    Returns
    -------
    ndarray, shape (N, 144), bool
    """
    import imagehash
    from PIL import Image

    return np.stack([imagehash.phash(Image.fromarray(i), HASH_SIDE).hash.ravel() for i in images])


def near_duplicates(
    images: np.ndarray, names: Sequence[str], part: Sequence[str], max_bits: int = 14
) -> pd.DataFrame:
    """List pairs of images in different parts of a split that look nearly the same.

    Parameters
    ----------
    images : ndarray, shape (N, H, W), uint8
    names, part : sequence of str, length N
    max_bits : int
        Largest number of differing bits, of 144, that counts as nearly the same.

    Returns
    -------
    DataFrame
        ``image_a, part_a, image_b, part_b, bits``, the closest first.
    """
    import pandas as pd

    hashes = perceptual_hashes(images).astype(np.int16)
    part = np.asarray(part)
    ones = hashes.sum(1)
    bits = ones[:, None] + ones[None] - 2 * hashes @ hashes.T  # (N, N)
    i, j = np.nonzero((bits <= max_bits) & (part[:, None] != part[None]))
    keep = i < j
    rows = [
        (names[a], part[a], names[b], part[b], int(bits[a, b]))
        for a, b in zip(i[keep], j[keep], strict=True)
    ]
    columns = ["image_a", "part_a", "image_b", "part_b", "bits"]
    return pd.DataFrame(rows, columns=columns).sort_values("bits", ignore_index=True)


def shared_groups(groups: Sequence[str], part: Sequence[str]) -> list[str]:
    """Return the groups that stand in more than one part, sorted.

    Examples
    --------
    >>> shared_groups(["a", "a", "b"], ["train", "test", "test"])
    ['a']
    """
    pairs = {(str(g), str(p)) for g, p in zip(groups, part, strict=True)}
    seen = [g for g, _ in pairs]
    return sorted({g for g in seen if seen.count(g) > 1})


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Spearman's rank correlation, NaN when either does not vary."""
    from scipy.stats import spearmanr

    if len(np.unique(a)) < 2 or len(np.unique(b)) < 2:
        return float("nan")
    return float(spearmanr(a, b).statistic)
