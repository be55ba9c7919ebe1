"""Chapter 02's three classifiers, cases apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fetal_book.published_size.course import Course, Trained

if TYPE_CHECKING:
    from fetal_book.published_size.piece import PieceRun


def read_anomalies(run: PieceRun, name: str) -> dict[str, Any]:
    """Chapter 02: the views of all images, split by case."""
    from fetal_book.chapters.brain_anomalies import data

    cases = data.split_cases(data.read_views(run, data.find_data(run.parameters)), run.parameters)
    run.data_fingerprint = data.fingerprint(cases)
    return {"cases": cases}


def brain_anomalies(run: PieceRun, name: str, data: dict[str, Any]) -> Course:
    """Chapter 02: cases apart."""
    from fetal_book.chapters.brain_anomalies import decide, fit, scores
    from fetal_lib.training.precision import precision_policy

    cases = data["cases"]
    parts = {part: cases.part(part) for part in ("train", "val", "test")}

    def train() -> Trained:
        p, test = run.parameters, parts["test"]
        arguments = fit.network_arguments(p)[name]
        settings = fit.fit_settings(p, name, cases.aspect)
        done = fit.fit_network(run, name, parts["train"], parts["val"], arguments, settings)
        network = fit.fitted_network(name, arguments, done.folder)
        scored = decide.score_network(name, arguments, network, cases, p)
        told = (test.labels, scored.test_probs, test.groups)
        for row in scores.summarise(*told, name, "test", p.seed):
            run.add_result(**row)
        one = test.images[:1]
        return Trained(network.count_params(), lambda: scored.model.logits_and_features(one))

    policy = precision_policy(run.parameters.precision)
    return Course(len(parts["train"]), policy.removeprefix("mixed_"), train)
