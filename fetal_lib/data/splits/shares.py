"""Split cases into parts so that no group stands on two sides.

Groups (examinations, fetuses, subjects) are sorted by their mean label, cut
into blocks of neighbours, and dealt out within each block: every part then
covers the range of the label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def split_by_group(
    groups: Sequence[str],
    label: Sequence[float],
    shares: Mapping[str, float],
    seed: int = 0,
    block: int = 20,
) -> np.ndarray:
    """Assign each case to a part, whole groups at a time, stratified by a number.

    Parameters
    ----------
    groups : sequence of str, length N
        Group of each case.
    label : sequence of float, length N
        What the parts should be alike in, such as head circumference.
    shares : mapping
        Share of the *groups* that each named part gets; ``train`` gets the rest.
    seed : int
    block : int
        Groups in one stratum.

    Returns
    -------
    ndarray of str, shape (N,)
        Name of the part of each case.

    Raises
    ------
    ValueError
        If lengths differ, a share is outside (0, 1), shares sum to 1 or more, or
        a part would stay empty.

    Examples
    --------
    >>> part = split_by_group(list("aabbccddee"), range(10), {"test": 0.2, "val": 0.2})
    >>> sorted(set(part.tolist()))
    ['test', 'train', 'val']
    """
    groups, label = np.asarray(groups), np.asarray(label, dtype=float)
    _check(groups, label, shares)
    names, index = np.unique(groups, return_inverse=True)
    mean = np.bincount(index, weights=label) / np.bincount(index)
    rng = np.random.default_rng(seed)
    quota = _quota(len(names), shares)
    order = np.argsort(mean, kind="stable")
    blocks = [rng.permutation(order[i : i + block]) for i in range(0, len(order), block)]
    rank = np.concatenate([(np.arange(len(b)) + rng.random()) / len(b) for b in blocks])
    dealt = np.concatenate(blocks)[np.argsort(rank, kind="stable")]
    part = np.full(len(names), "train", dtype="<U16")
    start = 0
    for name, count in quota.items():
        part[dealt[start : start + count]] = name
        start += count
    return part[index]


def _quota(n_groups: int, shares: Mapping[str, float]) -> dict[str, int]:
    quota = {name: round(share * n_groups) for name, share in shares.items()}
    empty = [name for name, count in quota.items() if count == 0]
    if empty or sum(quota.values()) >= n_groups:
        raise ValueError(
            f"shares={dict(shares)} of {n_groups} groups leave a part empty "
            f"({empty or ['train']}); give more data or other shares."
        )
    return quota


def _check(groups: np.ndarray, label: np.ndarray, shares: Mapping[str, float]) -> None:
    if len(groups) != len(label):
        raise ValueError(f"groups ({len(groups)}) and label ({len(label)}) differ in length.")
    if any(not 0 < share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise ValueError(f"shares={dict(shares)}: each lies in (0, 1) and their sum below 1.")


def assert_disjoint(groups: Sequence[str], part: Sequence[str]) -> None:
    """Refuse a split in which a group stands in two parts.

    Raises
    ------
    ValueError
        Naming up to ten such groups.
    """
    seen: dict[str, set[str]] = {}
    for group, name in zip(groups, part, strict=True):
        seen.setdefault(str(group), set()).add(str(name))
    torn = sorted(group for group, names in seen.items() if len(names) > 1)
    if torn:
        raise ValueError(f"split: {len(torn)} group(s) stand in two parts: {torn[:10]}.")
