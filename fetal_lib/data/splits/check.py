"""Refuse a split that tears a group, and labels that do not fit their groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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


def check_lengths(groups: Sequence, label: Sequence) -> None:
    """Refuse groups and labels of different lengths, and missing ones.

    To be called before they become arrays: NumPy turns a NaN among names into the name "nan".

    Raises
    ------
    ValueError
    """
    if len(groups) != len(label):
        raise ValueError(f"groups ({len(groups)}) and label ({len(label)}) differ in length.")
    for name, values in (("groups", groups), ("label", label)):
        # `v != v` is true of NaN alone, whatever its type.
        absent = [i for i, v in enumerate(values) if v is None or v != v]
        if absent:
            raise ValueError(
                f"{name}: {len(absent)} case(s) have none, first at row {absent[0]}; every case "
                "needs one. Leave these cases out, and say how many they were."
            )


def classes_of_groups(groups: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the group number of each case (N,), and the commonest class of each group (G,).

    A class is given as its number among the sorted ones; of equally common ones the rarer overall.
    """
    index = np.unique(groups, return_inverse=True)[1]
    kinds, kind = np.unique(label, return_inverse=True)
    counts = np.zeros((index.max() + 1, len(kinds)))
    np.add.at(counts, (index, kind), 1)
    return index, (counts - 0.5 * counts.sum(0) / len(label)).argmax(1)
