"""Keep a Keras fit's state in a folder, an epoch at a time, so that it can be gone on with.

While a fit runs, its folder holds ``history.jsonl`` and ``<epochs>-checkpoint.weights.h5`` with
weights and optimiser, and beside it its sha256, since HDF5 does not notice changed bytes; in the
end the checkpoint gives way to ``weights.npz``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.files.fingerprint import file_sha256
from fetal_lib.models.weights import save_weights
from fetal_lib.training.history import DamagedFit, read_history, write_history

if TYPE_CHECKING:
    import keras

CHECKPOINT = "checkpoint.weights.h5"


def restore(model: keras.Model, folder: Path) -> list[dict]:
    """Load the last checkpoint into a compiled model, if there is one; return the history.

    Raises
    ------
    DamagedFit
        If the checkpoint is not the file that was written.
    """
    history = read_history(folder)
    if history:
        last = folder / f"{len(history)}-{CHECKPOINT}"
        sha256 = _sha256_of(last)
        if not (last.is_file() and sha256.is_file() and sha256.read_text() == file_sha256(last)):
            raise DamagedFit(last)
        model.load_weights(last)
    return history


def save_checkpoint(model: keras.Model, folder: Path, history: list[dict]) -> None:
    """Write weights first, then the history that names them, then drop the old weights."""
    current = folder / f"{len(history)}-{CHECKPOINT}"
    part = folder / f"part-{CHECKPOINT}"
    model.save_weights(part, overwrite=True)
    part.replace(current)
    _sha256_of(current).write_text(file_sha256(current))
    write_history(folder, history)
    drop_checkpoints(folder, but=current)


def drop_checkpoints(folder: Path, but: Path | None = None) -> None:
    """Remove the checkpoints of a folder, but for one."""
    for checkpoint in folder.glob(f"*-{CHECKPOINT}"):
        if checkpoint != but:
            checkpoint.unlink()
            _sha256_of(checkpoint).unlink(missing_ok=True)


def _sha256_of(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}.sha256")


def write_weights(model: keras.Model, path: Path) -> None:
    """Write weights as `fetal_lib.models.weights` rounds them, whole or not at all."""
    part = path.with_name(f"part-{path.name}")
    save_weights(model, part)
    part.replace(path)


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Set what each dropout layer draws from; checkpoints do not hold it."""
    for number, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([seed, 10_000 * epoch + number], dtype="uint32"))
