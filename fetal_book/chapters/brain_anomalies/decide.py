"""From logits to answers: temperature, sets and limits, all set on validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.runs.folder import data_name
from fetal_lib.metrics.calibration import brier_score, cross_entropy, ece, fit_temperature, softmax
from fetal_lib.metrics.classification import confusion_matrix, macro_f1
from fetal_lib.metrics.selective import (
    FeatureDistance,
    abstention_threshold,
    prediction_sets,
    set_coverage,
    set_threshold,
)
from fetal_lib.predict.anomaly_model import AnomalyModel, AnomalyModelSpec

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from fetal_book.parameters.brain_anomalies import BrainAnomaliesParameters


@dataclass(frozen=True)
class Scored:
    """A calibrated model and what it says of validation and test part.

    Attributes
    ----------
    model : AnomalyModel
    val_logits, test_logits : ndarray, shape (N, K)
    val_probs, test_probs : ndarray, shape (N, K)
        Calibrated.
    val_distance, test_distance : ndarray, shape (N,)
    """

    model: AnomalyModel
    val_logits: np.ndarray
    test_logits: np.ndarray
    val_probs: np.ndarray
    test_probs: np.ndarray
    val_distance: np.ndarray
    test_distance: np.ndarray


def score_network(
    name: str,
    arguments: dict,
    network: keras.Model,
    cases: Cases,
    parameters: BrainAnomaliesParameters,
) -> Scored:
    """Set a network's temperature and limits on the validation part; apply it to the test part.

    Parameters
    ----------
    name : str
    arguments : dict
        Of the network's builder.
    network : keras.Model
        Trained.
    cases : Cases
        Split.
    parameters : BrainAnomaliesParameters
    """
    p = parameters
    spec = AnomalyModelSpec(
        name, arguments, LABELS, view=p.view, denoise=p.denoise, mirrors=p.augment,
        set_coverage=p.coverage, trained_on=data_name(p.data),
    )  # fmt: skip
    model = AnomalyModel(network, spec)
    train, val, test = (cases.part(part) for part in ("train", "val", "test"))
    distance = FeatureDistance.fit(model.logits_and_features(train.images)[1], train.labels)
    (val_logits, val_far), (test_logits, test_far) = (
        _apply(model, distance, part) for part in (val, test)
    )
    temperature = fit_temperature(val_logits, val.labels)
    probs = softmax(val_logits, temperature)
    right = probs.argmax(1) == val.labels
    spec = replace(
        spec,
        temperature=temperature,
        set_threshold=set_threshold(probs, val.labels, p.coverage),
        abstain_below=abstention_threshold(probs.max(1), right, p.target_accuracy),
        strange_above=float(np.quantile(val_far, p.accepted)),
    )
    return Scored(
        AnomalyModel(network, spec, distance),
        val_logits,
        test_logits,
        probs,
        softmax(test_logits, temperature),
        val_far,
        test_far,
    )


def _apply(
    model: AnomalyModel, distance: FeatureDistance, cases: Cases
) -> tuple[np.ndarray, np.ndarray]:
    logits, features = model.logits_and_features(cases.images)
    return logits, distance(features)


def best_on_validation(scored: Mapping[str, Scored], val: Cases) -> str:
    """Return the name of the network with the highest macro-F1 on validation."""

    def score(name: str) -> float:
        pred = scored[name].val_probs.argmax(1)
        return macro_f1(confusion_matrix(val.labels, pred, len(LABELS)))

    return max(scored, key=score)


def calibration_table(scored: Mapping[str, Scored], test: Cases) -> pd.DataFrame:
    """Return ECE, cross-entropy and Brier score of the test part before and after scaling."""
    import pandas as pd

    rows = []
    for name, s in scored.items():
        for when, t in (("before", 1.0), ("after", s.model.spec.temperature)):
            probs = softmax(s.test_logits, t)
            confidence, right = probs.max(1), probs.argmax(1) == test.labels
            row = {"network": name, "scaling": when, "temperature": t}
            row |= {"ECE": ece(confidence, right)}
            row["ECE, equal bins"] = ece(confidence, right, equal_mass=True)
            row["cross-entropy"] = cross_entropy(s.test_logits, test.labels, t)
            rows.append(row | {"Brier score": brier_score(probs, test.labels)})
    return pd.DataFrame(rows)


def set_table(scored: Scored, test: Cases) -> pd.DataFrame:
    """Return coverage and size of the conformal sets of the test part, for all and by size."""
    import pandas as pd

    sets = prediction_sets(scored.test_probs, scored.model.spec.set_threshold)
    size = sets.sum(1)
    inside = sets[np.arange(len(sets)), test.labels]
    rows = [{"sets": "all", "n": len(sets), "coverage": float(inside.mean())}]
    rows[0]["mean size"] = float(size.mean())
    for k in np.unique(size):
        of = size == k
        rows.append(
            {"sets": f"of {k}", "n": int(of.sum()), "coverage": float(inside[of].mean())}
            | {"mean size": float(k)}
        )
    return pd.DataFrame(rows)


def set_sizes(scored: Scored) -> np.ndarray:
    """Return the number of classes in the set of each test image."""
    return prediction_sets(scored.test_probs, scored.model.spec.set_threshold).sum(1)


def covered(scored: Scored, test: Cases) -> tuple[float, np.ndarray]:
    """Return the coverage of the sets, and for each case whether its set holds the truth."""
    sets = prediction_sets(scored.test_probs, scored.model.spec.set_threshold)
    return set_coverage(sets, test.labels), sets[np.arange(len(sets)), test.labels]


def abstention_table(scored: Scored, val: Cases, test: Cases, target: float) -> pd.DataFrame:
    """Return the share answered and its accuracy, on validation (chosen) and test (measured)."""
    import pandas as pd

    rows = []
    cut = scored.model.spec.abstain_below
    for part, probs, cases in (
        ("val", scored.val_probs, val),
        ("test", scored.test_probs, test),
    ):
        kept, right = probs.max(1) >= cut, probs.argmax(1) == cases.labels
        row = {"part": part, "least confidence": cut, "aim": target}
        row |= {"answered": float(kept.mean()), "n answered": int(kept.sum())}
        row["accuracy of answers"] = float(right[kept].mean()) if kept.any() else np.nan
        row["accuracy of the rest"] = float(right[~kept].mean()) if (~kept).any() else np.nan
        rows.append(row | {"accuracy without abstention": float(right.mean())})
    return pd.DataFrame(rows)
