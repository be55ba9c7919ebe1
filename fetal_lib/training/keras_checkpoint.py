"""Keep a Keras fit's state in a folder, an epoch at a time, so that it can be gone on with.

While a fit runs, its folder holds ``history.jsonl``, one row an epoch, and
``<epochs>-checkpoint.weights.h5`` with weights and optimiser; in the end ``history.jsonl`` and
``weights.npz``. Each file is written beside its place and renamed, so a kill at any moment
leaves either the old state or the new one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.models.weights import save_weights

if TYPE_CHECKING:
    import keras

CHECKPOINT = "checkpoint.weights.h5"
HISTORY = "history.jsonl"
WEIGHTS = "weights.npz"


def read_history(folder: str | Path) -> list[dict]:
    """Return the rows of a fit's history, one an epoch; empty before the first."""
    path = Path(folder) / HISTORY
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def restore(model: keras.Model, folder: Path) -> list[dict]:
    """Load the last checkpoint into a compiled model, if there is one; return the history.

    Parameters
    ----------
    model : keras.Model
        Compiled, its optimiser built; changed in place.
    folder : Path

    Returns
    -------
    list of dict
        One row for every epoch that is done.
    """
    history = read_history(folder)
    if history:
        model.load_weights(folder / f"{len(history)}-{CHECKPOINT}")
    return history


def save_checkpoint(model: keras.Model, folder: Path, history: list[dict]) -> None:
    """Write weights first, then the history that names them, then drop the old weights.

    Parameters
    ----------
    model : keras.Model
        Weights and optimiser are kept.
    folder : Path
    history : list of dict
        One JSON row for every epoch that is done, this one included.
    """
    current = folder / f"{len(history)}-{CHECKPOINT}"
    part = folder / f"part-{CHECKPOINT}"
    model.save_weights(part, overwrite=True)
    part.replace(current)
    text = folder / f"{HISTORY}.part"
    text.write_text("".join(json.dumps(row) + "\n" for row in history))
    text.replace(folder / HISTORY)
    drop_checkpoints(folder, but=current)


def drop_checkpoints(folder: Path, but: Path | None = None) -> None:
    """Remove the checkpoints of a folder, but for one."""
    for checkpoint in folder.glob(f"*-{CHECKPOINT}"):
        if checkpoint != but:
            checkpoint.unlink()


def write_weights(model: keras.Model, path: Path) -> None:
    """Write weights as `fetal_lib.models.weights` rounds them, whole or not at all."""
    part = path.with_name(f"part-{path.name}")
    save_weights(model, part)
    part.replace(path)


def finish_fit(model: keras.Model, folder: Path, averaged: bool) -> None:
    """Write the weights of a fit that is done, and remove its checkpoints.

    Parameters
    ----------
    model : keras.Model
        Changed in place when ``averaged`` is set.
    folder : Path
    averaged : bool
        Keep the optimiser's moving average of the weights in place of the last ones.
    """
    if averaged:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    write_weights(model, folder / WEIGHTS)
    drop_checkpoints(folder)


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Set what each dropout layer draws from; checkpoints do not hold it."""
    for number, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([seed, 10_000 * epoch + number], dtype="uint32"))
