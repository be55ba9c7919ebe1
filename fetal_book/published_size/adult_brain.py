"""Chapter 05's ResUNet and ResNeXt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_book.published_size.course import Course, Trained

if TYPE_CHECKING:
    from fetal_book.published_size.piece import PieceRun


def read_adults(run: PieceRun, name: str) -> dict[str, Any]:
    """Chapter 05: what the mixture makes of all scans that pass its checks."""
    from fetal_book.chapters.brain_age import data
    from fetal_book.chapters.brain_age.tissues import segment_all
    from fetal_lib.data.layouts.adult_mri import read_cases

    folder = data.find_data(run.parameters)
    run.fingerprint_folder(folder)
    everyone = read_cases(folder).rows
    made = segment_all(run, everyone)
    used = (made.table["reasons"] == "").to_numpy()
    return {"tissues": made.select(used), "table": everyone[used].reset_index(drop=True)}


def brain_age(run: PieceRun, name: str, data: dict[str, Any]) -> Course:
    """Chapter 05: the segmenter on subjects set aside, the ResNeXt on the first outer fold."""
    from fetal_book.chapters.brain_age.data import split_subjects

    parts = split_subjects(data["table"], run.parameters)
    known = (run, name, data["table"], data["tissues"], parts)
    if name == "res_unet":
        return Course(int(parts.teaches.sum()), "float32", lambda: _tissues(*known))
    return Course(len(parts.folds[0].inner[0][0]), "float32", lambda: _ages(*known))


def _tissues(run: PieceRun, name: str, table, tissues, parts) -> Trained:
    from functools import partial

    from fetal_book.chapters.brain_age import lessons, report, segmenter

    p, model = run.parameters, segmenter.TAUGHT_BY_REFERENCE
    rows = np.flatnonzero(parts.teaches)
    lesson = partial(lessons.reference_lesson, table, tissues, rows, p)
    known = {"subjects": table["subject"].iloc[rows].tolist(), "data": run.data_fingerprint}
    fitted = segmenter.fit_segmenter(run, model, lesson, known)
    found = segmenter.apply_segmenters(run, {model: fitted}, table, tissues, parts, ())
    report.add_dice(run, found.dice, parts)
    values, _ = next(lessons.segmenter_scans(table, p, tissues.brightness))
    n = sum(q.numel() for q in fitted[0].parameters())
    return Trained(n, lambda: segmenter.segment(fitted[0], values))


def _ages(run: PieceRun, name: str, table, tissues, parts) -> Trained:
    from fetal_book.chapters.age_scores import age_rows
    from fetal_book.chapters.brain_age import networks

    p, fold = run.parameters, parts.folds[0]
    age = table["age_years"].to_numpy(float)
    predict, _, _ = networks.fit_one(run, name, tissues.images, age, *fold.inner[0])
    told, persons = predict(tissues.images[fold.test]), parts.person[fold.test]
    for row in age_rows(age[fold.test], told, "years", name, "test", persons, p.seed):
        run.add_result(**row)
    n = sum(q.numel() for q in networks.new_network(name, p).parameters())
    return Trained(n, lambda: predict(tissues.images[fold.test[:1]]))
