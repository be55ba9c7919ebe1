"""The flaws of source 001, re-enacted: copies before the split, and other test sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.chapters.brain_anomalies.data import LABELS, Cases
from fetal_lib.chapters.brain_anomalies.fit import (
    fit_network,
    fitted_network,
    network_arguments,
)
from fetal_lib.metrics.calibration import softmax
from fetal_lib.metrics.classification import (
    accuracy,
    bootstrap_confusions,
    class_scores,
    confusion_matrix,
    interval,
    macro_f1,
    wilson_interval,
)
from fetal_lib.metrics.intervals import with_interval
from fetal_lib.phantoms.anomalies.write import SOURCE_COUNTS
from fetal_lib.predict.brain_view import ruler_rows
from fetal_lib.sets.resolve import is_phantom
from fetal_lib.training.augment_image import GENTLE, augment_image
from fetal_lib.training.keras_classification import ClassifierSettings, predict_logits

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.runs.session import Run

SOURCE_SEED = 42
COPIES = 1
"""Augmented copies of each image that the uploader made before sharing the set."""
RARE_SHARE = 50 / 1764
"""Classes below 50 of 1,764 images were filled up by copies in the source."""
LOG = (("CNN", 0.829, 193), ("separable CNN", 0.808, 193), ("Xception", 0.950, 180))
"""Model, test accuracy and number of test images in the source's own console log."""
NEAR_ZERO = 1e-12
SCORES = {"accuracy": accuracy, "macro_f1": macro_f1}
PROTOCOLS = {
    "copies before the split": ("separable_cnn_source_protocol", "protocol"),
    "split by patient": ("separable_cnn_same_settings", "test"),
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

    rng = np.random.default_rng(seed)
    origin = np.tile(np.arange(len(cases)), 1 + COPIES)
    images = [cases.images]
    for _ in range(COPIES):
        given = (rng, GENTLE, cases.aspect, strip)
        changed = [augment_image(image, *given) for image in cases.images]
        images.append(np.rint(np.stack(changed) * 255).astype(np.uint8))
    pool = np.concatenate(images)
    at, copied = _filled_up(cases.labels[origin], rng)
    labels = cases.labels[origin[at]]
    counts = np.bincount(labels, minlength=len(LABELS))
    kinds = labels if counts[counts > 0].min() >= 2 else None
    train, test = train_test_split(
        np.arange(len(at)), test_size=0.1, random_state=seed, stratify=kinds
    )
    leaked = float(np.isin(origin[at[test]], origin[at[train]]).mean())
    parts = (
        replace(cases.select(origin[at[rows]]), images=pool[at[rows]]) for rows in (train, test)
    )
    return SourceSplit(*parts, copied, leaked)


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

    Attributes
    ----------
    split : SourceSplit
    table : DataFrame
        ``protocol, test images, accuracy, macro_f1``, scores as text with 95 % intervals over
        patients.
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
        Split; the honest part trains on train and val and is tested on test. Phantoms are
        thinned to the source's frequencies first, for either protocol.
    n_rare : int
        Rarest classes whose recall is shown.
    """
    import pandas as pd

    p = run.parameters
    settings = ClassifierSettings(
        epochs=p.source_epochs, batch_size=32, learning_rate=1e-3, constant_rate=True,
        augmentation=None, aspect=cases.aspect, seed=p.seed,
    )  # fmt: skip
    pool = thinned(cases) if is_phantom(p.data) else cases
    split = source_split(pool, strip=ruler_rows(p.image_size) if p.view == "head" else 0)
    honest = pool.select((pool.table["part"] != "test").to_numpy())
    parts = {
        "copies before the split": (split.train, split.test, "source"),
        "split by patient": (honest, cases.part("test"), "honest"),
    }
    found, rows = {}, []
    for protocol, (train, test, tag) in parts.items():
        pred = _train_and_predict(run, train, test, settings, tag)
        scored = score_protocol(protocol, test, pred, p.seed)
        for row in scored:
            run.add_result(**row)
        found[protocol] = confusion_matrix(test.labels, pred, len(LABELS))
        texts = {row["metric"]: with_interval(row["value"], row["ci95"]) for row in scored}
        rows.append({"protocol": protocol, "test images": len(test)} | texts)
    return SourceProtocol(split, pd.DataFrame(rows), _rare(found, pool.labels, n_rare))


def _train_and_predict(
    run: Run, train: Cases, test: Cases, settings: ClassifierSettings, tag: str
) -> np.ndarray:
    """Return the classes (N,) that a fit predicts for its test part."""
    arguments = network_arguments(run.parameters)["separable_cnn"]
    outcome = fit_network(run, "separable_cnn", train, None, arguments, settings, tag)
    model = fitted_network("separable_cnn", arguments, outcome.folder)
    return softmax(predict_logits(model, test.images)).argmax(1)


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
        label | {"metric": name, "value": score(table), "ci95": interval(score(draws))}
        for name, score in SCORES.items()
    ]


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


def log_table() -> pd.DataFrame:
    """Return the accuracies of the source's console log with Wilson intervals."""
    import pandas as pd

    rows = []
    for name, share, n in LOG:
        low, high = wilson_interval(share * n, n)
        rows.append({"model": name, "accuracy (log)": share, "n": n, "low": low, "high": high})
    return pd.DataFrame(rows)


def ranking_flips(
    labels: np.ndarray, better: np.ndarray, worse: np.ndarray, sizes: tuple[int, int] = (193, 180),
    n_draws: int = 4000, seed: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Return how often the worse of two models wins, on one test set and on two different ones.

    Parameters
    ----------
    labels : ndarray, shape (N,), int
        Of the test part, from which test sets are drawn with replacement.
    better, worse : ndarray, shape (N,), int
        Predicted classes.
    sizes : (int, int)
        Images in the two test sets; those of the source.
    n_draws, seed : int

    Returns
    -------
    dict
        ``same test set`` and ``different test sets``: share of draws in which the worse
        model has the higher accuracy; draws with equal accuracy count half.
    """
    rng = np.random.default_rng(seed)
    hit = [(np.asarray(pred) == labels).astype(float) for pred in (better, worse)]
    one = rng.integers(len(labels), size=(n_draws, sizes[0]))
    other = rng.integers(len(labels), size=(n_draws, sizes[1]))
    first = hit[0][one].mean(1)
    rivals = {"same test set": hit[1][one].mean(1), "different test sets": hit[1][other].mean(1)}
    shares = {}
    for word, rival in rivals.items():
        tied = np.abs(rival - first) < NEAR_ZERO
        shares[word] = float(((rival > first) & ~tied).mean() + tied.mean() / 2)
    return shares
