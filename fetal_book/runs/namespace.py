"""Read a chapter's parameters from the notebook's variables, and say where each came from."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.describe import explain_unknown
from fetal_book.parameters.parse import parse_value

INJECTED_MARK = "# Parameters"


def literal_cell(source: str) -> dict[str, Any] | None:
    """Return the assignments of a cell that holds nothing else, None for any other cell.

    >>> literal_cell("a = 1\\nb = -2.5  # half")
    {'a': 1, 'b': -2.5}
    >>> literal_cell("a = f(1)") is None
    True
    """
    values: dict[str, Any] = {}
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return None
    for statement in body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            return None
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if len(targets) != 1 or not isinstance(targets[0], ast.Name) or statement.value is None:
            return None
        try:
            values[targets[0].id] = ast.literal_eval(statement.value)
        except ValueError:
            return None
    return values or None


def injected_values(history: Iterable[str]) -> dict[str, Any]:
    """Return what papermill injected, from the cells that were run so far (the last counts)."""
    values: dict[str, Any] = {}
    for source in history:
        if source.lstrip().startswith(INJECTED_MARK):
            values = literal_cell(source) or values
    return values


def declared_values(cls: type[ChapterParameters], history: Iterable[str]) -> dict[str, Any]:
    """Return the notebook's own parameters cell, as it was last run."""
    values: dict[str, Any] = {}
    for source in history:
        cell = None if source.lstrip().startswith(INJECTED_MARK) else literal_cell(source)
        if cell and len(set(cell) & set(cls.model_fields)) * 2 > len(cls.model_fields):
            values = cell
    return values


def notebook_values(
    cls: type[ChapterParameters], namespace: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parameters that differ from the defaults, and the origin of each.

    Parameters
    ----------
    namespace : mapping
        The notebook's `globals()`; IPython keeps the cells that were run under `In`.

    Raises
    ------
    ParameterError
        If papermill injected, or the parameters cell holds, a name that the chapter lacks.
    """
    history = [str(source) for source in namespace.get("In", [])]
    injected = injected_values(history)
    unknown = [name for name in {**declared_values(cls, history), **injected}
               if name not in cls.model_fields]  # fmt: skip
    if unknown:
        raise ParameterError("\n".join(explain_unknown(cls, name) for name in unknown))
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, field in cls.model_fields.items():
        value = namespace.get(name, field.default)
        if name in injected and isinstance(value, str) and field.annotation is not str:
            value = _from_text(cls, name, value)
        if name in injected or value != field.default or type(value) is not type(field.default):
            values[name] = value
            origin[name] = "papermill" if name in injected else "notebook"
    return values, origin


def _from_text(cls: type[ChapterParameters], name: str, value: str) -> Any:
    """Read a text as `-p` does: `papermill -p flag true` injects the text 'true'."""
    try:
        return parse_value(cls, name, value)
    except ParameterError:
        return value
