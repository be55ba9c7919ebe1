"""Find, check and describe the data of chapter 05."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.parameters.brain_age import BrainAgeParameters
from fetal_book.parameters.project import cache_root
from fetal_book.runs.data_sets import cached_phantoms, data_folder
from fetal_lib.data.splits.folds import Fold, k_folds, nested_folds
from fetal_phantoms.adult_brain.write import GENERATOR_VERSION, write_adult_brain_set

TEACHER_SEED = 7_919
"""Added to the seed for the phantoms that teach segmentation: other people than those tested."""
SPACE = "mni"
"""Phantoms come registered to the template, as the scans of OASIS-1 do."""


def find_data(parameters: BrainAgeParameters) -> Path:
    """Return the folder that the ``data`` parameter names; phantoms are made on first use."""
    p = parameters
    make = partial(write_adult_brain_set, n_subjects=p.n_phantoms, seed=p.seed, space=SPACE)
    return data_folder(p.data, make, _spec(p.n_phantoms, p.seed))


def find_teachers(parameters: BrainAgeParameters) -> Path:
    """Return the folder of the phantoms whose true labels teach segmentation."""
    n, seed = parameters.n_teachers, parameters.seed + TEACHER_SEED
    make = partial(write_adult_brain_set, n_subjects=n, seed=seed, space=SPACE)
    return cached_phantoms(make, _spec(n, seed), cache_root())


def _spec(n: int, seed: int) -> dict:
    spec = {"kind": "adult_brain", "version": GENERATOR_VERSION, "space": SPACE}
    return spec | {"n": n, "seed": seed}


@dataclass(frozen=True)
class Parts:
    """Hold which subjects teach, and in which fold each of the others is tested."""

    # bool (N,): subjects whose labels train the second segmenter; their ages train all age models,
    # and are never tested
    teaches: np.ndarray
    folds: list[Fold]  # rows of the table
    fold: np.ndarray  # int (N,): fold in which a subject is tested; -1 for those that teach
    # int (N,): whose scan a row is, numbered as they first come: intervals draw persons, not scans
    person: np.ndarray

    @property
    def tested(self) -> np.ndarray:
        """Rows of the subjects that are tested, bool (N,)."""
        return self.fold >= 0


def split_subjects(table: pd.DataFrame, parameters: BrainAgeParameters) -> Parts:
    """Set aside those who teach segmentation, evenly over ages; deal the others to folds.

    Scans of one person stay together. Fewer than four subjects a fold to be tested are refused.
    """
    p = parameters
    subject, age = table["subject"].to_numpy(str), table["age_years"].to_numpy(float)
    n_people = len(np.unique(subject))
    least = p.n_segmentation + 4 * p.n_folds
    if n_people < least:
        raise ValueError(
            f"data: {n_people} subjects can be used; n_segmentation={p.n_segmentation} and "
            f"n_folds={p.n_folds} need {least} or more. Lower them, or give more subjects."
        )
    dealt = k_folds(subject, age, max(2, n_people // p.n_segmentation), p.seed + 1)
    teaches = dealt == 0
    rest = np.flatnonzero(~teaches)
    fold = np.full(len(age), -1)
    folds = []
    for part in nested_folds(subject[rest], age[rest], p.n_folds, p.n_inner, p.seed):
        fold[rest[part.test]] = part.number
        always = np.flatnonzero(teaches)
        inner = tuple((np.append(rest[a], always), rest[b]) for a, b in part.inner)
        train = np.append(rest[part.train], always)
        folds.append(Fold(part.number, train, rest[part.test], inner))
    return Parts(teaches, folds, fold, pd.factorize(subject)[0])


def describe_subjects(table: pd.DataFrame, fold: np.ndarray) -> pd.DataFrame:
    """Return a row a fold: subjects, women, and their ages."""
    rows = []
    for number in np.unique(fold):
        some = table[fold == number]
        row = {"part": "teaches segmentation" if number < 0 else f"fold {number + 1}"}
        row |= {"subjects": some["subject"].nunique(), "women": int((some["sex"] == "F").sum())}
        age = some["age_years"]
        rows.append(
            row | {"mean age": age.mean(), "SD": age.std(), "from": age.min(), "to": age.max()}
        )
    return pd.DataFrame(rows)


def leak_audit(table: pd.DataFrame, parts: Parts, shares: np.ndarray) -> pd.DataFrame:
    """Ask what could leak: people on two sides, scans that look alike, names that know the age."""
    from scipy.stats import spearmanr

    names = table["subject"].to_numpy(str)
    torn = [s for s in np.unique(names) if len(np.unique(parts.fold[names == s])) > 1]
    z = shares - shares.mean(axis=0)
    alike = (z @ z.T) / np.outer(np.linalg.norm(z, axis=1), np.linalg.norm(z, axis=1))
    other = parts.fold[:, None] != parts.fold[None]
    highest = float(alike[other & ~np.eye(len(z), dtype=bool)].max())
    order = spearmanr(np.arange(len(names)), table["age_years"]).statistic
    checks = {
        "subjects in two parts": len(torn),
        "scan pairs in two parts that correlate above 0.98": int(
            (np.triu(alike > 0.98, 1) & other).sum()
        ),
        "highest correlation of two scans in two parts": highest,
        "rank correlation, order of the list and age": float(order),
    }
    checks |= _clues(table)
    return pd.DataFrame({"check": checks.keys(), "finding": checks.values()})


def _clues(table: pd.DataFrame) -> dict[str, float]:
    from scipy.stats import spearmanr

    clues = {}
    age = table["age_years"].to_numpy(float)
    women = (table["sex"] == "F").to_numpy(float)
    for name, values in (("sex", women), ("head size (eTIV)", table["etiv_ml"].to_numpy(float))):
        known = np.isfinite(values)
        if known.sum() > 5 and np.ptp(values[known]) > 0:
            rho = spearmanr(values[known], age[known]).statistic
            clues[f"rank correlation, {name} and age"] = float(rho)
    return clues
