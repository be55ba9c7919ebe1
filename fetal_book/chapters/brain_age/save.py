"""Turn the chapter's classical models into one that `fetal-lib predict brain-age` applies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.report import add_ages, intervals
from fetal_book.chapters.brain_age.resampled import (
    WAYS,
    as_they_came,
    features_of_all,
    judge_all,
)
from fetal_book.chapters.brain_age.scores import by_decade
from fetal_book.chapters.brain_age.tissues import Tissues
from fetal_book.chapters.model_card import model_card
from fetal_book.runs.session import Run
from fetal_lib.baselines.age_regression import NestedPrediction
from fetal_lib.baselines.cosine_ridge import fit_cosine_ridge
from fetal_lib.metrics.intervals import conformal_quantile
from fetal_lib.predict.age_model import NORM_TISSUES, AgeModel, AgeModelSpec
from fetal_lib.predict.self_test import Sample, save_sample

NAME = "predict_model"
SAMPLE_AGE, SAMPLE_MM = 60.0, 4.0
"""Of the phantom that the model carries for its self-test."""
TOLERANCE = 0.5
"""Years by which another installation may differ on it."""


def save_age_model(
    run: Run, age_years: np.ndarray, tissues: Tissues, parts: Parts
) -> NestedPrediction:
    """Judge the model on the outer folds, fit it to all subjects, and write it to ``model/``.

    Its interval is the quantile of the errors on the outer folds; no subject was in the training
    part of the fold that tested them, but the model that is written has seen all. It learns from
    scans in all of `WAYS`; its interval is of scans as they came.
    """
    from threadpoolctl import threadpool_limits

    p, features = run.parameters, features_of_all(tissues)
    with threadpool_limits(1):
        judged = as_they_came(judge_all(features, age_years, parts, p.seed))
        add_ages(run, age_years, parts, NAME, judged.outer)
        intervals(run, age_years, judged, parts, NAME)
        if p.save_model:
            model = _fit_all(run, age_years, features, tissues, parts, judged)
            card = _card(run, model.spec, age_years, judged, parts)
            add_sample(model.save(run.folder / "model", card), model)
    return judged


def _fit_all(
    run: Run,
    age_years: np.ndarray,
    features: np.ndarray,
    tissues: Tissues,
    parts: Parts,
    judged: NestedPrediction,
) -> AgeModel:
    """Fit to all subjects, with the middle of the folds' penalties and the mean of their curves."""
    p, kept = run.parameters, parts.tested
    alpha = float(np.median([chosen["alpha"] for chosen in judged.chosen]))
    ends = np.concatenate([chosen["curve"][0] for chosen in judged.chosen])
    grid = np.arange(ends.min(), ends.max() + 1)
    curve = np.mean([np.interp(grid, *chosen["curve"]) for chosen in judged.chosen], axis=0)
    ages = np.tile(age_years, len(WAYS))
    ridge = fit_cosine_ridge(features, ages, alpha, np.stack([grid, curve]), p.seed)
    spec = AgeModelSpec(
        half_width_years=conformal_quantile(np.abs(judged.outer - age_years)[kept], p.coverage),
        interval_coverage=p.coverage,
        age_range=(float(age_years.min()), float(age_years.max())),
        norms=_norms(age_years, tissues.volumes_ml),
        trained_on=run.data_name,
    )
    return AgeModel(spec, ridge)


def add_sample(folder: Path, model: AgeModel) -> None:
    """Put a phantom beside a model's weights, and the age that the model gives for it."""
    import nibabel

    from fetal_lib.predict.brain_age import read_age
    from fetal_phantoms.adult_brain.brain import make_adult_brain

    brain = make_adult_brain(1, SAMPLE_AGE, spacing_mm=SAMPLE_MM, space="mni")
    source = f"a phantom of {SAMPLE_AGE:.0f} years"
    sample = Sample("phantom_T1w.nii.gz", 0.0, TOLERANCE, "years", source)
    path = save_sample(folder, sample) / sample.file
    values = np.rint(brain.t1 * (255 / brain.t1.max())).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(values, brain.affine), path)
    reading = read_age(path, model)
    if reading.reason:  # a model of a wiring test may decline any scan
        path.unlink()
        (path.parent / "expected.json").unlink()
        path.parent.rmdir()
        return
    save_sample(folder, replace(sample, expected=round(reading.age_years, 3)))


def _norms(age_years: np.ndarray, volumes_ml: np.ndarray) -> dict[str, tuple]:
    shares = volumes_ml / volumes_ml.sum(axis=1, keepdims=True)
    norms = {}
    for k, name in enumerate(NORM_TISSUES):
        c, b, a = np.polyfit(age_years, shares[:, k], 2)
        sd = (shares[:, k] - (a + b * age_years + c * age_years**2)).std(ddof=3)
        norms[name] = (float(a), float(b), float(c), float(sd))
    return norms


def _card(
    run: Run, spec: AgeModelSpec, age_years: np.ndarray, judged: NestedPrediction, parts: Parts
) -> str:
    low, high = spec.age_range
    oasis = "oasis" in spec.trained_on.lower()
    licence = "OASIS data use agreement, Marcus et al. 2007" if oasis else "see the data"
    kept = parts.tested
    decades = by_decade(
        age_years[kept], judged.outer[kept], parts.person[kept], run.parameters.seed
    )
    gap = float((judged.outer[kept] - age_years[kept]).mean())
    lines = [
        f"| {row.decade} | {row.n} | {row[3]:.1f} ({row[4]:.1f} to {row[5]:.1f}) | {row[6]:+.1f} |"
        for row in decades.itertuples()
    ]
    table = ["| ages | n | MAE in years (95 % interval) | mean gap in years |", "|---|---|---|---|"]
    return model_card(
        run,
        NAME,
        "Brain age from tissue maps",
        f"`{spec.trained_on}` (licence of the data: {licence})",
        f"; {len(age_years)} scans, ages {low:.0f} to {high:.0f} years. Input: a skull-stripped T1 "
        "scan; one that is not in MNI space is registered to it. It learnt from each scan three "
        "times: as it came, interpolated once more, and turned, moved and registered here. "
        "Weights only: no scan of a subject is in the files.",
        [
            f"Interval: ± {spec.half_width_years:.1f} years, from the errors on the outer folds, "
            f"for {spec.interval_coverage:.0%} coverage on people like these.",
            f"Mean gap (predicted minus true age) on the outer folds: {gap:+.2f} years.",
            "\n".join([*table, *lines]),
            "Predictions are pulled to the middle of the training ages: the age of the young is "
            "overestimated, that of the old underestimated.",
        ],
        "Not for people with disease: none was in the training set. One scanner and one city: "
        "other scanners were not tested. Children, infants and T2 scans are not for it.",
        "the outer folds",
    )
