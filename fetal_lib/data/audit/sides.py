"""Who stands on two sides of a split: groups, identical images, images that look alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.audit.hashes import VIEWS
from fetal_lib.data.audit.looks import Looks
from fetal_lib.data.audit.report import Finding
from fetal_lib.data.audit.table import Cases
from fetal_lib.data.audit.twins import Twins, find_twins

if TYPE_CHECKING:
    import pandas as pd


def torn_groups(cases: Cases) -> pd.DataFrame:
    """Return the groups in more than one part: ``group, parts, n, labels``."""
    import pandas as pd

    table = pd.DataFrame({"group": cases.group, "parts": cases.part, "labels": cases.label})
    table["labels"] = table["labels"].astype(str)
    grouped = table.groupby("group", sort=True)
    rows = grouped.agg(
        parts=("parts", lambda p: ", ".join(sorted(set(p)))),
        n=("parts", "size"),
        labels=("labels", lambda v: ", ".join(sorted(set(v))[:5])),
    )
    return rows[grouped["parts"].nunique() > 1].reset_index()


def group_finding(cases: Cases, torn: pd.DataFrame) -> Finding:
    """Judge groups on two sides: one is a leak."""
    n_groups = len(set(cases.group))
    inside = np.isin(cases.group, torn["group"].to_numpy(str)) & cases.held_out
    if torn.empty:
        text = f"none of {n_groups} groups stands in two parts"
    else:
        names = ", ".join(torn["group"].head(3)) + (" ..." if len(torn) > 3 else "")
        text = (
            f"{len(torn)} of {n_groups} groups stand in more than one part ({names}); they hold "
            f"{inside.sum()} of {cases.held_out.sum()} held-out images"
        )
    verdict = "ok" if torn.empty else "leak"
    strength = float(inside.sum() / max(1, cases.held_out.sum()))
    return Finding("groups", text, "groups", len(torn), verdict, strength, len(cases))


@dataclass(frozen=True)
class Alike:
    """Images that look alike across parts, or across groups where there are no parts."""

    twins: Twins
    exact: np.ndarray  # bool (P,), of the listed pairs
    n_exact: int
    has_exact: np.ndarray  # bool (N,)


def find_alike(looks: Looks, across: np.ndarray) -> Alike:
    """Find the identical and the similar images that differ in ``across``, part or group (N,)."""
    digests = np.unique(np.array([d.hex() for d in looks.digests]), return_inverse=True)[1]
    twins = find_twins(looks.words, across)
    cells = Counter(zip(digests.tolist(), across.tolist(), strict=True))
    wholes, same = Counter(digests.tolist()), Counter()
    for (digest, _), count in cells.items():
        same[digest] += count * (count - 1) // 2
    crossing = {d: n * (n - 1) // 2 - same[d] for d, n in wholes.items()}
    has_exact = np.array([crossing[d] > 0 for d in digests.tolist()])
    exact = digests[twins.first] == digests[twins.second]
    return Alike(twins, exact, sum(crossing.values()), has_exact)


def alike_findings(cases: Cases, alike: Alike) -> list[Finding]:
    """Judge identical and similar images: a leak across parts, a warning across groups."""
    side = "parts" if cases.part is not None else "groups"
    n_near = alike.twins.n_pairs - alike.n_exact
    near = alike.twins.has_twin
    rows = (
        ("exact duplicates", "identical", alike.n_exact, alike.has_exact, alike.exact),
        ("near-duplicates", "nearly identical", n_near, near, ~alike.exact),
    )
    return [_alike_finding(cases, alike, side, *row) for row in rows]


def _alike_finding(
    cases: Cases,
    alike: Alike,
    side: str,
    check: str,
    how: str,
    n_pairs: int,
    has: np.ndarray,
    listed: np.ndarray,
) -> Finding:
    if n_pairs == 0:
        text = f"no {how} images in different {side}"
        return Finding(check, text, "pairs", 0, "ok", 0.0, len(cases))
    share = float((has & cases.held_out).sum() / max(1, cases.held_out.sum()))
    text = f"{n_pairs} pair(s) of {how} images in different {side}"
    if listed.any():
        at = int(np.flatnonzero(listed)[0])
        first, second = alike.twins.first[at], alike.twins.second[at]
        text += f", such as {_place(cases, first)} and {_place(cases, second)}"
    verdict = "leak" if side == "parts" else "warning"
    return Finding(check, text, "pairs", n_pairs, verdict, share, len(cases))


def _place(cases: Cases, row: int) -> str:
    return cases.name[row] + (f" ({cases.part[row]})" if cases.part is not None else "")


def group_rule_finding(cases: Cases, looks: Looks) -> Finding:
    """Judge whether the groups hold together what looks alike, wherever it stands now."""
    twins = find_twins(looks.words, cases.group)
    text = "no images of different groups look alike"
    if twins.n_pairs:
        a, b = cases.name[twins.first[0]], cases.name[twins.second[0]]
        text = f"{twins.n_pairs} pair(s) of different groups look alike, such as {a} and {b}"
    verdict = "warning" if twins.n_pairs else "ok"
    share = float(twins.has_twin.mean())
    return Finding("group rule", text, "pairs", twins.n_pairs, verdict, share, len(cases))


def pairs_table(cases: Cases, alike: Alike | None) -> pd.DataFrame:
    """Return the listed pairs, the closest first; empty with its columns if there are none."""
    import pandas as pd

    part = np.full(len(cases), "") if cases.part is None else cases.part
    values = {"image": cases.name, "part": part, "group": cases.group, "label": cases.label}
    none = np.empty(0, int)
    sides = (("a", none), ("b", none))
    if alike is not None:
        sides = (("a", alike.twins.first), ("b", alike.twins.second))
    table = {f"{key}_{side}": v[rows] for side, rows in sides for key, v in values.items()}
    table["bits"] = none if alike is None else alike.twins.bits
    table["view"] = np.array(VIEWS)[none if alike is None else alike.twins.view]
    table["exact"] = none.astype(bool) if alike is None else alike.exact
    pairs = pd.DataFrame(table)
    return pairs.sort_values(["exact", "bits"], ascending=[False, True], ignore_index=True)
