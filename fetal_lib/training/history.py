"""What every fit leaves in its folder, whatever the framework: its history and its weights.

``history.jsonl`` has a row an epoch and ``weights.npz`` the weights that are kept. Each is written
beside its place and renamed, so a kill at any moment leaves either the old state or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

HISTORY, WEIGHTS = "history.jsonl", "weights.npz"
Progress = Callable[..., None]
"""Called with the word ``epoch`` and the row of the history."""


class DamagedFit(ValueError):
    """A file from which a fit would go on is not what was written.

    Parameters
    ----------
    path : path
        The file; the text names it and the way out.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(
            f"{path}: damaged, so the training cannot go on from it; remove its folder and train "
            "from the start."
        )


def read_history(folder: str | Path) -> list[dict]:
    """Return the rows of a fit's history, one an epoch; empty before the first.

    Each has ``epoch``, ``loss`` and ``seconds``, and what the fit watched, such as ``val_loss``.

    Raises
    ------
    DamagedFit
        If the file is not lines of JSON.
    """
    path = Path(folder) / HISTORY
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        raise DamagedFit(path) from error


def write_history(folder: Path, rows: list[dict]) -> None:
    """Write a fit's history, whole or not at all."""
    part = folder / f"{HISTORY}.part"
    part.write_text("".join(json.dumps(row) + "\n" for row in rows))
    part.replace(folder / HISTORY)


def unheard(event: str, **fields: object) -> None:
    """Tell nobody: the progress of a fit that nobody watches."""
