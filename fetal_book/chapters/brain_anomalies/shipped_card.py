"""Fit the shipped model of brain anomalies, score it on cases not met, and write its card.

``python -m fetal_book.chapters.brain_anomalies.shipped_card DATA_FOLDER NEW_FOLDER``
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from fetal_book.chapters.brain_anomalies.data import LABELS, pretty_label
from fetal_book.chapters.brain_anomalies.scores import summarise
from fetal_book.chapters.brain_anomalies.shipped_model import (
    SET,
    TARGET,
    Held,
    Pool,
    cross_validate,
    final_model,
    frozen_network,
    read_pool,
)
from fetal_lib.metrics.intervals import bootstrap_ci, interval_words
from fetal_lib.metrics.roc import class_aucs
from fetal_lib.predict.anomaly_model import AnomalyModelSpec

NORMAL = LABELS.index("normal")
SPECIFICITY = 0.95
WORDS = {
    "accuracy": "right class, of all",
    "macro_f1": "macro-F1",
    "auc_macro": "area under the ROC curve, mean over classes",
    "ece": "calibration error",
}


def write_card(pool: Pool, held: Held, spec: AnomalyModelSpec) -> str:
    """Return the model card, Markdown; each number is of held-out cases."""
    asked = pool.asked
    labels, cases, probs = pool.labels[asked], pool.cases[asked], held.probs[asked]
    return "\n".join(
        [
            "# Sixteen classes of fetal brain on ultrasound, from some two hundred pictures",
            "",
            "A logistic regression on what the shipped head finder sees of a scan squashed to "
            f"{spec.side} x {spec.side}, means over four mirror images, by `python -m "
            "fetal_book.chapters.brain_anomalies.shipped_card`. It learnt from "
            f"{SET} (CC BY 4.0 as declared; origin of the anomalies unknown): "
            f"{int(asked.sum())} distinct pictures of {len(set(cases))} cases, each in several "
            "augmented copies, and, so that normal is not the look of one machine, from normal "
            f"heads of {_others(pool)}, CC BY 4.0.",
            "",
            "**It seldom knows an anomaly.** What it answers is nearly always *normal*, and normal "
            "pictures and anomalies come from different machines and hospitals, so that it may "
            "know the machine and not the brain. *Normal* means: like the normal pictures of three "
            "sets; it excludes nothing. The number of pictures allows no more.",
            "",
            "Scores are of cases that nothing was fitted or set on (five folds over cases, five "
            "more within each), one picture each, with 95 % intervals over cases.",
            "",
            "| held-out cases | score | n |",
            "|---|---|---|",
            *_scores(labels, probs, cases),
            *_answers(labels, probs, cases, held.answered[asked], held.sets[asked]),
            *_elsewhere(pool, held),
            "",
            f"It answers from a confidence of {spec.abstain_below:.3f} on (set so that "
            f"{TARGET:.0%} of answers are right) and up to a feature distance of "
            f"{spec.strange_above:.0f}; temperature {spec.temperature:.3f}. Anomalies against each "
            "other, all of one source, so that no machine helps: area under the ROC curve, and "
            f"sensitivity at a specificity of {SPECIFICITY:.0%}, for classes of two cases or more:",
            "",
            "| class | pictures | cases | images | named right | AUC | sensitivity |",
            "|---|---|---|---|---|---|---|",
            *_classes(pool, labels, probs, cases),
            "",
            "Classes of one case are never named on that case, and their scores say so. Some "
            "pictures stand in the set under two classes. Ventriculomegaly is graded in mm, which "
            "a scan without a scale does not show. Research and teaching only, not for clinical "
            "use.",
            "",
        ]
    )


def _others(pool: Pool) -> str:
    more = pool.source[pool.source != SET]
    counts = {name: int((more == name).sum()) for name in np.unique(more)}
    return " and ".join(f"{name} ({n} pictures)" for name, n in counts.items())


def _line(what: str, value: float, ci95: tuple[float, float] | None, n: int) -> str:
    known = ci95 is not None and np.isfinite(ci95).all()
    interval = f" ({interval_words(*ci95, 3)})" if known else ""
    return f"| {what} | {value:.3f}{interval} | {n} |"


def _share(what: str, hits: np.ndarray, cases: np.ndarray) -> str:
    if not len(hits):
        return f"| {what} | – | 0 |"
    several = len(set(cases)) > 1
    ci95 = bootstrap_ci(hits.astype(float), groups=cases) if several else None
    return _line(what, float(hits.mean()), ci95, len(hits))


def _scores(labels: np.ndarray, probs: np.ndarray, cases: np.ndarray) -> Iterator[str]:
    several = np.array([len(set(cases[labels == k])) > 1 for k in range(len(LABELS))])
    for words, kept in (("", np.ones(len(labels), bool)), (", classes of two cases or more",
                                                           several[labels])):  # fmt: skip
        for row in summarise(labels[kept], probs[kept], cases[kept], ""):
            if row["metric"] in WORDS:
                yield _line(WORDS[row["metric"]] + words, row["value"], row["ci95"], row["n"])
    ill = labels != NORMAL
    right = probs.argmax(1) == labels
    yield _share("right class, of anomalies", right[ill], cases[ill])


def _answers(
    labels: np.ndarray, probs: np.ndarray, cases: np.ndarray, kept: np.ndarray, sets: np.ndarray
) -> Iterator[str]:
    pred, ill = probs.argmax(1), labels != NORMAL
    yield _share("share answered", kept, cases)
    yield _share("right, of what is answered", (pred == labels)[kept], cases[kept])
    yield _share("share answered, of anomalies", kept[ill], cases[ill])
    called = kept & (pred == NORMAL)
    yield _share("anomalies answered as normal", called[ill], cases[ill])
    named = kept & (pred != NORMAL)
    yield _share("right, of answers that name an anomaly", (pred == labels)[named], cases[named])
    inside = sets[np.arange(len(labels)), labels]
    yield _share("true class in the set", inside, cases)
    yield f"| classes in the set, mean | {sets.sum(1).mean():.1f} | {len(sets)} |"


def _elsewhere(pool: Pool, held: Held) -> Iterator[str]:
    for name in np.unique(pool.source[pool.source != SET]):
        at = pool.source == name
        called, kept = held.probs[at].argmax(1) == NORMAL, held.answered[at]
        yield _share(f"normal heads of {name}: share answered", kept, pool.cases[at])
        yield _share(
            f"normal heads of {name}: answered as normal, of answers",
            called[kept],
            pool.cases[at][kept],
        )


def _classes(pool: Pool, labels: np.ndarray, probs: np.ndarray, cases: np.ndarray) -> Iterator[str]:
    own = pool.source == SET
    ill = labels != NORMAL
    areas = class_aucs(labels[ill], probs[ill])
    for k, name in enumerate(LABELS):
        of = labels == k
        recall = float((probs[of].argmax(1) == k).mean())
        n_cases = len(set(cases[of]))
        within = "| – | –"
        if k != NORMAL and n_cases > 1:
            within = f"| {areas[k]:.2f} | {_sensitivity(of[ill], probs[ill, k]):.2f}"
        images = int((own & (pool.labels == k)).sum())
        yield (
            f"| {pretty_label(name)} | {int(of.sum())} | {n_cases} | {images} | {recall:.2f} "
            f"{within} |"
        )


def _sensitivity(positive: np.ndarray, score: np.ndarray) -> float:
    """Return the recall at which the asked share of the others is below the cut-off."""
    return float((score[positive] > np.quantile(score[~positive], SPECIFICITY)).mean())


def main(
    root: Annotated[Path, typer.Argument(help="Folder of the three data sets.")],
    folder: Annotated[Path, typer.Argument(help="New folder of the model.")],
) -> None:
    """Fit and score the shipped model of brain anomalies; some minutes on two cores."""
    network = frozen_network()
    pool = read_pool(root, network)
    held = cross_validate(pool)
    model = final_model(pool, network)
    model.save(folder, write_card(pool, held, model.spec))


if __name__ == "__main__":
    typer.run(main)
