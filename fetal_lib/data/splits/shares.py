"""Split cases into named parts by shares, so that no group stands on two sides.

Groups (examinations, fetuses, subjects) are sorted into strata: neighbours in a number, or one
class. Each stratum is dealt out evenly, so every part covers the range of the label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fetal_lib.data.splits.check import check_lengths, classes_of_groups


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
    _check(groups, label, shares)
    groups, label = np.asarray(groups), np.asarray(label, dtype=float)
    names, index = np.unique(groups, return_inverse=True)
    mean = np.bincount(index, weights=label) / np.bincount(index)
    rng = np.random.default_rng(seed)
    quota = _quota(len(names), shares)
    order = np.argsort(mean, kind="stable")
    blocks = [rng.permutation(order[i : i + block]) for i in range(0, len(order), block)]
    rank = np.concatenate([(np.arange(len(b)) + rng.random()) / len(b) for b in blocks])
    return _deal(np.concatenate(blocks), rank, quota)[index]


def split_by_class(
    groups: Sequence[str], label: Sequence[str], shares: Mapping[str, float], seed: int = 0
) -> np.ndarray:
    """Assign each case to a part, whole groups at a time, stratified by a class.

    A group with several classes counts as its commonest. A class with fewer groups than there
    are parts keeps one group for ``train`` and has none in some other part: count per part
    before a class is scored.

    Parameters
    ----------
    groups, label : sequence of str, length N
    shares : mapping
        Share of the *groups* that each named part gets; ``train`` gets the rest.
    seed : int

    Returns
    -------
    ndarray of str, shape (N,)
        Name of the part of each case.

    Raises
    ------
    ValueError
        As :func:`split_by_group` does.

    Examples
    --------
    >>> part = split_by_class(list("aabbccddee"), list("xxxxxxyyyy"), {"test": 0.4})
    >>> sorted(set(part[:6].tolist())), sorted(set(part[6:].tolist()))
    (['test', 'train'], ['test', 'train'])
    """
    _check(groups, label, shares)
    groups, label = np.asarray(groups), np.asarray(label)
    index, group_class = classes_of_groups(groups, label)
    rng = np.random.default_rng(seed)
    quota = _quota(len(group_class), shares)
    order, rank = [], []
    for kind in np.unique(group_class):
        members = rng.permutation(np.flatnonzero(group_class == kind))
        ranks = (np.arange(len(members)) + 0.5 + 1e-6 * rng.random()) / len(members)
        if len(members) <= len(shares):
            ranks[-1] = 1.0  # the last of a rare class is dealt last, to train
        order.append(members)
        rank.append(ranks)
    return _deal(np.concatenate(order), np.concatenate(rank), quota)[index]


def _deal(order: np.ndarray, rank: np.ndarray, quota: Mapping[str, int]) -> np.ndarray:
    """Give the groups of lowest rank to the first part, and so on; the rest trains."""
    part = np.full(len(order), "train", dtype=f"<U{max(16, *map(len, quota), 5)}")
    dealt = order[np.argsort(rank, kind="stable")]
    start = 0
    for name, count in quota.items():
        part[dealt[start : start + count]] = name
        start += count
    return part


def _quota(n_groups: int, shares: Mapping[str, float]) -> dict[str, int]:
    quota = {name: round(share * n_groups) for name, share in shares.items()}
    empty = [name for name, count in quota.items() if count == 0]
    if empty or sum(quota.values()) >= n_groups:
        raise ValueError(
            f"shares={dict(shares)} of {n_groups} groups leave a part empty "
            f"({empty or ['train']}); give more data or other shares."
        )
    return quota


def _check(groups: Sequence, label: Sequence, shares: Mapping[str, float]) -> None:
    check_lengths(groups, label)
    if not shares or "train" in shares:
        raise ValueError(
            f"shares={dict(shares)}: name the parts besides train, as {{'test': 0.2}} does; "
            "train gets the rest."
        )
    if any(not 0 < share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise ValueError(f"shares={dict(shares)}: each lies in (0, 1) and their sum below 1.")
