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


def read_history(folder: str | Path) -> list[dict]:
    """Return the rows of a fit's history, one an epoch; empty before the first.

    Each has ``epoch``, ``loss`` and ``seconds``, and what the fit watched, such as ``val_loss``.
    """
    path = Path(folder) / HISTORY
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_history(folder: Path, rows: list[dict]) -> None:
    """Write a fit's history, whole or not at all."""
    part = folder / f"{HISTORY}.part"
    part.write_text("".join(json.dumps(row) + "\n" for row in rows))
    part.replace(folder / HISTORY)


def unheard(event: str, **fields: object) -> None:
    """Tell nobody: the progress of a fit that nobody watches."""
