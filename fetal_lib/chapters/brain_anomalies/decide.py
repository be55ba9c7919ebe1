"""From logits to answers: temperature, sets, limits and cut-offs, all set on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.chapters.brain_anomalies.data import LABELS, Cases
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.metrics.calibration import brier_score, cross_entropy, ece, fit_temperature, softmax
from fetal_lib.metrics.classification import confusion_matrix, macro_f1, wilson_interval
from fetal_lib.metrics.roc import auc, recall_threshold, youden_threshold
from fetal_lib.metrics.selective import (
    FeatureDistance,
    abstention_threshold,
    prediction_sets,
    set_coverage,
    set_threshold,
)
from fetal_lib.phantoms.abdomen import make_abdomen
from fetal_lib.predict.anomaly_model import AnomalyModel, AnomalyModelSpec
from fetal_lib.predict.brain_view import load_head_finder, views_of
from fetal_lib.readers.image import read_gray
from fetal_lib.runs.folder import data_name
from fetal_lib.sets.masked_images import squash

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from fetal_lib.parameters.brain_anomalies import BrainAnomaliesParameters

NORMAL = LABELS.index("normal")
SCREENING_RECALL = 0.95
N_STRANGE = 24


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


def cutoff_table(scored: Scored, val: Cases, test: Cases) -> pd.DataFrame:
    """Return sensitivity and specificity of each class at one half and at Youden's cut-off.

    The cut-off is chosen on validation and used on test. A class is left out when
    either part has no case of it.
    """
    import pandas as pd

    rows = []
    for k, name in enumerate(LABELS):
        here, there = val.labels == k, test.labels == k
        if not (0 < here.sum() < len(here) and 0 < there.sum() < len(there)):
            continue
        cut = youden_threshold(here, scored.val_probs[:, k])
        row = {"class": name, "n": int(there.sum()), "cut-off": cut}
        for word, at in (("0.5", 0.5), ("cut-off", cut)):
            found = scored.test_probs[:, k] >= at
            row[f"sensitivity at {word}"] = float(found[there].mean())
            row[f"specificity at {word}"] = float((~found[~there]).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def screening_table(scored: Scored, val: Cases, test: Cases) -> pd.DataFrame:
    """Return what "anything but normal" finds at the cut-off for 95 % recall on validation.

    Returns
    -------
    DataFrame
        ``measure, value, low, high, n``; one row when normal images are absent.
    """
    import pandas as pd

    score = {"val": 1 - scored.val_probs[:, NORMAL], "test": 1 - scored.test_probs[:, NORMAL]}
    truth = {"val": val.labels != NORMAL, "test": test.labels != NORMAL}
    rows = []
    if truth["val"].all() or truth["test"].all():
        return pd.DataFrame([{"measure": "no normal images in validation or test"}])
    cut = recall_threshold(truth["val"], score["val"], SCREENING_RECALL)
    found, ill = score["test"] >= cut, truth["test"]
    for measure, kept, hit in (
        ("sensitivity", ill, found),
        ("specificity", ~ill, ~found),
        ("positive predictive value", found, ill),
    ):
        n, right = int(kept.sum()), int((kept & hit).sum())
        if n:
            low, high = wilson_interval(right, n)
            rows.append({"measure": measure, "value": right / n, "low": low, "high": high, "n": n})
    rows.append({"measure": "area under the ROC curve", "value": auc(ill, score["test"])})
    rows.append({"measure": "cut-off", "value": cut})
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


def strange_scans(test: Cases, seed: int) -> dict[str, list[tuple[np.ndarray, float]]]:
    """Return scans that show no fetal brain, or not as a scanner does, by kind.

    Returns
    -------
    dict of str to list of (ndarray (H, W) uint8, float)
        Scan and pixel size in mm (NaN where it is not known): fetal abdomens (phantoms), test
        scans inverted, cut into tiles and shuffled, and noise.
    """
    rng = np.random.default_rng([seed, 77])
    rows = rng.permutation(len(test))[:N_STRANGE]
    some = [read_gray(test.table["image_path"].iloc[row]) for row in rows]
    known = test.table.get("pixel_size_mm")
    sizes = [float("nan")] * len(rows) if known is None else list(known.iloc[rows])
    bellies = [make_abdomen(50_000 + seed + i) for i in range(len(rows))]
    kinds = {
        "inverted": [255 - scan for scan in some],
        "tiles shuffled": [_shuffled(scan, rng) for scan in some],
        "noise": [rng.integers(0, 256, scan.shape, dtype=np.uint8) for scan in some],
    }
    pairs = {kind: list(zip(scans, sizes, strict=True)) for kind, scans in kinds.items()}
    return {"abdomen": [(one.image, one.pixel_size_mm) for one in bellies]} | pairs


def _views(
    scans: Sequence[tuple[np.ndarray, float]], spec: AnomalyModelSpec
) -> tuple[np.ndarray, tuple[Ellipse | None, ...]]:
    finder = load_head_finder() if spec.view == "head" else None
    pictures, sizes = zip(*scans, strict=True)
    made = views_of(pictures, spec.side, spec.view, finder, pixel_sizes=sizes)
    views, ellipses = zip(*made, strict=True)
    return np.stack(views), ellipses


def _shuffled(image: np.ndarray, rng: np.random.Generator, n: int = 4) -> np.ndarray:
    rows = np.array_split(np.arange(image.shape[0]), n)
    columns = np.array_split(np.arange(image.shape[1]), n)
    size = min(len(r) for r in rows), min(len(c) for c in columns)
    tiles = [image[r[: size[0]]][:, c[: size[1]]] for r in rows for c in columns]
    order = rng.permutation(len(tiles))
    lines = [np.hstack([tiles[k] for k in order[i : i + n]]) for i in range(0, n * n, n)]
    return squash(np.vstack(lines), image.shape)


def strangeness(
    scored: Scored, kinds: Mapping[str, Sequence[tuple[np.ndarray, float]]], test: Cases
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return feature distances of strange images, and how well they are told from the test part.

    Returns
    -------
    distances : dict of str to ndarray
        With the test part first.
    table : DataFrame
        ``images, n, too far, head found``, and the area under the ROC curve against the
        test part, of the feature distance and of one minus the confidence.
    """
    import pandas as pd

    model, limit = scored.model, scored.model.spec.strange_above
    distances = {"test part": scored.test_distance}
    sure = {"test part": scored.test_probs.max(1)}
    rows = []
    heads = {"test part": test.found.mean()}
    for kind, scans in kinds.items():
        images, ellipses = _views(scans, model.spec)
        heads[kind] = np.mean([ellipse is not None for ellipse in ellipses])
        logits, features = model.logits_and_features(images)
        distances[kind] = model.distance(features)
        sure[kind] = softmax(logits, model.spec.temperature).max(1)
    for kind, far in distances.items():
        row = {"images": kind, "n": len(far), "too far": float((far > limit).mean())}
        row |= {"head found": heads[kind]} if model.spec.view == "head" else {}
        if kind != "test part":
            strange = np.repeat([False, True], [len(distances["test part"]), len(far)])
            row["AUC of distance"] = auc(strange, np.append(distances["test part"], far))
            row["AUC of low confidence"] = auc(strange, -np.append(sure["test part"], sure[kind]))
        rows.append(row)
    return distances, pd.DataFrame(rows)
