"""From logits to answers: temperature, sets and limits, all set on validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.runs.folder import data_name
from fetal_lib.metrics.calibration import brier_score, cross_entropy, ece, fit_temperature, softmax
from fetal_lib.metrics.classification import confusion_matrix, macro_f1
from fetal_lib.metrics.selective import (
    FeatureDistance,
    abstention_threshold,
    prediction_sets,
    set_threshold,
)
from fetal_lib.predict.anomaly_model import AnomalyModel, AnomalyModelSpec

if TYPE_CHECKING:
    import keras

    from fetal_book.parameters.brain_anomalies import BrainAnomaliesParameters


@dataclass(frozen=True)
class Scored:
    """A calibrated model and what it says of validation and test part."""

    model: AnomalyModel
    test_logits: np.ndarray  # (N, K)
    val_probs: np.ndarray  # (N, K), calibrated
    test_probs: np.ndarray  # (N, K), calibrated
    test_distance: np.ndarray  # (N,)


def score_network(
    name: str,
    arguments: dict,
    network: keras.Model,
    cases: Cases,
    parameters: BrainAnomaliesParameters,
) -> Scored:
    """Set a network's temperature and limits on the validation part; apply it to the test part."""
    p = parameters
    spec = AnomalyModelSpec(
        name, arguments, LABELS, view=p.view, denoise=p.denoise, mirrors=p.augment,
        set_coverage=p.coverage, trained_on=data_name(p.data),
    )  # fmt: skip
    model = AnomalyModel(network, spec)
    train, val, test = (cases.part(part) for part in ("train", "val", "test"))
    distance = FeatureDistance.fit(model.logits_and_features(train.images)[1], train.labels)
    val_logits, val_features = model.logits_and_features(val.images)
    test_logits, test_features = model.logits_and_features(test.images)
    temperature = fit_temperature(val_logits, val.labels)
    probs = softmax(val_logits, temperature)
    right = probs.argmax(1) == val.labels
    spec = replace(
        spec,
        temperature=temperature,
        set_threshold=set_threshold(probs, val.labels, p.coverage),
        abstain_below=abstention_threshold(probs.max(1), right, p.target_accuracy),
        strange_above=float(np.quantile(distance(val_features), p.accepted)),
    )
    return Scored(
        model=AnomalyModel(network, spec, distance),
        test_logits=test_logits,
        val_probs=probs,
        test_probs=softmax(test_logits, temperature),
        test_distance=distance(test_features),
    )


def best_on_validation(scored: Mapping[str, Scored], val: Cases) -> str:
    """Return the name of the network with the highest macro-F1 on validation."""

    def score(name: str) -> float:
        pred = scored[name].val_probs.argmax(1)
        return macro_f1(confusion_matrix(val.labels, pred, len(LABELS)))

    return max(scored, key=score)


def calibration_table(scored: Mapping[str, Scored], test: Cases) -> pd.DataFrame:
    """Return ECE, cross-entropy and Brier score of the test part before and after scaling."""
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


def sets_of(scored: Scored, test: Cases) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of each test image's conformal set, and whether it holds the truth."""
    sets = prediction_sets(scored.test_probs, scored.model.spec.set_threshold)
    return sets.sum(1), sets[np.arange(len(sets)), test.labels]


def set_table(size: np.ndarray, inside: np.ndarray) -> pd.DataFrame:
    """Return coverage and size of the conformal sets of the test part, for all and by size."""
    chosen = {"all": np.ones(len(size), bool)} | {f"of {k}": size == k for k in np.unique(size)}
    rows = [
        {"sets": name, "n": int(of.sum()), "coverage": float(inside[of].mean())}
        | {"mean size": float(size[of].mean())}
        for name, of in chosen.items()
    ]
    return pd.DataFrame(rows)


def abstention_table(scored: Scored, val: Cases, test: Cases, target: float) -> pd.DataFrame:
    """Return the share answered and its accuracy, on validation (chosen) and test (measured)."""
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
