"""The parameters as a notebook has them: in its tagged cell, and in its variables when it runs."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.describe import explain_unknown
from fetal_book.parameters.parse import parse_value

CELL_MARK = re.compile(r"^# %%(?P<rest>.*)$", flags=re.MULTILINE)
INJECTED_MARK = "# Parameters"


def read_parameters_cell(path: Path) -> dict[str, Any]:
    """Return the assignments of the one cell tagged `parameters` of an `.ipynb` or a percent `.py`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "00_made_up.py"
    >>> _ = path.write_text('# %% tags=["parameters"]\\nepochs = 3  # passes\\n# %%\\nx = 1\\n')
    >>> read_parameters_cell(path)
    {'epochs': 3}
    """
    sources = _py_cells(path) if path.suffix == ".py" else _ipynb_cells(path)
    if len(sources) != 1:
        raise ParameterError(
            f"{path.name}: {len(sources)} cells are tagged 'parameters'; it must be one"
        )
    return read_literals(sources[0], path.name)


def read_literals(source: str, name: str) -> dict[str, Any]:
    """Return `{name: value}` of a cell that holds nothing but `name = literal`."""
    values: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        target, value = _assignment(statement)
        try:
            literal = ast.literal_eval(value) if value is not None else None
        except ValueError:
            target = None
        if target is None:
            line = ast.unparse(statement).splitlines()[0]
            raise ParameterError(
                f"{name}: the parameters cell holds {line!r}; it must hold `name = literal` only, "
                "since papermill replaces values after it: compute in a later cell"
            )
        values[target] = literal
    return values


def _assignment(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        return None, None
    return (target.id if isinstance(target, ast.Name) else None), value


def _py_cells(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    marks = list(CELL_MARK.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        text[mark.end() : end]
        for mark, end in zip(marks, ends, strict=True)
        if "[markdown]" not in mark["rest"] and re.search(r"[\"']parameters[\"']", mark["rest"])
    ]


def _ipynb_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    return ["".join(cell["source"]) for cell in tagged]


def cell_faults(cls: type[ChapterParameters], values: dict[str, Any]) -> list[str]:
    """Return how a notebook's parameters cell differs from the class, empty when it doesn't."""
    faults = [f"{name}: not a parameter of {cls.__name__}" for name in values
              if name not in cls.model_fields]  # fmt: skip
    for name, field in cls.model_fields.items():
        if name not in values:
            faults.append(f"{name}: missing in the notebook; add {name} = {field.default!r}")
        elif differs(values[name], field.default):
            faults.append(
                f"{name}: {values[name]!r} in the notebook, {field.default!r} in the class"
            )
    return faults


def differs(value: Any, default: Any) -> bool:
    """Say whether a value is another one, or of another type, than the default."""
    return value != default or type(value) is not type(default)


def check_parameters_cell(path: Path, cls: type[ChapterParameters]) -> None:
    """Refuse a notebook whose parameters cell is not the class's names and defaults."""
    faults = cell_faults(cls, read_parameters_cell(path))
    if faults:
        lines = [f"{path.name}, parameters cell: {fault}" for fault in faults]
        raise ParameterError("\n".join(lines))


def notebook_values(
    cls: type[ChapterParameters], namespace: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parameters that differ from the defaults, and the origin of each.

    The namespace is the notebook's `globals()`; IPython keeps the cells that were run under `In`.
    A name that the chapter lacks is refused where papermill injected it or the parameters cell
    holds it; another variable of the notebook is none of ours.
    """
    history = [str(source) for source in namespace.get("In", [])]
    injected = _injected(history)
    unknown = [name for name in {**_declared(cls, history), **injected}
               if name not in cls.model_fields]  # fmt: skip
    if unknown:
        raise ParameterError("\n".join(explain_unknown(cls, name) for name in unknown))
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, field in cls.model_fields.items():
        value = namespace.get(name, field.default)
        if name in injected and isinstance(value, str) and field.annotation is not str:
            value = _from_text(cls, name, value)
        if name in injected or differs(value, field.default):
            values[name] = value
            origin[name] = "papermill" if name in injected else "notebook"
    return values, origin


def _injected(history: Iterable[str]) -> dict[str, Any]:
    """Return what papermill injected, from the cells that were run so far (the last counts)."""
    values: dict[str, Any] = {}
    for source in history:
        if source.lstrip().startswith(INJECTED_MARK):
            values = _literals_or_nothing(source) or values
    return values


def _declared(cls: type[ChapterParameters], history: Iterable[str]) -> dict[str, Any]:
    """Return the parameters cell as it was last run: the one that holds most of the names."""
    values: dict[str, Any] = {}
    for source in history:
        cell = {} if source.lstrip().startswith(INJECTED_MARK) else _literals_or_nothing(source)
        if len(set(cell) & set(cls.model_fields)) * 2 > len(cls.model_fields):
            values = cell
    return values


def _literals_or_nothing(source: str) -> dict[str, Any]:
    try:
        return read_literals(source, "notebook")
    except (SyntaxError, ParameterError):
        return {}


def _from_text(cls: type[ChapterParameters], name: str, value: str) -> Any:
    """Read a text as `-p` does: `papermill -p flag true` injects the text 'true'."""
    try:
        return parse_value(cls, name, value)
    except ParameterError:
        return value
