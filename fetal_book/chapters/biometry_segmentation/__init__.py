"""The steps of chapter 03, segmentation and biometry; its notebook calls them in order."""

from fetal_book.chapters.biometry_segmentation.budget import (
    add_costs,
    dice_intervals,
    network_table,
    training_table,
)
from fetal_book.chapters.biometry_segmentation.data import (
    find_data,
    fingerprint,
    load_cases,
    read_cases,
    references,
)
from fetal_book.chapters.biometry_segmentation.ensembles import (
    N_SAMPLED,
    ensemble_table,
    sampling_table,
    sampling_verdict,
)
from fetal_book.chapters.biometry_segmentation.explain import (
    N_EXPLAINED,
    attention_gates,
    cam_checks,
    curve_means,
)
from fetal_book.chapters.biometry_segmentation.fit import (
    chosen_networks,
    fit_all,
    fit_settings,
    model_card,
)
from fetal_book.chapters.biometry_segmentation.growth import (
    biometry_table,
    flag_agreement,
    growth_summary,
)
from fetal_book.chapters.biometry_segmentation.report import (
    TITLES,
    add_scores,
    by_structure,
    choose_best,
    ellipse_baseline,
    interval_text,
    pretty,
    reference_circumference_gap,
    results_table,
    score_all,
    shown_tests,
    source_comparison,
)
from fetal_book.chapters.biometry_segmentation.robust import largest_losses, robustness_table
from fetal_book.chapters.biometry_segmentation.source import reenact_source
from fetal_book.chapters.biometry_segmentation.words import (
    cam_verdict,
    choice_text,
    data_text,
    weights_text,
)
from fetal_book.chapters.example_cases import typical_and_worst
from fetal_lib.data.spread import evenly_spaced

__all__ = [
    "N_EXPLAINED",
    "N_SAMPLED",
    "TITLES",
    "add_costs",
    "add_scores",
    "attention_gates",
    "biometry_table",
    "by_structure",
    "cam_checks",
    "cam_verdict",
    "choice_text",
    "choose_best",
    "chosen_networks",
    "curve_means",
    "data_text",
    "dice_intervals",
    "ellipse_baseline",
    "ensemble_table",
    "evenly_spaced",
    "find_data",
    "fingerprint",
    "fit_all",
    "fit_settings",
    "flag_agreement",
    "growth_summary",
    "interval_text",
    "largest_losses",
    "load_cases",
    "model_card",
    "network_table",
    "pretty",
    "read_cases",
    "reenact_source",
    "reference_circumference_gap",
    "references",
    "results_table",
    "robustness_table",
    "sampling_table",
    "sampling_verdict",
    "score_all",
    "shown_tests",
    "source_comparison",
    "training_table",
    "typical_and_worst",
    "weights_text",
]
