"""Short questions on a split: twins on two sides, groups on two sides, order of the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.audit.hashes import packed, perceptual_hashes
from fetal_lib.data.audit.twins import find_twins

if TYPE_CHECKING:
    import pandas as pd


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

    names, part = np.asarray(names), np.asarray(part)
    words = packed(perceptual_hashes(images))[:, None]  # (N, 1, 3)
    found = find_twins(words, [part], max_bits, limit=None)
    rows = {
        "image_a": names[found.first],
        "part_a": part[found.first],
        "image_b": names[found.second],
        "part_b": part[found.second],
        "bits": found.bits,
    }
    return pd.DataFrame(rows)


def shared_groups(groups: Sequence[str], part: Sequence[str]) -> list[str]:
    """Return the groups that stand in more than one part, sorted.

    Examples
    --------
    >>> shared_groups(["a", "a", "b"], ["train", "test", "test"])
    ['a']
    """
    pairs = {(str(g), str(p)) for g, p in zip(groups, part, strict=True)}
    seen = Counter(group for group, _ in pairs)
    return sorted(group for group, count in seen.items() if count > 1)


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Spearman's rank correlation, NaN when either does not vary.

    Examples
    --------
    >>> round(rank_correlation([1, 2, 3, 4], [1, 8, 27, 64]), 6)
    1.0
    """
    from scipy.stats import spearmanr

    if len(np.unique(a)) < 2 or len(np.unique(b)) < 2:
        return float("nan")
    return float(spearmanr(a, b).statistic)
