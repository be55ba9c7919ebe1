"""What all folders of trained models share: ``model.json``, ``card.md``, and how they are found."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def find_model(folder: str | Path | None, shipped: Path | None, advice: str) -> Path:
    """Return the folder that holds ``model.json``: the one that is named, or ``model/`` in it.

    Parameters
    ----------
    folder : a run's ``model/`` folder, or the run's folder; None for the shipped one.
    shipped : the model of the package, None where there is none.
    advice : what to do when there is no model.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    named = shipped if folder is None else Path(folder)
    for home in () if named is None else (named, named / "model"):
        if (home / "model.json").is_file():
            return home
    what = "no model is shipped" if folder is None else f"model={str(named)!r}: no model.json in it"
    raise ValueError(f"{what}; {advice}")


def write_spec(
    folder: Path, spec: DataclassInstance, card: str, may_be_infinite: Sequence[str] = ()
) -> None:
    """Write a spec as ``model.json``, where JSON's null stands for infinity, and ``card.md``."""
    values = asdict(spec)
    values |= {name: None for name in may_be_infinite if math.isinf(values[name])}
    (folder / "model.json").write_text(json.dumps(values, indent=1) + "\n")
    (folder / "card.md").write_text(card, encoding="utf-8")


def read_spec(folder: Path, may_be_infinite: Sequence[str] = ()) -> dict[str, Any]:
    """Return the values that `write_spec` wrote.

    Raises
    ------
    json.JSONDecodeError, KeyError
        If it is no JSON, or a value that may be infinite is missing.
    """
    values = json.loads((folder / "model.json").read_text())
    return values | {name: math.inf for name in may_be_infinite if values[name] is None}
