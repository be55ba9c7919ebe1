"""A trained model in a folder: ``model.json``, arrays and ``card.md``; written, found and read.

A class under `model_spec` says what ``model.json`` must hold. Its numbers of the type `Unbounded`
may be infinite, for which JSON's null stands.
"""

from __future__ import annotations

import json
import math
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BeforeValidator, ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PRETRAINED = Path(__file__).parent.parent / "pretrained"
model_spec = dataclass(frozen=True, config=ConfigDict(extra="forbid"))
Unbounded = Annotated[float, BeforeValidator(lambda value: math.inf if value is None else value)]
SpecT = TypeVar("SpecT", bound="DataclassInstance")
ModelT = TypeVar("ModelT")


class SavedModel(ABC):
    """What trained models share: they are written to a folder.

    Attributes
    ----------
    spec : of a class under `model_spec`.
    """

    spec: DataclassInstance

    @abstractmethod
    def write_arrays(self, folder: Path) -> None:
        """Write weights, and what else is no number of the spec, into an existing folder."""

    def save(self, folder: str | Path, card: str) -> Path:
        """Write spec, arrays and model card (Markdown) into a folder; return the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.write_arrays(folder)
        values = asdict(self.spec)
        infinite = [k for k, v in values.items() if isinstance(v, float) and math.isinf(v)]
        text = json.dumps(values | dict.fromkeys(infinite), indent=1)
        (folder / "model.json").write_text(text + "\n")
        (folder / "card.md").write_text(card, encoding="utf-8")
        return folder


def load_model(
    folder: str | Path | None,
    chapter: str,
    spec_type: type[SpecT],
    build: Callable[[SpecT, Path], ModelT],
    command: str = "",
) -> ModelT:
    """Load a model that :meth:`SavedModel.save` wrote.

    Parameters
    ----------
    folder : a run's ``model/`` folder, or the run's folder; None for the shipped model.
    chapter : whose runs make such models, such as ``04_head_circumference``.
    spec_type : of its ``model.json``.
    build : makes the model from the spec and the arrays in the folder.
    command : that makes such a model, where no run of the chapter does.

    Raises
    ------
    ValueError
        If there is no such model, or it cannot be read.
    """
    home = find_model(folder, chapter, command)
    try:
        return build(read_spec(home, spec_type), home)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"model={str(home)!r} cannot be read ({error}); train it anew: "
            f"`{command or _run_of(chapter)}`."
        ) from error


def find_model(folder: str | Path | None, chapter: str, command: str = "") -> Path:
    """Return the folder that holds ``model.json``: the one that is named, or ``model/`` in it.

    With a ``command`` that makes such models the advice is that one, and none is asked for without
    a folder.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    shipped = PRETRAINED / chapter[3:]
    named = shipped if folder is None else Path(folder)
    for home in (named, named / "model"):
        if (home / "model.json").is_file():
            return home
    if folder is None:
        what = "no model is shipped"
    else:
        lacks = "no model.json in it" if named.exists() else "there is no such folder"
        what = f"model={str(named)!r}: {lacks}"
    advice = (
        f"name the folder of a finished run of {chapter}, for example after `{_run_of(chapter)}`"
    )
    if command:
        advice = f"name the folder of a model that `{command}` wrote"
    if command or (shipped / "model.json").is_file():
        advice += ", or name none for the model that is shipped"
    raise ValueError(f"{what}; {advice}.")


def _run_of(chapter: str) -> str:
    return f"fetal-lib run {chapter[:2]}"


def read_spec(folder: Path, spec_type: type[SpecT]) -> SpecT:
    """Return the spec in a folder.

    Raises
    ------
    ValueError
        If ``model.json`` is no JSON, or a value is missing, unknown or of another type.
    """
    values = json.loads((folder / "model.json").read_text())
    try:
        return spec_type(**values)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ValueError(f"model.json: {'; '.join(wrong)}") from None
