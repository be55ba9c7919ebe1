"""The steps of chapter 03, segmentation and biometry; its notebook calls them in order."""

from fetal_lib.chapters.biometry_segmentation.data import (
    find_data,
    fingerprint,
    load_cases,
    read_cases,
    references,
)
from fetal_lib.chapters.biometry_segmentation.explain import (
    EXPLAINED,
    attention_gates,
    cam_checks,
)
from fetal_lib.chapters.biometry_segmentation.fit import (
    chosen_networks,
    fit_all,
    fit_settings,
    model_card,
)
from fetal_lib.chapters.biometry_segmentation.growth import (
    biometry_table,
    flag_agreement,
    growth_summary,
)
from fetal_lib.chapters.biometry_segmentation.report import (
    add_scores,
    by_structure,
    ellipse_baseline,
    ensemble_table,
    network_table,
    pretty,
    reference_circumference_gap,
    results_table,
    sampling_table,
    score_all,
    source_comparison,
    typical_and_worst,
)
from fetal_lib.chapters.biometry_segmentation.robust import robustness_table
from fetal_lib.chapters.biometry_segmentation.source import reenact_source

__all__ = [
    "EXPLAINED",
    "add_scores",
    "attention_gates",
    "biometry_table",
    "by_structure",
    "cam_checks",
    "chosen_networks",
    "ellipse_baseline",
    "ensemble_table",
    "find_data",
    "fingerprint",
    "fit_all",
    "fit_settings",
    "flag_agreement",
    "growth_summary",
    "load_cases",
    "model_card",
    "network_table",
    "pretty",
    "read_cases",
    "reenact_source",
    "references",
    "reference_circumference_gap",
    "results_table",
    "robustness_table",
    "sampling_table",
    "score_all",
    "source_comparison",
    "typical_and_worst",
]
