"""What goes into a shipped model and what comes out, for programs: ``contract.json`` beside it.

A person writes inputs and outputs once. Files are named with their sums, so that a model whose
files differ has no valid contract until `renew_contract` has noted what changed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json
from fetal_lib.files.fingerprint import file_sha256
from fetal_lib.predict.model_folder import model_spec

NAME = "contract.json"
UNSUMMED = (NAME, "card.md", "external.csv", "out_of_fold.csv", "ablation.csv")
"""What tells about a model and is no part of it."""


class ContractError(UserError, ValueError):
    """A contract cannot be read, or does not say what has to be said."""


@model_spec
class Quantity:
    """Describe one input or output.

    Attributes
    ----------
    name : an array of the network, an option of the command, or a column of its table.
    what : in words.
    shape : letters stand for any size; empty for a number or a text.
    dtype, unit : such as ``float32`` and ``mm``; a text and a share have no unit.
    low, high : least and greatest value that it can have; None where there is no bound.
    """

    name: str
    what: str
    shape: tuple[int | str, ...] = ()
    dtype: str = "float64"
    unit: str = ""
    low: float | None = None
    high: float | None = None


@model_spec
class Change:
    """Say what a version of a model changed for who uses it."""

    version: int
    date: str
    what: str


@model_spec
class Contract:
    """Hold what ``contract.json`` says.

    Attributes
    ----------
    model : name of its folder.
    command : of `fetal-lib` that answers by it; empty for a part of a method.
    inputs, outputs : of the network, and of the command where there is one.
    changes : a line a version, the newest first.
    files : names of the model's files with their SHA-256.
    """

    model: str
    command: str
    inputs: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...]
    changes: tuple[Change, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """Version of the model; 0 before the first is noted."""
        return self.changes[0].version if self.changes else 0


def read_contract(folder: str | Path) -> Contract:
    """Return the contract of a model in a folder.

    Raises
    ------
    ContractError
        If there is none, or it cannot be read.
    """
    path = Path(folder) / NAME
    try:
        return TypeAdapter(Contract).validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ContractError(f"{path.parent.name}: {NAME} is missing") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ContractError(f"{path.parent.name}: {NAME}: {wrong}") from error


def model_files(folder: str | Path) -> dict[str, str]:
    """Return the files that a model is made of, with their SHA-256."""
    folder = Path(folder)
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = ((path.relative_to(folder).as_posix(), path) for path in found)
    return {name: file_sha256(path) for name, path in names if name not in UNSUMMED}


def contract_problems(folder: str | Path) -> list[str]:
    """Return what a contract says that is not so; empty where it holds."""
    folder, contract = Path(folder), read_contract(folder)
    problems = []
    if contract.model != folder.name:
        problems.append(f"model={contract.model!r}: the folder is {folder.name!r}")
    if contract.files != model_files(folder):
        problems.append("the files differ from those that the newest version was noted for")
    versions = [change.version for change in contract.changes]
    if versions != list(range(len(versions), 0, -1)) or not versions:
        problems.append(f"versions {versions}: they must count down to 1, a line each")
    return problems


def renew_contract(folder: str | Path, what: str) -> Contract:
    """Note a new version of a model whose files changed, with what it changes for who uses it.

    Raises
    ------
    ContractError
        If nothing changed, or nothing is said of it.
    """
    folder, contract = Path(folder), read_contract(folder)
    files = model_files(folder)
    if files == contract.files:
        raise ContractError(f"{folder.name}: its files are those of version {contract.version}")
    if not what.strip():
        raise ContractError("what: say what changes for who uses the model")
    date = datetime.now(UTC).date().isoformat()
    change = Change(contract.version + 1, date, what.strip())
    values = asdict(contract) | {"changes": [change, *contract.changes], "files": files}
    renewed = TypeAdapter(Contract).validate_python(values)
    write_json(folder / NAME, json.loads(TypeAdapter(Contract).dump_json(renewed)))
    return renewed
