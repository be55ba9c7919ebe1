"""The flaw of source 001, re-enacted: copies before the split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.fit import (
    fit_network,
    fitted_network,
    network_arguments,
)
from fetal_book.chapters.flaws import add_difference
from fetal_lib.metrics.calibration import softmax
from fetal_lib.metrics.classification import (
    accuracy,
    bootstrap_confusions,
    class_scores,
    confusion_matrix,
    macro_f1,
)
from fetal_lib.metrics.intervals import percentile_interval, with_interval
from fetal_lib.predict.brain_view import ruler_rows
from fetal_lib.sets.resolve import is_phantom
from fetal_lib.training.augment_image import GENTLE, augment_image
from fetal_lib.training.keras_classification import ClassifierSettings
from fetal_lib.training.keras_forward import forward
from fetal_phantoms.anomalies.write import SOURCE_COUNTS

if TYPE_CHECKING:
    import pandas as pd

    from fetal_book.runs.session import Run

SOURCE_SEED = 42
COPIES = 1
"""Augmented copies of each image that the uploader made before sharing the set."""
RARE_SHARE = 50 / 1764
"""Classes below 50 of 1,764 images were filled up by copies in the source."""
SCORES = {"accuracy": accuracy, "macro_f1": macro_f1}
PROTOCOLS = {
    "copies before the split": ("separable_cnn_source_protocol", "protocol"),
    "split by patient, then copies": ("separable_cnn_copies_in_training", "test"),
    "split by patient, no copies": ("separable_cnn_same_settings", "test"),
}
"""Names of the protocols on the page; model and split of their result rows."""


@dataclass(frozen=True)
class SourceSplit:
    """Images as the source's scripts have them after copying and splitting.

    Attributes
    ----------
    train, test : Cases
    copied : set of int
        Classes that were filled up by copies.
    leaked_share : float
        Share of test images of whose original a version is in the training part.
    """

    train: Cases
    test: Cases
    copied: set[int]
    leaked_share: float


def thinned(cases: Cases, seed: int = SOURCE_SEED) -> Cases:
    """Return cases with classes as rare as in the source, two images each at least.

    Phantoms have equally many cases of each class; the source's set has 314 of one and
    5 of another, and copies its rare ones.
    """
    rng = np.random.default_rng([seed, 5])
    share = np.array([SOURCE_COUNTS[name] for name in LABELS], float)
    share /= share.max()
    kept: list[np.ndarray] = []
    for kind in np.unique(cases.labels):
        members = rng.permutation(np.flatnonzero(cases.labels == kind))
        kept.append(members[: max(2, round(share[kind] * len(members)))])
    return cases.select(np.sort(np.concatenate(kept)))


def source_split(cases: Cases, seed: int = SOURCE_SEED, strip: int = 0) -> SourceSplit:
    """Augment, copy rare classes, and only then split at random over images.

    Parameters
    ----------
    cases : Cases
        All images: the source has no patients.
    seed : int
        42 in the source.
    strip : int
        Rows at the lower edge that the copies keep in place.
    """
    from sklearn.model_selection import train_test_split

    pool, origin, copied = with_copies(cases, seed, strip)
    counts = np.bincount(pool.labels, minlength=len(LABELS))
    kinds = pool.labels if counts[counts > 0].min() >= 2 else None
    train, test = train_test_split(
        np.arange(len(pool)), test_size=0.1, random_state=seed, stratify=kinds
    )
    leaked = float(np.isin(origin[test], origin[train]).mean())
    return SourceSplit(pool.select(train), pool.select(test), copied, leaked)


def with_copies(
    cases: Cases, seed: int = SOURCE_SEED, strip: int = 0
) -> tuple[Cases, np.ndarray, set[int]]:
    """Return cases with an augmented copy of each, and rare classes filled up by copies.

    Returns
    -------
    pool : Cases
    origin : ndarray, shape (M,), int
        Place in ``cases`` of the image that each one is a version of.
    copied : set of int
        Classes that were filled up.
    """
    rng = np.random.default_rng(seed)
    origin = np.tile(np.arange(len(cases)), 1 + COPIES)
    images = [cases.images]
    for _ in range(COPIES):
        given = (rng, GENTLE, cases.aspect, strip)
        changed = [augment_image(image, *given) for image in cases.images]
        images.append(np.rint(np.stack(changed) * 255).astype(np.uint8))
    at, copied = _filled_up(cases.labels[origin], rng)
    pool = replace(cases.select(origin[at]), images=np.concatenate(images)[at])
    return pool, origin[at], copied


def _filled_up(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, set[int]]:
    """Return rows with those of rare classes repeated up to the source's share."""
    wanted = max(10, round(RARE_SHARE * len(labels)))
    rows, copied = [np.arange(len(labels))], set()
    for kind in np.unique(labels):
        members = np.flatnonzero(labels == kind)
        if len(members) < wanted:
            copied.add(int(kind))
            rows.append(rng.choice(members, wanted - len(members)))
    return np.concatenate(rows), copied


@dataclass(frozen=True)
class SourceProtocol:
    """What the source's protocol reports, beside the same network on unseen patients.

    The rows differ in one thing at a time: whether the copies are made before or after the split,
    and whether there are any.

    Attributes
    ----------
    split : SourceSplit
    table : DataFrame
        ``protocol, training images, test images, accuracy, macro_f1``, and ``accuracy, same mix``
        and ``macro_f1, same mix``: with classes as frequent as among the first protocol's test
        images. Scores as text with 95 % intervals over patients.
    rare : DataFrame
        Recall of the rarest classes under either protocol.
    """

    split: SourceSplit
    table: pd.DataFrame
    rare: pd.DataFrame


def reenact_source(run: Run, cases: Cases, n_rare: int = 5) -> SourceProtocol:
    """Train the separable CNN on leaking and on honest parts with the same settings.

    Parameters
    ----------
    run : Run
    cases : Cases
        Split; the honest parts train on train and val and are tested on test. Phantoms are
        thinned to the source's frequencies first, for training in any protocol.
    n_rare : int
        Rarest classes whose recall is shown.
    """
    import pandas as pd

    p = run.parameters
    settings = ClassifierSettings(
        epochs=p.source_epochs, batch_size=32, learning_rate=1e-3, schedule="constant",
        augmentation=None, aspect=cases.aspect, seed=p.seed,
    )  # fmt: skip
    pool = thinned(cases) if is_phantom(p.data) else cases
    strip = ruler_rows(p.image_size) if p.view == "head" else 0
    split = source_split(pool, strip=strip)
    honest, test = pool.select((pool.table["part"] != "test").to_numpy()), cases.part("test")
    parts = {
        "copies before the split": (split.train, split.test, "source"),
        "split by patient, no copies": (honest, test, "honest"),
        "split by patient, then copies": (with_copies(honest, strip=strip)[0], test, "copies"),
    }
    mix = np.bincount(split.test.labels, minlength=len(LABELS)) / len(split.test)
    found, answers, lines = {}, {}, {}
    for protocol, (train, tested, tag) in parts.items():
        pred = _train_and_predict(run, train, tested, settings, tag)
        answers[protocol] = tested, pred
        scored = score_protocol(protocol, tested, pred, p.seed)
        for row in scored:
            run.add_result(**row)
        found[protocol] = confusion_matrix(tested.labels, pred, len(LABELS))
        lines[protocol] = {
            "protocol": protocol, "training images": len(train), "test images": len(tested)
        }  # fmt: skip
        for row in (*scored, *score_at_mix(tested, pred, mix, p.seed)):
            lines[protocol][row["metric"]] = with_interval(row["value"], row["ci95"])
    add_differences(run, answers)
    rare = _rare({name: found[name] for name in PROTOCOLS}, pool.labels, n_rare)
    return SourceProtocol(split, pd.DataFrame([lines[name] for name in PROTOCOLS]), rare)


def add_differences(run: Run, answers: dict[str, tuple[Cases, np.ndarray]]) -> None:
    """Add what copies before the split do to macro-F1, with intervals over patients.

    Parameters
    ----------
    run : Run
    answers : dict of str to (Cases, ndarray of int)
        Test cases and predicted classes of each protocol of ``PROTOCOLS``.
    """

    def score(pairs: np.ndarray) -> float:
        true, pred = pairs.T.astype(int)
        return float(macro_f1(confusion_matrix(true, pred, len(LABELS))))

    flawed, *others = PROTOCOLS
    for honest in others:
        sides = [answers[name] for name in (flawed, honest)]
        pairs = [np.column_stack([cases.labels, pred]) for cases, pred in sides]
        groups, labels = (
            tuple(getattr(cases, name) for cases, _ in sides) for name in ("groups", "labels")
        )
        names = tuple(PROTOCOLS[name][0] for name in (flawed, honest))
        add_difference(
            run, names, "macro_f1", tuple(pairs), (score, score), groups, labels, n_resamples=1000
        )


def _train_and_predict(
    run: Run, train: Cases, test: Cases, settings: ClassifierSettings, tag: str
) -> np.ndarray:
    """Return the classes (N,) that a fit predicts for its test part."""
    arguments = network_arguments(run.parameters)["separable_cnn"]
    outcome = fit_network(run, "separable_cnn", train, None, arguments, settings, tag)
    model = fitted_network("separable_cnn", arguments, outcome.folder)
    return softmax(forward(model, test.images)).argmax(1)


def score_protocol(protocol: str, test: Cases, pred: np.ndarray, seed: int = 0) -> list[dict]:
    """Return result rows of a protocol: accuracy and macro-F1 with intervals over patients.

    Parameters
    ----------
    protocol : str
        A name from ``PROTOCOLS``.
    test : Cases
        Length N. Copies belong to the patient of their original.
    pred : ndarray, shape (N,), int
        Predicted classes.
    seed : int
        Of the bootstrap.

    Returns
    -------
    list of dict
        ``model, split, metric, value, n, ci95``.
    """
    model, split = PROTOCOLS[protocol]
    table = confusion_matrix(test.labels, pred, len(LABELS))
    draws = bootstrap_confusions(test.labels, pred, len(LABELS), test.groups, seed=seed)
    label = {"model": model, "split": split, "n": len(test)}
    return [
        label | {"metric": name, "value": score(table), "ci95": percentile_interval(score(draws))}
        for name, score in SCORES.items()
    ]


def score_at_mix(test: Cases, pred: np.ndarray, mix: np.ndarray, seed: int = 0) -> list[dict]:
    """Return accuracy and macro-F1 as if classes were as frequent as ``mix`` says, with intervals.

    Parameters
    ----------
    test : Cases
        Length N.
    pred : ndarray, shape (N,), int
    mix : ndarray, shape (K,)
        Share of each class; classes that the test part lacks are left out.
    seed : int

    Returns
    -------
    list of dict
        ``metric, value, ci95``.
    """
    table = confusion_matrix(test.labels, pred, len(LABELS))
    draws = bootstrap_confusions(test.labels, pred, len(LABELS), test.groups, seed=seed)
    table, draws = (_at_mix(one, mix) for one in (table, draws))
    return [
        {
            "metric": f"{name}, same mix",
            "value": score(table),
            "ci95": percentile_interval(score(draws)),
        }
        for name, score in SCORES.items()
    ]


def _at_mix(confusion: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Weigh the rows of confusion matrices (..., K, K) so that classes are as frequent as mix."""
    n = confusion.sum(-1, keepdims=True)
    return confusion / np.maximum(n, 1) * mix[:, None]


def _rare(found: dict[str, np.ndarray], labels: np.ndarray, n_rare: int) -> pd.DataFrame:
    import pandas as pd

    n = np.bincount(labels, minlength=len(LABELS)).astype(float)
    rarest = np.argsort(np.where(n > 0, n, np.inf), kind="stable")[:n_rare]
    rows = []
    for k in rarest:
        row = {"class": LABELS[k], "images": int(n[k])}
        for protocol, table in found.items():
            scores = class_scores(table)
            row[f"n, {protocol}"] = int(scores.n[k])
            row[f"recall, {protocol}"] = scores.recall[k]
        rows.append(row)
    return pd.DataFrame(rows)
