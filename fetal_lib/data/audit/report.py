"""What the audit found: one row a check, the pairs that look alike, the groups that are torn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.audit.clues import ClueScore
from fetal_lib.data.report import Problem

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.01
WEAK, STRONG = 0.1, 0.5
COLUMNS = (
    "check",
    "finding",
    "measure",
    "value",
    "chance",
    "p",
    "n",
    "verdict",
    "strength",
    "chance_strength",
    "rank_corr",
)


@dataclass(frozen=True)
class Finding:
    """One row of the audit.

    Attributes
    ----------
    check : what was looked at.
    finding : what was seen, as a sentence.
    measure, value : "pairs", "groups", "R2", "AUC", "V" or "eta", and its value.
    verdict : "ok", "warning" or "leak".
    strength : 0 (nothing) to 1 (everything), comparable between checks.
    n : cases looked at.
    chance, p, chance_strength, rank_corr : see :class:`~fetal_lib.data.audit.clues.ClueScore`;
        NaN for a count.
    """

    check: str
    finding: str
    measure: str
    value: float
    verdict: str
    strength: float
    n: int
    chance: float = math.nan
    p: float = math.nan
    chance_strength: float = 0.0
    rank_corr: float = math.nan


@dataclass(frozen=True)
class AuditReport:
    """What :func:`~fetal_lib.data.audit.cases.audit_cases` found.

    Attributes
    ----------
    findings : DataFrame
        One row a check: ``check, finding, measure, value, chance, p, n, verdict, strength,
        chance_strength, rank_corr``.
    pairs : DataFrame
        Images that look alike across parts (or, without parts, across groups), the closest
        first, 1,000 at most: ``image_a, group_a, label_a, part_a``, the same of ``b``, and
        ``bits, view, exact``.
    torn : DataFrame
        Groups in more than one part: ``group, parts, n, labels``.
    not_checked : dict
        Check and why it was left out.
    thumbs : dict
        48 x 48 pictures, uint8, of the twelve closest pairs, by image name.
    notes : tuple of Problem
        What the set's layout left out or found odd, before anything was audited.
    """

    findings: pd.DataFrame
    pairs: pd.DataFrame
    torn: pd.DataFrame
    not_checked: dict[str, str] = field(default_factory=dict)
    thumbs: dict[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()

    @property
    def verdict(self) -> str:
        """The worst verdict of all checks."""
        found = set(self.findings["verdict"])
        return next((v for v in ("leak", "warning") if v in found), "ok")


def verdict_of_strength(strength: float, p: float) -> str:
    """Judge a clue: ok unless chance rarely does as well (p <= 0.01) and strength is >= 0.1.

    Strength 0.5 is R2 = 0.5, AUC = 0.75 or V = 0.5; from there on it is called a leak.

    >>> [verdict_of_strength(s, p) for s, p in ((0.9, 0.2), (0.05, 0.005), (0.3, 0.005))]
    ['ok', 'ok', 'warning']
    >>> verdict_of_strength(0.7, 0.005)
    'leak'
    """
    if p > ALPHA or strength < WEAK:
        return "ok"
    return "leak" if strength >= STRONG else "warning"


def clue_finding(check: str, clue: str, label: str, score: ClueScore) -> Finding:
    """Put the score of a check into words; ``clue`` is what the small model saw."""
    if not score.varies:
        return finding_of_score(check, f"{clue}: the same for all {score.n} images", score)
    verdict = verdict_of_strength(score.strength, score.p)
    known = "is not predicted" if verdict == "ok" else "is predicted"
    measure = score.measure.replace("R2", "R²")
    text = (
        f"{label} {known} from {clue}: {measure} {score.value:.2f} on held-out groups "
        f"(by chance up to {score.chance:.2f})"
    )
    if math.isfinite(score.rank_corr):
        text += f", rank correlation {score.rank_corr:.2f}"
    return finding_of_score(check, text, score)


def finding_of_score(check: str, text: str, score: ClueScore) -> Finding:
    """Return the row of a score, judged by its strength."""
    known = {name: value for name, value in vars(score).items() if name != "varies"}
    verdict = verdict_of_strength(score.strength, score.p)
    return Finding(check=check, finding=text, verdict=verdict, **known)


def findings_table(findings: list[Finding]) -> pd.DataFrame:
    """Return the findings as a table, one row each."""
    import pandas as pd

    return pd.DataFrame([vars(f) for f in findings], columns=list(COLUMNS))
