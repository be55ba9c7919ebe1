"""Read the parameters cell of a notebook without running it, and compare it with the class."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from fetal_book.parameters.base import ChapterParameters, ParameterError

CELL_MARK = re.compile(r"^# %%(?P<rest>.*)$", flags=re.MULTILINE)


def read_parameters_cell(path: Path) -> dict[str, Any]:
    """Return the assignments of the cell tagged `parameters`.

    Parameters
    ----------
    path : Path
        A notebook, `.ipynb` or `.py` in the percent format.

    Raises
    ------
    ParameterError
        If there is not exactly one such cell, or it holds something else than
        `name = literal`.

    Examples
    --------
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
    """Return `{name: value}` of a cell that holds nothing but `name = literal`.

    Raises
    ------
    ParameterError
        With the line that is something else.
    """
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
        elif values[name] != field.default or type(values[name]) is not type(field.default):
            faults.append(
                f"{name}: {values[name]!r} in the notebook, {field.default!r} in the class"
            )
    return faults


def check_parameters_cell(path: Path, cls: type[ChapterParameters]) -> None:
    """Refuse a notebook whose parameters cell is not the class's names and defaults.

    Raises
    ------
    ParameterError
        With one line for every difference.
    """
    faults = cell_faults(cls, read_parameters_cell(path))
    if faults:
        lines = [f"{path.name}, parameters cell: {fault}" for fault in faults]
        raise ParameterError("\n".join(lines))
