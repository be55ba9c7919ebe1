"""What the protocol of source 001 adds to its scores on its own data, one step at a time.

The set was augmented before it was shared, and the source filled rare classes up by copies before
it split at random over images. Each step here takes one of these away; all are scored at one mix of
classes, each image by a network that was not trained on its file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases, read_views
from fetal_book.chapters.brain_anomalies.fit import fit_network, fitted_network
from fetal_book.chapters.brain_anomalies.source import (
    SourceProtocol,
    add_macro_difference,
    filled_up,
    recall_of_rare,
    reenact_source,
    score_at_mix,
    shown_score,
    source_settings,
)
from fetal_book.runs.session import Run
from fetal_lib.data.splits.folds import k_folds
from fetal_lib.metrics.intervals import with_interval
from fetal_lib.models.anomaly_cnns import LABELS as NETWORK_NAMES
from fetal_lib.training.keras_forward import forward

FILLED_TO = 50
"""Images up to which the source copied rare classes; 20 for its Xception."""
N_FOLDS = 5
"""A fold trains on four fifths, as the source does."""
SEPARABLE = "separable_cnn"
WIDE = {"separable_cnn": (), "cnns": ("cnn",), "all": ("cnn", "xception")}
"""The wide networks of each value of ``source_networks``."""
PUBLISHED = {"side": 64}
"""Arguments of the three networks at their published size."""


@dataclass(frozen=True)
class Step:
    """How images are dealt, and when rare classes are filled up by copies.

    Attributes
    ----------
    words : str
        As tables say it.
    model : str
        What result rows call it, after the name of the network.
    column : str
        Of the table of cases: what stays on one side; empty for nothing.
    copies_first : bool
        Rare classes are filled up before the split, otherwise in the training part.
    split : str
        Of the result rows.
    """

    words: str
    model: str
    column: str = ""
    copies_first: bool = False
    split: str = "protocol"


STEPS = (
    Step("copies before the split", "source_protocol", copies_first=True),
    Step("copies in the training part, split by image", "by_image"),
    Step("split by picture", "by_picture", "picture"),
    Step("split by case", "by_case", "subject", split="test"),
)
ENDS = (STEPS[0], STEPS[-1])


@dataclass(frozen=True)
class Answers:
    """Predicted classes of the images that the folds of a step test."""

    rows: np.ndarray  # (M,), places in the cases
    pred: np.ndarray  # (M, S), int, by each training
    own: np.ndarray  # (M,), bool: the image itself, not a copy made before the split
    seen: np.ndarray  # (M,), bool: a version of its picture was in the training part


def step_folds(cases: Cases, step: Step, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pool of a step, as places in the cases, copies last, and the fold of each."""
    pool = np.arange(len(cases))
    if step.copies_first:
        pool = filled_up(cases.labels, FILLED_TO, np.random.default_rng(seed))
    groups = cases.table[step.column].to_numpy(str) if step.column else np.arange(len(pool))
    return pool, k_folds(groups, cases.labels[pool], N_FOLDS, seed)


def answer_step(
    run: Run, cases: Cases, name: str, step: Step, epochs: int, n_folds: int = N_FOLDS
) -> Answers:
    """Train a network of the published size on each of the first folds, ``source_trainings`` times
    by another seed, and name what they hold back. The set comes augmented, so that nothing is
    augmented here.
    """
    p = run.parameters
    settings = source_settings(cases, epochs, p.seed)
    seeds = range(p.seed, p.seed + p.source_trainings)
    pool, fold = step_folds(cases, step, p.seed)
    pictures = cases.table["picture"].to_numpy(str)
    parts = []
    for k in range(n_folds):
        inside, held = pool[fold != k], pool[fold == k]
        if not step.copies_first:
            rng = np.random.default_rng([p.seed, k])
            inside = inside[filled_up(cases.labels[inside], FILLED_TO, rng)]
        tag = f"{step.model}, fold {k + 1} of {N_FOLDS}"
        train, found = cases.select(inside), []
        for seed in seeds:
            how = replace(settings, seed=seed)
            fit = fit_network(run, name, train, None, PUBLISHED, how, tag, weights="none")
            logits = forward(fitted_network(name, PUBLISHED, fit.folder), cases.images[held])
            found.append(logits.argmax(1))
        own = np.flatnonzero(fold == k) < len(cases)
        seen = np.isin(pictures[held], pictures[inside])
        parts.append((held, np.stack(found, 1), own, seen))
    return Answers(*map(np.concatenate, zip(*parts, strict=True)))


def reenact(run: Run, cases: Cases, folder: Path) -> SourceProtocol:
    """Re-enact the source's protocol: on phantoms, which nobody copied, by making the copies, on
    a real set step by step, with whole scans as the source has them.
    """
    if run.parameters.data == "phantom":
        return reenact_source(run, cases)
    return reenact_steps(run, whole_views(run, folder))


def whole_views(run: Run, folder: Path) -> Cases:
    """Read the cases of a run as whole scans, as the source has them; the run's data stay what they
    are.
    """
    fingerprint = run.data_fingerprint
    whole = read_views(run, folder, "whole")
    run.data_fingerprint = fingerprint
    return whole


def reenact_steps(run: Run, cases: Cases) -> SourceProtocol:
    """Train the networks of ``source_networks`` step by step.

    The separable CNN goes through all steps, ``source_folds`` of five folds each; the two wide
    networks, which take far longer, through the first and the last step, one fold each, for
    ``source_wide_epochs``.
    """
    p = run.parameters
    steps = [NetworkSteps(run, cases, SEPARABLE, STEPS, p.source_epochs, p.source_folds)]
    for name in WIDE[p.source_networks]:
        steps.append(NetworkSteps(run, cases, name, ENDS, p.source_wide_epochs, 1))
    lines, shown = [], []
    for one in steps:
        for line, score in one.lines():
            lines.append(line)
            shown.append(score)
    answers = {step.words: side for step, side in zip(STEPS, steps[0].sides, strict=True)}
    rare = recall_of_rare(answers, cases.labels)
    return SourceProtocol(pd.DataFrame(lines), rare, pd.DataFrame(shown), steps[0].words())


class NetworkSteps:
    """One network through the steps.

    All scores are at the mix of classes of the whole set, over the classes that each step tests. A
    class of one case is left out: by case, no network can have learnt it when it is tested.
    """

    def __init__(
        self,
        run: Run,
        cases: Cases,
        name: str,
        steps: tuple[Step, ...],
        epochs: int,
        n_folds: int,
    ) -> None:
        self.run, self.name, self.steps = run, name, steps
        self.epochs, self.n_folds = epochs, n_folds
        self.found = [answer_step(run, cases, name, step, epochs, n_folds) for step in steps]
        kinds = [set(cases.labels[one.rows[one.own]].tolist()) for one in self.found]
        known = cases.table.groupby(cases.labels)["subject"].nunique()
        self.tested = sorted(set.intersection(*kinds, known.index[known > 1]))
        kept = np.isin(range(len(LABELS)), self.tested)
        self.mix = np.bincount(cases.labels, minlength=len(LABELS)) * kept
        self.sides = [_scored(cases, answers, self.tested) for answers in self.found]
        self.exposed = [one.seen[one.own].mean() for one in self.found]
        self.copies_counted = [
            float((cases.labels[one.rows, None] == one.pred).mean()) for one in self.found
        ]

    def lines(self) -> Iterator[tuple[dict, dict]]:
        """Yield a line of the table and one of the figure a step; add the rows to the run."""
        for at, (step, (held, pred)) in enumerate(zip(self.steps, self.sides, strict=True)):
            name = NETWORK_NAMES[self.name]
            line = {"network": name, "protocol": step.words, "epochs": self.epochs}
            line |= {"folds": f"{self.n_folds} of {N_FOLDS}", "classes": len(self.tested)}
            line |= {"images": len(held), "cases": len(set(held.groups))}
            model = f"{self.name}_{step.model}"
            for row in score_at_mix(held, pred, self.mix, model, step.split):
                self.run.add_result(**row)
                line[row["metric"]] = with_interval(row["value"], row["ci95"])
            if step.copies_first:
                line["accuracy, copies counted"] = f"{self.copies_counted[at]:.3f}"
            if at:
                line["less than the step before"] = self._loss(at - 1, at)
            if at == len(self.steps) - 1:
                line["less than the first step"] = self._loss(0, at)
            yield line, shown_score(f"{name}: {step.words}", row)

    def _loss(self, first: int, second: int) -> str:
        names = tuple(f"{self.name}_{self.steps[at].model}" for at in (first, second))
        sides = self.sides[first], self.sides[second]
        facts = {"trainings": self.run.parameters.source_trainings, "epochs": self.epochs}
        facts["exposed"] = float(self.exposed[first])
        return with_interval(*add_macro_difference(self.run, names, sides, self.mix, **facts))

    def words(self) -> str:
        """Say what the first step reports, and what is left of it in the last."""
        rows = [score_at_mix(*side, self.mix, "", "") for side in (self.sides[0], self.sides[-1])]
        told = [[with_interval(row["value"], row["ci95"]) for row in each] for each in rows]
        return (
            f"By the source's protocol the {NETWORK_NAMES[self.name]} reaches an accuracy of "
            f"**{told[0][0]}** and a macro-F1 of **{told[0][1]}**. With no case on both sides, at "
            f"the same mix of classes, it reaches **{told[1][0]}** and **{told[1][1]}**."
        )


def _scored(cases: Cases, answers: Answers, tested: list[int]) -> tuple[Cases, np.ndarray]:
    kept = answers.own & np.isin(cases.labels[answers.rows], tested)
    return cases.select(answers.rows[kept]), answers.pred[kept]
