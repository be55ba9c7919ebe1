"""The steps of chapter 04, head circumference; its notebook calls them in order."""

from fetal_book.chapters.example_cases import typical_and_worst
from fetal_book.chapters.head_circumference.data import (
    find_bright_ellipses,
    find_data,
    fingerprint,
    known_ages,
    pixel_statistics,
    select,
)
from fetal_book.chapters.head_circumference.external import published_table, score_external
from fetal_book.chapters.head_circumference.fit import (
    calibrated_model,
    fit_settings,
    fit_unet,
    layer_shapes,
    model_card,
)
from fetal_book.chapters.head_circumference.report import (
    PLAIN_NAMES,
    by_trimester,
    coverage_interval,
    errors_by_trimester,
    found_heads,
    occlusion_checks,
    pretty,
    ranking,
    results_table,
)
from fetal_book.chapters.head_circumference.source import (
    add_accuracies,
    reenact_source,
    second_experiment,
    vgg_features,
)
from fetal_book.chapters.head_circumference.words import coverage_text, occlusion_verdict
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.training.keras_checkpoint import read_history

__all__ = [
    "PLAIN_NAMES",
    "add_accuracies",
    "by_trimester",
    "calibrated_model",
    "coverage_interval",
    "coverage_text",
    "errors_by_trimester",
    "evenly_spaced",
    "find_bright_ellipses",
    "find_data",
    "fingerprint",
    "fit_settings",
    "fit_unet",
    "found_heads",
    "known_ages",
    "layer_shapes",
    "model_card",
    "occlusion_checks",
    "occlusion_verdict",
    "pixel_statistics",
    "pretty",
    "published_table",
    "ranking",
    "read_history",
    "reenact_source",
    "results_table",
    "score_external",
    "second_experiment",
    "select",
    "typical_and_worst",
    "vgg_features",
]
