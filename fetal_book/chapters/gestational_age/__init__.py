"""The steps of chapter 01, gestational age; its notebook calls them in order."""

from fetal_book.chapters.gestational_age.baselines import (
    BASELINES,
    against_baselines,
    baseline_answers,
)
from fetal_book.chapters.gestational_age.data import (
    age_group,
    cut_planes,
    describe,
    find_data,
    fingerprint,
    network_name,
    plane_names,
    shared_fetuses,
)
from fetal_book.chapters.gestational_age.external import (
    predict_external,
    predicted_text,
    score_external,
)
from fetal_book.chapters.gestational_age.fit import (
    answers,
    depth_table,
    fit_fold,
    layer_shapes,
    make_folds,
    new_network,
)
from fetal_book.chapters.gestational_age.leak import (
    PUBLISHED,
    add_inflation,
    inflation,
    inflation_text,
    leak_rows,
    leak_table,
    reenact_leak,
)
from fetal_book.chapters.gestational_age.maps import (
    checks_table,
    deletion,
    explain,
    gate_text,
    overlap_table,
)
from fetal_book.chapters.gestational_age.report import (
    ablation,
    calibration_text,
    data_sets,
    outside_text,
    ranking,
    results_table,
    trimester_table,
)
from fetal_book.chapters.gestational_age.save import save_model
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.explain.deletion_verdict import deletion_verdict
from fetal_lib.sets.fetal_mri import read_cases

__all__ = [
    "BASELINES",
    "PUBLISHED",
    "ablation",
    "against_baselines",
    "age_group",
    "answers",
    "baseline_answers",
    "calibration_text",
    "checks_table",
    "cut_planes",
    "data_sets",
    "deletion",
    "deletion_verdict",
    "depth_table",
    "describe",
    "evenly_spaced",
    "explain",
    "find_data",
    "fingerprint",
    "fit_fold",
    "gate_text",
    "add_inflation",
    "inflation",
    "inflation_text",
    "layer_shapes",
    "leak_rows",
    "leak_table",
    "make_folds",
    "network_name",
    "new_network",
    "outside_text",
    "overlap_table",
    "plane_names",
    "predict_external",
    "predicted_text",
    "ranking",
    "read_cases",
    "reenact_leak",
    "results_table",
    "save_model",
    "score_external",
    "shared_fetuses",
    "trimester_table",
]
