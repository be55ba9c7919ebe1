"""Approach B: networks that read the age from the image, one fit an outer fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.chapters.brain_age.tissues import CODE as TISSUE_CODE
from fetal_lib.baselines.age_regression import NestedPrediction
from fetal_lib.models.torch_weights import load_torch_weights
from fetal_lib.training.history import WEIGHTS, read_history
from fetal_lib.training.torch_arrays import Arrays, of_output
from fetal_lib.training.torch_fit import fit_torch
from fetal_lib.training.torch_forward import predict_network, seed_torch
from fetal_lib.training.torch_task import TorchSettings
from fetal_lib.training.volume_augment import shift_augment

if TYPE_CHECKING:
    from torch import nn

    from fetal_book.parameters.brain_age import BrainAgeParameters
    from fetal_book.runs.session import Run
    from fetal_lib.data.splits.folds import Fold

YEARS = 20.0
"""Ages are learnt as (age - mean of the training part) / YEARS."""
AGE_CODE = (
    *TISSUE_CODE,
    "fetal_lib.models.res_next_3d",
    "fetal_lib.models.sfcn_3d",
    "fetal_lib.training.torch_arrays",
    "fetal_lib.training.torch_fit",
    "fetal_lib.training.volume_augment",
)


@dataclass(frozen=True)
class AgeFits:
    """Hold what a network says in all outer folds."""

    # its inner predictions exist for the validation part of each fold only
    prediction: NestedPrediction
    histories: list[list[dict]]  # one an outer fold; errors in years
    folders: list[Path]  # the fits
    train_s: float  # all fits together


def new_network(name: str, p: BrainAgeParameters) -> nn.Module:
    """Build the untrained ``resnext`` or ``sfcn`` of the run's width, with the run's seed."""
    from fetal_lib.models.res_next_3d import get_res_next_3d
    from fetal_lib.models.sfcn_3d import get_sfcn_3d

    seed_torch(p.seed)
    if name == "resnext":
        blocks = tuple(int(c) for c in p.resnext_blocks)
        # The source's stem keeps the first axis whole, which small volumes cannot pay for.
        stride = (1, 2, 2) if p.resnext_blocks == "3463" else (2, 2, 2)
        return get_res_next_3d(p.resnext_width, p.resnext_cardinality, blocks, stem_stride=stride)
    n_blocks = min(5, int(np.log2(p.age_side)) - 1)
    return get_sfcn_3d(p.sfcn_width, n_blocks, dropout=0.2)


def fit_settings(name: str, p: BrainAgeParameters) -> TorchSettings:
    """Turn the chapter's parameters into the settings of a network's fit."""
    resnext = name == "resnext"
    return TorchSettings(
        epochs=p.resnext_epochs if resnext else p.sfcn_epochs,
        batch_size=p.age_batch,
        learning_rate=p.resnext_rate if resnext else p.sfcn_rate,
        weight_decay=0.0 if p.schedule == "constant" else 0.01,
        schedule=p.schedule,
        ema=0.0 if p.schedule == "constant" else 0.95,
        seed=p.seed,
    )


def fit_one(
    run: Run,
    name: str,
    images: np.ndarray,
    age_years: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
) -> tuple[Callable[[np.ndarray], np.ndarray], Path, float]:
    """Train a network on some rows.

    Returns a function from images (n, 1, S, S, S) to ages in years (n,), the fit's folder, and the
    seconds that it took.
    """
    from torch.nn.functional import mse_loss

    p = run.parameters
    settings = fit_settings(name, p)
    mean = float(age_years[train].mean())
    x = np.asarray(images, np.float32)
    y = ((age_years - mean) / YEARS).astype(np.float32)[:, None]

    def fit(folder: Path) -> None:
        task = Arrays(
            x[train],
            y[train],
            settings,
            of_output(mse_loss),
            (x[val], y[val]),
            shift_augment(),
        )
        fit_torch(folder, new_network(name, p), task, run.progress)

    spec = {"name": name, "side": p.age_side, "spacing_mm": p.age_spacing_mm}
    spec |= {"width": p.resnext_width, "cardinality": p.resnext_cardinality}
    spec |= {"blocks": p.resnext_blocks} if name == "resnext" else {"width": p.sfcn_width}
    rows = {"train": train.tolist(), "val": val.tolist()}
    outcome = run.fit_or_reuse(spec, settings.as_spec() | rows, AGE_CODE, fit)
    network = new_network(name, p)
    load_torch_weights(network, outcome.folder / WEIGHTS)
    network.eval()

    def predict(some: np.ndarray) -> np.ndarray:
        out = predict_network(network, np.asarray(some, np.float32), 16)
        return mean + YEARS * out[:, 0].astype(float)

    return predict, outcome.folder, outcome.train_s


def fit_folds(
    run: Run, name: str, images: np.ndarray, age_years: np.ndarray, folds: list[Fold]
) -> AgeFits:
    """Train a network in each outer fold on its training part without its first inner fold.

    That inner fold is the validation part: it is watched, and later weighs the ensemble and
    sets intervals; it stops nothing and picks no epoch.
    """
    outer = np.full(len(age_years), np.nan)
    inner, histories, folders, seconds = [], [], [], 0.0
    for fold in folds:
        train, val = fold.inner[0]
        predict, folder, train_s = fit_one(run, name, images, age_years, train, val)
        outer[fold.test] = predict(images[fold.test])
        guess = np.full(len(age_years), np.nan)
        guess[val] = predict(images[val])
        inner.append(guess)
        histories.append(_in_years(read_history(folder)))
        folders.append(folder)
        seconds += train_s
    return AgeFits(NestedPrediction(outer, tuple(inner)), histories, folders, seconds)


def _in_years(history: list[dict]) -> list[dict]:
    """Return a history with losses as root mean squared errors in years."""
    rows = []
    for row in history:
        out = {"epoch": row["epoch"]}
        for key in ("loss", "val_loss"):
            if key in row:
                out[key.replace("loss", "rmse_years")] = YEARS * float(np.sqrt(row[key]))
        rows.append(out)
    return rows
