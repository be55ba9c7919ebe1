"""The leak audit: one function that looks for what lets a model cheat, and its parts."""

from fetal_lib.data.audit.cases import audit_cases
from fetal_lib.data.audit.clues import ClueScore, score_clue
from fetal_lib.data.audit.hashes import perceptual_hashes
from fetal_lib.data.audit.report import AuditReport
from fetal_lib.data.audit.two_sides import near_duplicates, rank_correlation, shared_groups

__all__ = [
    "AuditReport",
    "ClueScore",
    "audit_cases",
    "near_duplicates",
    "perceptual_hashes",
    "rank_correlation",
    "score_clue",
    "shared_groups",
]
