"""Turn the text of `-p name=value` into a typed value, by the field's annotation."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.describe import explain_unknown, rule_text

NONE_WORDS = ("none", "null", "")


class _NoMatch(Exception):
    """A text does not read as the type that was asked for."""


def parse_assignments(cls: type[ChapterParameters], texts: Iterable[str]) -> dict[str, Any]:
    """Return typed values from texts such as `epochs=3`; ranges are checked later, by the class.

    Raises
    ------
    ParameterError
        With one line for every text that is no `name=value`, names an unknown parameter, names
        one twice, or cannot be read as that parameter's type.

    Examples
    --------
    >>> from fetal_book.parameters.chapters import get_chapter
    >>> cls = get_chapter("04").parameters_class()
    >>> parse_assignments(cls, ["epochs=3", "learning_rate=1e-4", "marks=false"])
    {'epochs': 3, 'learning_rate': 0.0001, 'marks': False}
    """
    values: dict[str, Any] = {}
    lines: list[str] = []
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            lines.append(f"-p: received {text!r}; it must be name=value; for example -p seed=1")
        elif name not in cls.model_fields:
            lines.append(explain_unknown(cls, name))
        elif name in values:
            lines.append(f"{name}: received twice; give it once")
        else:
            try:
                values[name] = parse_value(cls, name, value)
            except ParameterError as error:
                lines.append(str(error))
    if lines:
        raise ParameterError("\n".join(lines))
    return values


def parse_value(cls: type[ChapterParameters], name: str, text: str) -> Any:
    """Return the text of one parameter as that parameter's type.

    Raises
    ------
    ParameterError
        If it does not read as that type.
    """
    field = cls.model_fields[name]
    try:
        return _read(field.annotation, text)
    except _NoMatch:
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        raise ParameterError(
            f"{name}: received {text!r}; it must be {rule_text(field)}; "
            f"for example -p {name}={default}"
        ) from None


def _read(annotation: Any, text: str) -> Any:
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return _read_choice(typing.get_args(annotation), text)
    if origin in (typing.Union, types.UnionType):
        return _read_union(typing.get_args(annotation), text)
    return _read_plain(annotation, text)


def _read_choice(choices: tuple[Any, ...], text: str) -> Any:
    for choice in choices:
        if str(choice) == text.strip():
            return choice
    raise _NoMatch


def _read_union(members: tuple[Any, ...], text: str) -> Any:
    if type(None) in members and text.strip().lower() in NONE_WORDS:
        return None
    for member in sorted(members, key=lambda member: member is str):
        try:
            return _read(member, text)
        except _NoMatch:
            continue
    raise _NoMatch


def _read_plain(annotation: Any, text: str) -> Any:
    if annotation is str:
        return text
    word = text.strip()
    if annotation is bool and word.lower() in ("true", "false"):
        return word.lower() == "true"
    if annotation in (int, float) and "_" not in word:
        try:
            return annotation(word)
        except ValueError:
            raise _NoMatch from None
    raise _NoMatch


def anchor_paths(
    cls: type[ChapterParameters], values: dict[str, Any], root: Path, base: Path | None = None
) -> dict[str, Any]:
    """Return the values with the paths among them made independent of the working folder.

    A chapter runs with the project as its working folder, so a path that the user gave relative
    to another folder is made absolute here; inside the project it becomes relative to the
    project. A word (`phantom`, a manifest's name) stays, unless it is a folder that is there.

    Parameters
    ----------
    root : Path
        The project folder.
    base : Path, optional
        What a path is relative to; the working folder without it.

    Raises
    ------
    ParameterError
        If a value is written as a path, and nothing is there.
    """
    anchored = dict(values)
    start, words = (Path(), "working folder") if base is None else (base, "folder of the file")
    for name in cls.path_fields():
        value = anchored.get(name)
        if name != "out" and isinstance(value, str) and _is_path(cls, name, value, root, start):
            full = (start / Path(value).expanduser()).resolve()
            if not full.exists():
                raise ParameterError(
                    f"{name}: received {value!r}; there is no such file or folder; "
                    f"check the path (it is taken relative to the {words})"
                )
            inside = full.is_relative_to(root)
            anchored[name] = full.relative_to(root).as_posix() if inside else str(full)
    return anchored


def _is_path(cls: type[ChapterParameters], name: str, value: str, root: Path, start: Path) -> bool:
    if value in ("", cls.model_fields[name].default):
        return False
    if "/" in value or "\\" in value or value[0] in "~.":
        return True
    named_set = (root / "data_manifests" / f"{value}.yml").is_file()
    return (start / value).exists() and not named_set
