"""The steps of chapter 05, brain age; its notebook calls them in order."""

from fetal_book.chapters.brain_age.data import (
    describe_subjects,
    find_data,
    find_teachers,
    leak_audit,
    split_subjects,
)
from fetal_book.chapters.brain_age.explain import SHARES, explain_network, explanation_text
from fetal_book.chapters.brain_age.models import (
    contrast_features,
    ensemble,
    explain_age_network,
    fit_age_networks,
    fit_segmenters,
    map_models,
    parameter_table,
    volume_models,
)
from fetal_book.chapters.brain_age.report import (
    REFERENCE_MODELS,
    add_ages,
    add_dice,
    add_reference_dice,
    dice_groups,
    gap_table,
    gap_variants,
    intervals,
    last_mae,
    paired_text,
    plain,
    pretty,
    promise_kept,
    ranking,
    results_table,
    turned,
)
from fetal_book.chapters.brain_age.save import save_age_model
from fetal_book.chapters.brain_age.segmenter import apply_segmenters
from fetal_book.chapters.brain_age.source import (
    best_of_many,
    best_on_test,
    picked_on_test,
    source_design,
    training_set_error,
)
from fetal_book.chapters.brain_age.tissues import grid_affine, on_grid, read_labels, segment_all
from fetal_book.chapters.brain_age.truth import find_truth
from fetal_book.chapters.brain_age.volumes import (
    absolute_volumes,
    covariates,
    propagate_segmentation,
    relative_volumes,
)
from fetal_book.chapters.brain_age.walk import preprocessing_steps
from fetal_lib.data.spread import evenly_spaced

__all__ = [
    "REFERENCE_MODELS",
    "SHARES",
    "absolute_volumes",
    "add_ages",
    "add_dice",
    "add_reference_dice",
    "apply_segmenters",
    "best_of_many",
    "best_on_test",
    "contrast_features",
    "covariates",
    "describe_subjects",
    "dice_groups",
    "ensemble",
    "explain_age_network",
    "evenly_spaced",
    "explain_network",
    "explanation_text",
    "find_data",
    "find_teachers",
    "find_truth",
    "fit_age_networks",
    "fit_segmenters",
    "gap_table",
    "gap_variants",
    "grid_affine",
    "intervals",
    "last_mae",
    "leak_audit",
    "map_models",
    "on_grid",
    "paired_text",
    "parameter_table",
    "picked_on_test",
    "plain",
    "preprocessing_steps",
    "pretty",
    "promise_kept",
    "propagate_segmentation",
    "ranking",
    "read_labels",
    "relative_volumes",
    "results_table",
    "save_age_model",
    "segment_all",
    "source_design",
    "split_subjects",
    "training_set_error",
    "turned",
    "volume_models",
]
