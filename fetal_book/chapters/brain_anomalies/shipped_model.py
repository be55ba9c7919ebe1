"""Fit the model of brain anomalies that is shipped: a linear layer on what the head finder sees.

The set of sixteen classes has some two hundred distinct pictures, too few for a network. Normal
heads of two more sets join its own, so that *normal* is not the look of one machine; anomalies
come from the one set. Whatever is set (how strongly the layer is held back, the temperature, the
limits) is set on pictures of cases that the layer was not fitted on, and scored on cases that had
no part in that either: folds within folds, no case on two sides.

`shipped_card` fits it, scores it and writes its card.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.plane_pictures import biometry_scans, head_scans
from fetal_book.chapters.brain_anomalies.data import LABELS, load_cases
from fetal_lib.data.images import squash
from fetal_lib.data.splits.folds import k_folds
from fetal_lib.metrics.calibration import fit_temperature, softmax
from fetal_lib.metrics.classification import confusion_matrix, macro_f1
from fetal_lib.metrics.selective import FeatureDistance, abstention_threshold, set_threshold
from fetal_lib.models.head_features import build_head_features
from fetal_lib.models.weights import round_weights
from fetal_lib.predict.anomaly_model import SHIPPED_NETWORK, AnomalyModel, AnomalyModelSpec
from fetal_lib.predict.brain_view import load_head_finder, mirrored
from fetal_lib.readers.image import read_gray
from fetal_lib.training.keras_forward import forward

if TYPE_CHECKING:
    import keras


SET = "fetal_brain_anomalies_16"
SIDE, N_FOLDS, N_INNER, SEED = 96, 5, 5, 0
STRENGTHS = (0.003, 0.03, 0.3)
"""Inverse penalties of the logistic regression that inner folds choose from."""
TARGET, COVERAGE, ACCEPTED = 0.9, 0.9, 0.98


@dataclass(frozen=True)
class Pool:
    """Pictures by what the frozen network sees of them.

    Attributes
    ----------
    features : ndarray, shape (N, 224)
        Means over a picture and its three mirror images, not yet brought to one scale.
    labels : ndarray, shape (N,), int
    cases : ndarray, shape (N,), str
        What stays on one side of a split.
    pictures : ndarray, shape (N,), str
        What was one picture before it was augmented.
    source : ndarray, shape (N,), str
    asked : ndarray, shape (N,), bool
        One image of each distinct picture of the sixteen classes, not augmented where there is one.
    """

    features: np.ndarray
    labels: np.ndarray
    cases: np.ndarray
    pictures: np.ndarray
    source: np.ndarray
    asked: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: np.ndarray) -> Pool:
        """Return the chosen rows."""
        return Pool(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Layer:
    """A fitted layer: what brings features to one scale, and what classifies them."""

    mean: np.ndarray  # (F,)
    spread: np.ndarray  # (F,)
    kernel: np.ndarray  # (F, K); K classes of `LABELS`, those without a case never named
    bias: np.ndarray  # (K,)
    distance: FeatureDistance

    def scaled(self, features: np.ndarray) -> np.ndarray:
        """Return features (N, F) at one scale."""
        return (features - self.mean) / self.spread

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return logits (N, K)."""
        return self.scaled(features) @ self.kernel + self.bias


@dataclass(frozen=True)
class Limits:
    """What inner folds set."""

    strength: float
    temperature: float
    set_threshold: float
    abstain_below: float
    strange_above: float


@dataclass(frozen=True)
class Held:
    """Answers on cases that no part of a model was fitted or set on, in the order of the pool."""

    probs: np.ndarray  # (N, K), calibrated
    answered: np.ndarray  # (N,), bool
    sets: np.ndarray  # (N, K), bool


def frozen_network() -> keras.Model:
    """Return the network with the shipped finder's weights, its own layer not yet fitted."""
    import keras

    network = build_head_features(SIDE, len(LABELS))
    means = network.get_layer("means").output
    down = keras.Model(network.input, means)
    down.set_weights(load_head_finder().network.get_weights()[: len(down.weights)])
    return network


def read_pool(root: Path, network: keras.Model) -> Pool:
    """Read the sixteen classes and the normal heads of HC18 and of the biometry benchmark."""
    import keras

    set16 = load_cases(root / SET, SIDE, "whole")
    table = set16.table
    scans = [scan for scan in head_scans(root) if scan.source == "HC18"]
    scans += [scan for scan in biometry_scans(root / "fetal_biometry_fp") if scan.plane == "head"]
    more = np.stack([squash(read_gray(scan.path), (SIDE, SIDE)) for scan in scans])
    images = np.concatenate([set16.images, more])
    see = keras.Model(network.input, network.get_layer("means").output)
    return Pool(
        np.mean([forward(see, views) for views in mirrored(images, 0)], axis=0),
        np.concatenate([set16.labels, np.zeros(len(scans), int)]),
        np.concatenate([set16.groups, [scan.subject for scan in scans]]).astype(str),
        np.concatenate([table["picture"], [str(scan.path) for scan in scans]]).astype(str),
        np.array([SET] * len(table) + [scan.source for scan in scans]),
        np.append(one_a_picture(table), np.zeros(len(scans), bool)),
    )


def one_a_picture(table: pd.DataFrame) -> np.ndarray:
    """Return which rows stand for their picture, bool (N,): one that was not augmented first."""
    changed = table["image"].str.contains(r"_aug_", flags=re.IGNORECASE)
    order = table.assign(changed=changed, row=range(len(table))).sort_values(["changed", "image"])
    chosen = np.zeros(len(table), bool)
    chosen[order.drop_duplicates("picture")["row"]] = True
    return chosen


def fit_layer(pool: Pool, strength: float) -> Layer:
    """Fit the layer: each picture counts once, and a class by the root of its pictures."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = pool.features.mean(0), pool.features.std(0) + 1e-6
    kinds = np.unique(pool.labels)
    x = (pool.features - mean) / spread
    fitted = LogisticRegression(C=strength, max_iter=500)
    fitted.fit(x, pool.labels, sample_weight=picture_weights(pool.labels, pool.pictures))
    kernel = np.zeros((x.shape[1], len(LABELS)))
    bias = np.full(len(LABELS), fitted.intercept_.min() - 20.0)
    kernel[:, kinds], bias[kinds] = fitted.coef_.T, fitted.intercept_
    return Layer(mean, spread, kernel, bias, FeatureDistance.fit(x, pool.labels))


def picture_weights(labels: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Return the weight of each image, with mean 1.

    >>> picture_weights(np.array([0, 0, 0, 1]), np.array(["a", "a", "b", "c"])).round(3).tolist()
    [0.586, 0.586, 1.172, 1.657]
    """
    _, place, copies = np.unique(pictures, return_inverse=True, return_counts=True)
    weights = 1 / copies[place]
    weights /= np.sqrt(np.bincount(labels, weights))[labels]
    return weights / weights.mean()


def out_of_fold(pool: Pool, strength: float, n_folds: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return logits (N, K) and distances (N,), each by a layer that has not met the case."""
    fold = k_folds(pool.cases, pool.labels, n_folds, seed)
    logits, far = np.zeros((len(pool), len(LABELS))), np.zeros(len(pool))
    for k in range(n_folds):
        layer, held = fit_layer(pool.select(fold != k), strength), pool.features[fold == k]
        logits[fold == k] = layer.logits(held)
        far[fold == k] = layer.distance(layer.scaled(held))
    return logits, far


def set_limits(pool: Pool, seed: int) -> Limits:
    """Choose the strength by macro-F1, then set temperature and limits, on held-out pictures."""
    asked, labels = pool.asked, pool.labels[pool.asked]
    tried = {c: out_of_fold(pool, c, N_INNER, seed) for c in STRENGTHS}

    def score(c: float) -> float:
        pred = tried[c][0][asked].argmax(1)
        return float(macro_f1(confusion_matrix(labels, pred, len(LABELS))))

    strength = max(STRENGTHS, key=score)
    logits, far = tried[strength]
    known = asked & several_cases(pool)  # a class of one case cannot be named out of fold
    temperature = fit_temperature(logits[known], pool.labels[known])
    probs = softmax(logits[asked], temperature)
    return Limits(
        strength,
        temperature,
        set_threshold(probs, labels, COVERAGE),
        abstention_threshold(probs.max(1), probs.argmax(1) == labels, TARGET),
        float(np.quantile(far, ACCEPTED)),
    )


def several_cases(pool: Pool) -> np.ndarray:
    """Return which rows are of a class with two cases or more, bool (N,)."""
    pairs = np.unique(np.column_stack([pool.labels.astype(str), pool.cases]), axis=0)
    return np.bincount(pairs[:, 0].astype(int), minlength=len(LABELS))[pool.labels] > 1


def cross_validate(pool: Pool, seed: int = SEED) -> Held:
    """Answer each picture by a model of which nothing was fitted or set on its case."""
    fold = k_folds(pool.cases, pool.labels, N_FOLDS, seed)
    probs = np.zeros((len(pool), len(LABELS)))
    answered, sets = np.zeros(len(pool), bool), np.zeros(probs.shape, bool)
    for k in range(N_FOLDS):
        train, held = pool.select(fold != k), pool.features[fold == k]
        limits = set_limits(train, seed + 1)
        layer = fit_layer(train, limits.strength)
        probs[fold == k] = found = softmax(layer.logits(held), limits.temperature)
        near = layer.distance(layer.scaled(held)) <= limits.strange_above
        answered[fold == k] = near & (found.max(1) >= limits.abstain_below)
        sets[fold == k] = found >= limits.set_threshold
        sets[np.flatnonzero(fold == k), found.argmax(1)] = True
    return Held(probs, answered, sets)


def final_model(pool: Pool, network: keras.Model) -> AnomalyModel:
    """Fit the layer on all cases, with limits from folds over them."""
    limits = set_limits(pool, SEED + 1)
    layer = fit_layer(pool, limits.strength)
    network.get_layer("features").set_weights([layer.mean, layer.spread**2])
    network.get_layer("logits").set_weights([layer.kernel, layer.bias])
    round_weights(network)
    spec = AnomalyModelSpec(
        SHIPPED_NETWORK, {"side": SIDE}, LABELS, view="whole", mirrors=True,
        temperature=limits.temperature, set_threshold=limits.set_threshold, set_coverage=COVERAGE,
        abstain_below=limits.abstain_below, strange_above=limits.strange_above,
        trained_on=f"{SET}, hc18, fetal_biometry_fp",
    )  # fmt: skip
    return AnomalyModel(network, spec, layer.distance)
