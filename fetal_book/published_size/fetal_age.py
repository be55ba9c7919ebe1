"""Chapter 01's VGG16 with a gate, on the first of its outer folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fetal_book.published_size.course import Course, Trained

if TYPE_CHECKING:
    from fetal_book.published_size.piece import PieceRun


def read_fetuses(run: PieceRun, name: str) -> dict[str, Any]:
    """Chapter 01: the slices of all fetuses."""
    from fetal_book.chapters.gestational_age import data
    from fetal_lib.data.layouts.fetal_mri import read_cases

    brains = data.cut_planes(read_cases(data.find_data(run.parameters)), run.parameters)
    run.data_fingerprint = data.fingerprint(brains)
    return {"brains": brains}


def gestational_age(run: PieceRun, name: str, data: dict[str, Any]) -> Course:
    """Chapter 01: the first of its outer folds, by fetus."""
    from fetal_book.chapters.age_scores import age_rows
    from fetal_book.chapters.gestational_age import fit, scores
    from fetal_lib.training.keras_regression import predict_values

    p, brains = run.parameters, data["brains"]
    fold = fit.make_folds(brains, p)[0]

    def train() -> Trained:
        one = fit.fit_fold(run, brains, fold)
        held = fit.answers(brains, [one])
        told = scores.per_fetus(
            *(held[column].to_numpy() for column in ("subject", "ga_days", "pred_days"))
        )
        who = held.drop_duplicates("subject").set_index("subject")["group"]
        days, pred = told["ga_days"].to_numpy(), told["pred_days"].to_numpy()
        groups = told["subject"].map(who).to_numpy()
        for row in age_rows(days, pred, "days", name, "test", groups, p.seed):
            run.add_result(**row)
        asked = (one.network, brains.images[fold.test[:1]])
        scale = (one.settings.centre, one.settings.scale)
        return Trained(one.network.count_params(), lambda: predict_values(*asked, *scale))

    return Course(len(fold.inner[0][0]), "float32", train)
