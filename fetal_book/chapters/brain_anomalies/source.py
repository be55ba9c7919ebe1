"""The flaw of source 001, re-enacted: copies before the split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.fit import fit_network, fitted_network, network_arguments
from fetal_book.chapters.brain_anomalies.scores import confusions
from fetal_book.chapters.flaws import add_difference_of_trainings
from fetal_book.runs.session import Run
from fetal_lib.metrics.calibration import softmax
from fetal_lib.metrics.classification import accuracy, class_scores, confusion_matrix, macro_f1
from fetal_lib.metrics.intervals import percentile_interval, with_interval
from fetal_lib.metrics.trainings import over_trainings
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
    "split by patient, then copies": ("separable_cnn_by_case", "test"),
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
    labels = cases.labels[origin]
    at = filled_up(labels, max(10, round(RARE_SHARE * len(labels))), rng)
    pool = replace(cases.select(origin[at]), images=np.concatenate(images)[at])
    return pool, origin[at]


def filled_up(labels: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Return all rows, and then rows of rare classes again, so that each class has ``wanted``."""
    rows = [np.arange(len(labels))]
    for kind in np.unique(labels):
        members = np.flatnonzero(labels == kind)
        if len(members) < wanted:
            rows.append(rng.choice(members, wanted - len(members)))
    return np.concatenate(rows)


@dataclass(frozen=True)
class SourceProtocol:
    """What the source's protocol reports, beside the same network on unseen patients."""

    # a row a protocol: numbers of images, and scores with 95 % intervals over patients, all at one
    # mix of classes
    table: pd.DataFrame
    rare: pd.DataFrame  # recall of the rarest classes under each protocol
    shown: pd.DataFrame  # ``model, value, low, high`` of macro-F1
    words: str


def reenact_source(run: Run, cases: Cases, n_rare: int = 5) -> SourceProtocol:
    """Train the separable CNN on leaking and on honest parts with the same settings.

    The protocols differ in one thing at a time: whether the copies are made before or after the
    split, and whether there are any. Phantoms are thinned to the source's frequencies first.
    """
    p = run.parameters
    pool = thinned(cases)
    strip = ruler_rows(p.image_size) if p.view == "head" else 0
    split = source_split(pool, strip=strip)
    honest, test = pool.select((pool.table["part"] != "test").to_numpy()), cases.part("test")
    parts = {
        "copies before the split": (split.train, split.test, "source"),
        "split by patient, then copies": (with_copies(honest, strip=strip)[0], test, "copies"),
        "split by patient, no copies": (honest, test, "honest"),
    }
    mix = np.bincount(split.test.labels, minlength=len(LABELS)) / len(split.test)
    answers, lines, scores = {}, {}, {}
    for protocol, (train, tested, tag) in parts.items():
        found = [
            _train_and_predict(
                run, train, tested, source_settings(cases, p.source_epochs, one), tag
            )
            for one in range(p.seed, p.seed + p.source_trainings)
        ]
        pred = np.stack(found, axis=1)
        answers[protocol] = tested, pred
        line = {"protocol": protocol, "training images": len(train), "test images": len(tested)}
        for row in score_at_mix(tested, pred, mix, *PROTOCOLS[protocol], p.seed):
            run.add_result(**row)
            line[row["metric"]] = with_interval(row["value"], row["ci95"])
            scores[protocol, row["metric"]] = row
        lines[protocol] = line
    facts = {"trainings": p.source_trainings, "epochs": p.source_epochs}
    facts["exposed"] = split.leaked_share
    add_differences(run, answers, mix, **facts)
    shown = [shown_score(name, scores[name, "macro_f1"]) for name in PROTOCOLS]
    return SourceProtocol(
        pd.DataFrame([lines[name] for name in PROTOCOLS]),
        recall_of_rare(answers, pool.labels, n_rare),
        pd.DataFrame(shown),
        _words(lines, split.leaked_share),
    )


def source_settings(cases: Cases, epochs: int, seed: int) -> ClassifierSettings:
    """Return the settings of source 001, whose rate does not fall; nothing is augmented anew."""
    return ClassifierSettings(
        epochs=epochs, batch_size=32, learning_rate=1e-3, schedule="constant",
        augmentation=None, aspect=cases.aspect, seed=seed,
    )  # fmt: skip


def shown_score(name: str, row: dict) -> dict:
    """Return a result row as a line of the figure."""
    return {"model": name, "value": row["value"], "low": row["ci95"][0], "high": row["ci95"][1]}


def _words(lines: dict[str, dict], leaked_share: float) -> str:
    leaking, _, fair = ([lines[name][metric] for metric in SCORES] for name in (
        "copies before the split", "split by patient, no copies", "split by patient, then copies",
    ))  # fmt: skip
    return (
        f"The leaking protocol reports an accuracy of **{leaking[0]}** and a macro-F1 of "
        f"**{leaking[1]}**. With the copies in the training part only, the same network reaches "
        f"**{fair[0]}** and **{fair[1]}** on unseen patients, at the same mix of classes. Of the "
        f"leaking protocol's test images, {leaked_share:.0%} have another version of themselves in "
        "the training part."
    )


def add_differences(
    run: Run, answers: dict[str, tuple[Cases, np.ndarray]], mix: np.ndarray, **facts: float
) -> None:
    """Add what copies before the split do to macro-F1, at one mix of classes."""
    flawed, *others = PROTOCOLS
    for honest in others:
        names = tuple(PROTOCOLS[name][0] for name in (flawed, honest))
        add_macro_difference(run, names, (answers[flawed], answers[honest]), mix, **facts)


def add_macro_difference(
    run: Run,
    names: tuple[str, str],
    sides: tuple[tuple[Cases, np.ndarray], tuple[Cases, np.ndarray]],
    mix: np.ndarray,
    **facts: float,
) -> tuple[float, tuple[float, float]]:
    """Add the difference of macro-F1 of two models, each on its cases with the classes (N, S) that
    its trainings predict, both as if classes were as frequent as ``mix``; return it with its 95 %
    interval over patients and trainings. Facts are those of the run's differences: trainings,
    epochs, exposed.
    """

    def measure(true: np.ndarray, pred: np.ndarray) -> float:
        counts = confusion_matrix(true.astype(int), pred.astype(int), len(LABELS))
        return float(macro_f1(_at_mix(counts, mix)))

    score = partial(over_trainings, measure)
    pairs = tuple(np.column_stack([cases.labels, pred]) for cases, pred in sides)
    groups, labels = (
        tuple(getattr(cases, name) for cases, _ in sides) for name in ("groups", "labels")
    )
    return add_difference_of_trainings(
        run, names, "macro_f1", pairs, (score, score), groups, labels, n_resamples=1000, **facts
    )


def _train_and_predict(
    run: Run, train: Cases, test: Cases, settings: ClassifierSettings, tag: str
) -> np.ndarray:
    """Return the classes (N,) that a fit predicts for its test part."""
    arguments = network_arguments(run.parameters)["separable_cnn"]
    outcome = fit_network(run, "separable_cnn", train, None, arguments, settings, tag)
    model = fitted_network("separable_cnn", arguments, outcome.folder)
    return softmax(forward(model, test.images)).argmax(1)


def score_at_mix(
    test: Cases, pred: np.ndarray, mix: np.ndarray, model: str, split: str, seed: int = 0
) -> list[dict]:
    """Return result rows of accuracy and macro-F1, with intervals over patients, of a test part in
    which classes are as frequent as ``mix``. Copies belong to the patient of their original.

    Of classes (N, S) that S trainings predicted, scores are means and trainings are drawn, too.
    """
    columns = np.reshape(pred, (len(test), -1)).T
    found = [confusions(test.labels, one, test.groups, len(LABELS), seed) for one in columns]
    tables, draws = (_at_mix(np.stack(part), mix) for part in zip(*found, strict=True))
    shape = draws.shape[1], len(columns)
    drawn = np.random.default_rng(seed).integers(len(columns), size=shape)
    label = {"model": model, "split": split, "n": len(test)}
    rows = []
    for name, score in SCORES.items():
        each = np.take_along_axis(score(draws).T, drawn, axis=1).mean(axis=1)
        row = label | {"metric": name, "value": float(score(tables).mean())}
        rows.append(row | {"ci95": percentile_interval(each)})
    return rows


def _at_mix(confusion: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Weigh the rows of confusion matrices (..., K, K) so that classes are as frequent as mix."""
    n = confusion.sum(-1, keepdims=True)
    return confusion / np.maximum(n, 1) * mix[:, None]


def recall_of_rare(
    answers: dict[str, tuple[Cases, np.ndarray]], labels: np.ndarray, n_rare: int = 5
) -> pd.DataFrame:
    """Return the recall of the rarest classes under each protocol, over all its trainings."""
    n = np.bincount(labels, minlength=len(LABELS)).astype(float)
    rarest = np.argsort(np.where(n > 0, n, np.inf), kind="stable")[:n_rare]
    rows = []
    for k in rarest:
        row = {"class": LABELS[k], "images": int(n[k])}
        for protocol, (test, pred) in answers.items():
            columns = np.reshape(pred, (len(test), -1)).T
            tables = np.stack([confusion_matrix(test.labels, c, len(LABELS)) for c in columns])
            scores = class_scores(tables.sum(axis=0))
            row[f"n, {protocol}"] = int(scores.n[k]) // len(columns)
            row[f"recall, {protocol}"] = scores.recall[k]
        rows.append(row)
    return pd.DataFrame(rows)
