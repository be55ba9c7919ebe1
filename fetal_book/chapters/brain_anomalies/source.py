"""The flaw of source 001, re-enacted: copies before the split."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.fit import fit_network, fitted_network, network_arguments
from fetal_book.chapters.brain_anomalies.scores import confusions
from fetal_book.chapters.flaws import add_difference
from fetal_book.runs.session import Run
from fetal_lib.metrics.calibration import softmax
from fetal_lib.metrics.classification import accuracy, class_scores, confusion_matrix, macro_f1
from fetal_lib.metrics.intervals import percentile_interval, with_interval
from fetal_lib.predict.brain_view import ruler_rows
from fetal_lib.training.augment_image import GENTLE, augment_image
from fetal_lib.training.keras_classification import ClassifierSettings
from fetal_lib.training.keras_forward import forward
from fetal_phantoms.anomalies.write import SOURCE_COUNTS

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
    """Images as the source's scripts have them after copying and splitting."""

    train: Cases
    test: Cases
    leaked_share: float  # share of test images of whose original a version is in the training part


def thinned(cases: Cases, seed: int = SOURCE_SEED) -> Cases:
    """Return cases with classes as rare as in the source, two images each at least: it has 314 of
    one class and 5 of another, phantoms equally many of each.
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
    """Augment, copy rare classes, and only then split at random over images; the copies keep a
    strip of rows at the lower edge.
    """
    from sklearn.model_selection import train_test_split

    pool, origin = with_copies(cases, seed, strip)
    counts = np.bincount(pool.labels, minlength=len(LABELS))
    kinds = pool.labels if counts[counts > 0].min() >= 2 else None
    train, test = train_test_split(
        np.arange(len(pool)), test_size=0.1, random_state=seed, stratify=kinds
    )
    leaked = float(np.isin(origin[test], origin[train]).mean())
    return SourceSplit(pool.select(train), pool.select(test), leaked)


def with_copies(cases: Cases, seed: int = SOURCE_SEED, strip: int = 0) -> tuple[Cases, np.ndarray]:
    """Return cases with an augmented copy of each, and rare classes filled up by copies. The second
    array is the place in ``cases`` of the image that each one is a version of.
    """
    rng = np.random.default_rng(seed)
    origin = np.tile(np.arange(len(cases)), 1 + COPIES)
    images = [cases.images]
    for _ in range(COPIES):
        given = (rng, GENTLE, cases.aspect, strip)
        changed = [augment_image(image, *given) for image in cases.images]
        images.append(np.rint(np.stack(changed) * 255).astype(np.uint8))
    at = _filled_up(cases.labels[origin], rng)
    pool = replace(cases.select(origin[at]), images=np.concatenate(images)[at])
    return pool, origin[at]


def _filled_up(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return rows with those of rare classes repeated up to the source's share."""
    wanted = max(10, round(RARE_SHARE * len(labels)))
    rows = [np.arange(len(labels))]
    for kind in np.unique(labels):
        members = np.flatnonzero(labels == kind)
        if len(members) < wanted:
            rows.append(rng.choice(members, wanted - len(members)))
    return np.concatenate(rows)


@dataclass(frozen=True)
class SourceProtocol:
    """What the source's protocol reports, beside the same network on unseen patients."""

    split: SourceSplit
    # a row a protocol: numbers of images, and scores with 95 % intervals over patients. *Same mix*:
    # with classes as frequent as among the first protocol's test images
    table: pd.DataFrame
    rare: pd.DataFrame  # recall of the rarest classes under each protocol


def reenact_source(run: Run, cases: Cases, n_rare: int = 5) -> SourceProtocol:
    """Train the separable CNN on leaking and on honest parts with the same settings.

    The protocols differ in one thing at a time: whether the copies are made before or after the
    split, and whether there are any. Phantoms are thinned to the source's frequencies first.
    """
    p = run.parameters
    settings = ClassifierSettings(
        epochs=p.source_epochs, batch_size=32, learning_rate=1e-3, schedule="constant",
        augmentation=None, aspect=cases.aspect, seed=p.seed,
    )  # fmt: skip
    pool = thinned(cases) if p.data == "phantom" else cases
    strip = ruler_rows(p.image_size) if p.view == "head" else 0
    split = source_split(pool, strip=strip)
    honest, test = pool.select((pool.table["part"] != "test").to_numpy()), cases.part("test")
    parts = {
        "copies before the split": (split.train, split.test, "source"),
        "split by patient, no copies": (honest, test, "honest"),
        "split by patient, then copies": (with_copies(honest, strip=strip)[0], test, "copies"),
    }
    mix = np.bincount(split.test.labels, minlength=len(LABELS)) / len(split.test)
    answers, lines = {}, {}
    for protocol, (train, tested, tag) in parts.items():
        pred = _train_and_predict(run, train, tested, settings, tag)
        answers[protocol] = tested, pred
        line = {"protocol": protocol, "training images": len(train), "test images": len(tested)}
        for row in score_protocol(protocol, tested, pred, p.seed):
            run.add_result(**row)
            line[row["metric"]] = with_interval(row["value"], row["ci95"])
        for row in score_protocol(protocol, tested, pred, p.seed, mix):
            line[f"{row['metric']}, same mix"] = with_interval(row["value"], row["ci95"])
        lines[protocol] = line
    add_differences(run, answers)
    rare = _rare(answers, pool.labels, n_rare)
    return SourceProtocol(split, pd.DataFrame([lines[name] for name in PROTOCOLS]), rare)


def add_differences(run: Run, answers: dict[str, tuple[Cases, np.ndarray]]) -> None:
    """Add what copies before the split do to macro-F1, with intervals over patients."""

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


def score_protocol(
    protocol: str, test: Cases, pred: np.ndarray, seed: int = 0, mix: np.ndarray | None = None
) -> list[dict]:
    """Return result rows of a protocol: accuracy and macro-F1 with intervals over patients.

    Copies belong to the patient of their original. With a mix, the shares of the classes, the
    scores are those of a test part in which they are so frequent.
    """
    model, split = PROTOCOLS[protocol]
    pair = confusions(test.labels, pred, test.groups, len(LABELS), seed)
    table, draws = pair if mix is None else (_at_mix(one, mix) for one in pair)
    label = {"model": model, "split": split, "n": len(test)}
    return [
        label | {"metric": name, "value": score(table), "ci95": percentile_interval(score(draws))}
        for name, score in SCORES.items()
    ]


def _at_mix(confusion: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Weigh the rows of confusion matrices (..., K, K) so that classes are as frequent as mix."""
    n = confusion.sum(-1, keepdims=True)
    return confusion / np.maximum(n, 1) * mix[:, None]


def _rare(
    answers: dict[str, tuple[Cases, np.ndarray]], labels: np.ndarray, n_rare: int
) -> pd.DataFrame:
    """Return the recall of the rarest classes under each protocol."""
    n = np.bincount(labels, minlength=len(LABELS)).astype(float)
    rarest = np.argsort(np.where(n > 0, n, np.inf), kind="stable")[:n_rare]
    rows = []
    for k in rarest:
        row = {"class": LABELS[k], "images": int(n[k])}
        for protocol in PROTOCOLS:
            test, pred = answers[protocol]
            scores = class_scores(confusion_matrix(test.labels, pred, len(LABELS)))
            row[f"n, {protocol}"] = int(scores.n[k])
            row[f"recall, {protocol}"] = scores.recall[k]
        rows.append(row)
    return pd.DataFrame(rows)
