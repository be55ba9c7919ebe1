"""What some two hundred pictures allow: linear layers on frozen features, tested on unseen cases.

Each distinct picture counts once, whatever the number of its augmented copies. Folds keep cases
whole, and are drawn several times; strengths, and the candidate that is used, are chosen on folds
within the training cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.few_layers import LAYERS
from fetal_book.chapters.brain_anomalies.shipped_model import one_a_picture
from fetal_lib.baselines.anomaly_features import edge_features
from fetal_lib.data.splits.folds import k_folds
from fetal_lib.metrics.classification import confusion_matrix, macro_f1
from fetal_lib.predict.brain_view import load_head_finder, mirrored, ruler_rows
from fetal_lib.predict.plane import PlaneRecogniser
from fetal_lib.training.keras_forward import forward

N_FOLDS, N_INNER = 5, 4
STRENGTHS = (0.003, 0.03, 0.3)
"""Inverse penalties that inner folds choose from."""
XCEPTION = {"width": 0.25, "n_middle": 1}
"""Of the network that learnt to measure phantoms."""


@dataclass(frozen=True)
class Pictures:
    """Distinct pictures, as frozen networks see them.

    Attributes
    ----------
    trained : mapping of name to ndarray (P, F)
        Mean over the copies of a picture: what a layer is fitted on.
    asked : mapping of name to ndarray (P, F)
        The picture itself: what it is asked.
    labels : ndarray, shape (P,), int
    names : ndarray, shape (P, K), bool
        All classes under which the picture stands in the set.
    cases : ndarray, shape (P,), str
        What stays on one side of a split.
    """

    trained: dict[str, np.ndarray]
    asked: dict[str, np.ndarray]
    labels: np.ndarray
    names: np.ndarray
    cases: np.ndarray

    @property
    def several(self) -> np.ndarray:
        """Classes of two cases or more, bool (K,): the others cannot be named on an unseen case."""
        kinds = range(len(LABELS))
        return np.array([len(set(self.cases[self.labels == k])) > 1 for k in kinds])


@dataclass(frozen=True)
class Candidate:
    """Features, or several whose answers are averaged, and the layer that is fitted on them."""

    words: str
    features: tuple[str, ...]
    layer: str = "logistic"
    balance: float = 0.5  # a class weighs by its number of pictures to the power of minus this


FINDER, MEASURES, RANDOM, EDGES = ("head finder",), ("measures",), ("random weights",), ("edges",)
PLANES = ("plane recogniser",)
CANDIDATES = (
    Candidate("head finder (as shipped)", FINDER),
    Candidate("the same, no mirror images", ("head finder, one view",)),
    Candidate("the same, classes not balanced", FINDER, balance=0),
    Candidate("the same, classes balanced", FINDER, balance=1),
    Candidate("the same, normal, then group, then class", FINDER, "tree"),
    Candidate("the same, one question a class, all names of a picture", FINDER, "each"),
    Candidate("the same, discriminant with shrunk covariance", FINDER, "discriminant"),
    Candidate("Xception that learnt to measure phantoms", MEASURES),
    Candidate("the same Xception, random weights", RANDOM),
    Candidate("plane recogniser, which learnt the planes of the normal images' source", PLANES),
    Candidate("the same recogniser, discriminant", PLANES, "discriminant"),
    Candidate("edges, no network", EDGES),
    Candidate("mean of finder, phantoms and edges", FINDER + MEASURES + EDGES),
    Candidate("mean of the same, discriminant", FINDER + MEASURES + EDGES, "discriminant"),
    Candidate(
        "mean of the same and the recogniser, discriminant",
        FINDER + MEASURES + EDGES + PLANES,
        "discriminant",
    ),
)
CHOSEN = "chosen on inner folds"


def see_pictures(head: Cases, whole: Cases) -> Pictures:
    """Show the cases of one set, in two views, to the frozen networks."""
    chosen = one_a_picture(head.table)
    place = np.unique(head.table["picture"].to_numpy(str), return_inverse=True)[1]
    asked = np.flatnonzero(chosen)[np.argsort(place[chosen])]
    names = np.zeros((place.max() + 1, len(LABELS)), bool)
    names[place, head.labels] = True
    n = np.bincount(place)[:, None]
    trained, own = {}, {}
    for name, seen in _features(head, whole).items():
        total = np.zeros((len(n), seen.shape[1]))
        np.add.at(total, place, seen)
        trained[name], own[name] = total / n, seen[asked]
    return Pictures(trained, own, head.labels[asked], names, head.groups[asked])


def _features(head: Cases, whole: Cases) -> dict[str, np.ndarray]:
    import keras

    from fetal_lib.models.anomaly_cnns import build_xception
    from fetal_lib.models.head_features import build_head_features
    from fetal_lib.models.measuring_xception import load_measuring

    side = head.images.shape[1]
    finder = build_head_features(side, len(LABELS))
    means = keras.Model(finder.input, finder.get_layer("means").output)
    means.set_weights(load_head_finder().network.get_weights()[: len(means.weights)])
    views = [forward(means, one) for one in mirrored(whole.images, 0)]
    keras.utils.set_random_seed(0)
    xception = build_xception(side, len(LABELS), **XCEPTION)
    body = keras.Model(xception.input, xception.get_layer("features").output)
    found = {FINDER[0]: np.mean(views, axis=0), "head finder, one view": views[0]}
    found[PLANES[0]] = PlaneRecogniser.load().features(whole.images)
    found[RANDOM[0]] = _mean_views(body, head)
    load_measuring(xception)
    return found | {MEASURES[0]: _mean_views(body, head), EDGES[0]: edge_features(whole.images)}


def _mean_views(network: object, head: Cases) -> np.ndarray:
    strip = ruler_rows(head.images.shape[1])
    return np.mean([forward(network, one) for one in mirrored(head.images, strip)], axis=0)


def answer(
    candidate: Candidate, pictures: Pictures, train: np.ndarray, test: np.ndarray, strength: float
) -> np.ndarray:
    """Fit a candidate on some pictures, and return its probabilities (M, K) of others."""
    labels = pictures.labels[train]
    n = np.bincount(labels, minlength=len(LABELS)).astype(float)
    weights = np.maximum(n, 1)[labels] ** -candidate.balance
    weights /= weights.mean()
    fit = LAYERS[candidate.layer]
    parts = []
    for name in candidate.features:
        x = pictures.trained[name][train]
        mean, spread = x.mean(0), x.std(0) + 1e-6
        held = (pictures.asked[name][test] - mean) / spread
        parts.append(
            fit((x - mean) / spread, labels, pictures.names[train], weights, strength, held)
        )
    return np.mean(parts, axis=0)


def out_of_fold(
    candidate: Candidate, pictures: Pictures, rows: np.ndarray, strength: float, seed: int
) -> np.ndarray:
    """Return the probabilities (M, K) of rows, each by a fold within them that held it back."""
    fold = k_folds(pictures.cases[rows], pictures.labels[rows], N_INNER, seed)
    probs = np.zeros((len(rows), len(LABELS)))
    for k in range(N_INNER):
        probs[fold == k] = answer(candidate, pictures, rows[fold != k], rows[fold == k], strength)
    return probs


@dataclass(frozen=True)
class Trial:
    """Answers of all candidates on cases that nothing was fitted or chosen on.

    Attributes
    ----------
    probs : mapping of words to ndarray (R, P, K)
        Once a repeat.
    chosen : list of str
        The candidate of each outer fold.
    """

    probs: dict[str, np.ndarray]
    chosen: list[str]


def try_candidates(
    pictures: Pictures,
    n_repeats: int,
    seed: int = 0,
    candidates: Sequence[Candidate] = CANDIDATES,
) -> Trial:
    """Answer each picture by each candidate, and by the one that inner folds choose."""
    n, everyone = len(pictures.labels), np.arange(len(pictures.labels))
    probs = {one.words: np.zeros((n_repeats, n, len(LABELS))) for one in candidates}
    probs[CHOSEN] = np.zeros((n_repeats, n, len(LABELS)))
    chosen = []
    for repeat in range(n_repeats):
        fold = k_folds(pictures.cases, pictures.labels, N_FOLDS, seed + repeat)
        for k in range(N_FOLDS):
            train, test = everyone[fold != k], everyone[fold == k]
            inner = {}
            for one in candidates:
                scores = {c: _inner_score(one, pictures, train, c, seed) for c in _strengths(one)}
                best = max(scores, key=scores.get)
                inner[one.words] = scores[best]
                probs[one.words][repeat, test] = answer(one, pictures, train, test, best)
            chosen.append(max(inner, key=inner.get))
            probs[CHOSEN][repeat, test] = probs[chosen[-1]][repeat, test]
    return Trial(probs, chosen)


def _strengths(candidate: Candidate) -> tuple[float, ...]:
    return STRENGTHS[:1] if candidate.layer == "discriminant" else STRENGTHS


def _inner_score(
    candidate: Candidate, pictures: Pictures, train: np.ndarray, strength: float, seed: int
) -> float:
    pred = out_of_fold(candidate, pictures, train, strength, seed).argmax(1)
    return float(macro_f1(confusion_matrix(pictures.labels[train], pred, len(LABELS))))
