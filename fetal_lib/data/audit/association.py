"""Is the label tied to where an image comes from? Cramér's V, or eta for a number.

References
----------
Cramér H. Mathematical Methods of Statistics. Princeton 1946, p. 282 (V). Zech JR et al. Variable
generalization performance of a deep learning model. PLOS Med 2018.
doi:10.1371/journal.pmed.1002683 (a network that learnt the hospital).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fetal_lib.data.audit.clues import N_CHANCE, ClueScore
from fetal_lib.data.audit.labels import chance_orders, is_number


def score_source(
    source: Sequence, label: Sequence, groups: Sequence, seed: int = 0
) -> ClueScore | None:
    """Measure how strongly the label, classes or a number, is tied to the source of a case.

    All three have length N. Whole groups exchange their labels to find what chance gives. The
    measure is "V" or "eta"; None if there is one source or one label only.
    """
    source, label = np.asarray(source).astype(str), np.asarray(label)
    if len(np.unique(source)) < 2 or len(np.unique(label)) < 2:
        return None
    tie = correlation_ratio if is_number(label) else cramers_v
    orders = chance_orders(groups, N_CHANCE, seed)
    value = tie(source, label)
    by_chance = np.array([tie(source, label[order]) for order in orders])
    chance = float(np.quantile(by_chance, 0.95))
    p = float((1 + (by_chance >= value - 1e-12).sum()) / (1 + N_CHANCE))
    measure = "eta" if is_number(label) else "V"
    return ClueScore(measure, value, chance, p, value, chance, float("nan"), len(label))


def cramers_v(a: Sequence, b: Sequence) -> float:
    """Return Cramér's V of two classifications: 0 independent, 1 one tells the other.

    >>> round(cramers_v(list("aabb"), list("xxyy")), 3), cramers_v(list("abab"), list("xxyy"))
    (1.0, 0.0)
    """
    from scipy.stats.contingency import association, crosstab

    table = crosstab(np.asarray(a), np.asarray(b)).count
    return min(1.0, float(association(table))) if min(table.shape) > 1 else 0.0


def correlation_ratio(kind: Sequence, value: Sequence) -> float:
    """Return eta: the root of the share of a number's variance that lies between kinds.

    >>> correlation_ratio(list("aabb"), [1, 1, 5, 5]), correlation_ratio(list("abab"), [1, 1, 5, 5])
    (1.0, 0.0)
    """
    index = np.unique(np.asarray(kind), return_inverse=True)[1]
    value = np.asarray(value, float)
    size = np.bincount(index)
    mean = np.bincount(index, weights=value) / size
    total = ((value - value.mean()) ** 2).sum()
    return float(np.sqrt((size * (mean - value.mean()) ** 2).sum() / total)) if total else 0.0


def commonest_by_source(source: Sequence, label: Sequence) -> tuple[int, int]:
    """Count the cases that the commonest class of their source gets right, and overall.

    >>> commonest_by_source(list("aabb"), ["x", "x", "y", "x"])
    (3, 3)
    """
    source, label = np.asarray(source).astype(str), np.asarray(label)
    each = (np.unique(label[source == s], return_counts=True)[1].max() for s in np.unique(source))
    return int(sum(each)), int(np.unique(label, return_counts=True)[1].max())
