"""Train chapter 01's networks: a fold a network, its validation part within its training part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.gestational_age.data import CHOICES, PlaneSet, channels, network_name
from fetal_lib.data.splits.folds import nested_folds
from fetal_lib.models.vgg16_attention import backbone_of, get_age_network, set_fine_tuning_depth
from fetal_lib.models.weights import load_weights
from fetal_lib.training.history import WEIGHTS, read_history
from fetal_lib.training.keras_fit import fit_keras
from fetal_lib.training.keras_regression import Regression, RegressionSettings, predict_values

if TYPE_CHECKING:
    import keras

    from fetal_book.parameters.gestational_age import GestationalAgeParameters
    from fetal_book.runs.session import Run
    from fetal_lib.data.splits.folds import Fold

FIT_CODE = (
    "fetal_lib.models.vgg16_attention",
    "fetal_lib.training.fused_batch_norm",
    "fetal_lib.training.keras_regression",
)
N_INNER = 6
"""Inner folds: the first one's validation part, a sixth of the training fetuses, is used."""


@dataclass(frozen=True)
class FoldFit:
    """Hold one trained network and its answers for the rows of the samples that were held out."""

    network: keras.Model
    settings: RegressionSettings
    test: np.ndarray
    pred_days: np.ndarray
    history: list[dict]
    train_s: float


def new_network(
    parameters: GestationalAgeParameters, seed: int = 0, choice: str = ""
) -> keras.Model:
    """Build the untrained network of a run, with its fine-tuning depth set."""
    from fetal_lib.training.fused_batch_norm import fuse_batch_norms

    p = parameters
    network = get_age_network(
        p.image_size,
        CHOICES[choice or p.planes],
        p.backbone,
        p.width,
        p.batch_norm,
        p.n_pools,
        p.weights,
        p.hidden,
        p.dropout,
        seed,
    )
    set_fine_tuning_depth(network, p.fine_tune_last)
    return fuse_batch_norms(network)


def layer_shapes(network: keras.Model) -> pd.DataFrame:
    """Return a row a part of the network: name, shape of its output, parameters."""
    rows = []
    for layer in network.layers:
        shape = " x ".join(str(n) for n in layer.output.shape[1:])
        rows.append({"layer": layer.name, "output": shape, "parameters": layer.count_params()})
    kept = ("planes", "backbone", "gate_", "gated_", "fusion", "hidden", "dropout", "age")
    frame = pd.DataFrame(rows)
    return frame[frame["layer"].str.startswith(kept)].reset_index(drop=True)


def depth_table(parameters: GestationalAgeParameters) -> pd.DataFrame:
    """Return what fine-tuning depths leave trainable in the backbone, the run's own among them."""
    network = new_network(parameters)
    backbone = backbone_of(network)
    rows = []
    for depth in sorted({100, 8, 4, 0, parameters.fine_tune_last}, reverse=True):
        frozen = set_fine_tuning_depth(network, depth)
        trained = sum(int(np.prod(weight.shape)) for weight in backbone.trainable_weights)
        row = {"last layers": depth, "trained": len(backbone.layers) - frozen, "frozen": frozen}
        own = "this run" if depth == parameters.fine_tune_last else ""
        rows.append(row | {"trained parameters of the backbone": trained, "": own})
    return pd.DataFrame(rows)


def make_folds(planes: PlaneSet, parameters: GestationalAgeParameters) -> list[Fold]:
    """Return outer folds by fetus, stratified by age, each with inner folds of its own."""
    table = planes.table
    days = table["ga_days"].to_numpy(float)
    p = parameters
    n_inner = min(N_INNER, table["group"].nunique() // 2)
    return list(nested_folds(table["group"].to_numpy(), days, p.n_folds, n_inner, p.seed))


def fit_settings(
    parameters: GestationalAgeParameters, ga_days: np.ndarray, seed: int, choice: str = ""
) -> RegressionSettings:
    """Turn the chapter's parameters into settings; the target is scaled by training ages."""
    p = parameters
    chosen = CHOICES[choice or p.planes]
    return RegressionSettings(
        epochs=p.epochs,
        batch_size=p.batch_size,
        learning_rate=p.learning_rate,
        centre=float(np.mean(ga_days)) if p.scale_target else 0.0,
        scale=float(np.std(ga_days)) if p.scale_target else 1.0,
        augment=p.augment,
        mirrored=tuple(k for k, plane in enumerate(chosen) if plane != "sagittal"),
        schedule=p.schedule,
        seed=seed,
    )


def fit_part(
    run: Run,
    planes: PlaneSet,
    train: np.ndarray,
    val: np.ndarray,
    test: np.ndarray,
    number: int,
    choice: str = "",
    parameters: GestationalAgeParameters | None = None,
) -> FoldFit:
    """Train one network and answer for the test rows; seeds differ by the number of the fold."""
    p = parameters or run.parameters
    days = planes.table["ga_days"].to_numpy(float)
    seed = p.seed * 1000 + number
    settings = fit_settings(p, days[train], seed, choice)
    images = planes.images[..., channels(p, choice)]

    def fit(folder: Path) -> None:
        task = Regression(images[train], days[train], settings, (images[val], days[val]))
        fit_keras(folder, new_network(p, seed, choice), task, run.progress)

    spec = {"name": network_name(p), "planes": choice or p.planes, "backbone": p.backbone}
    spec |= {"image_size": p.image_size, "width": p.width, "batch_norm": p.batch_norm}
    spec |= {"n_pools": p.n_pools, "weights": p.weights, "hidden": p.hidden, "dropout": p.dropout}
    rows = {"train": train.tolist(), "val": val.tolist(), "last": p.fine_tune_last}
    outcome = run.fit_or_reuse(spec, settings.as_spec() | rows, FIT_CODE, fit, seed)
    network = new_network(p, seed, choice)
    load_weights(network, outcome.folder / WEIGHTS)
    found = predict_values(network, images[test], settings.centre, settings.scale)
    history = read_history(outcome.folder)
    return FoldFit(network, settings, test, found, history, outcome.train_s)


def fit_fold(
    run: Run,
    planes: PlaneSet,
    fold: Fold,
    choice: str = "",
    parameters: GestationalAgeParameters | None = None,
) -> FoldFit:
    """Train the network of one outer fold; its first inner fold steers the rate and the stop."""
    train, val = fold.inner[0]
    return fit_part(run, planes, train, val, fold.test, fold.number, choice, parameters)


def answers(planes: PlaneSet, fits: list[FoldFit]) -> pd.DataFrame:
    """Return a row a held-out sample: ``subject, ga_days, slice, fold, pred_days``."""
    parts = []
    for number, one in enumerate(fits):
        part = planes.table.iloc[one.test][["subject", "group", "ga_days", "slice"]].copy()
        parts.append(part.assign(fold=number, pred_days=one.pred_days))
    return pd.concat(parts).sort_index()
