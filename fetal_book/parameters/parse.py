"""Turn the text of `-p name=value` into a typed value, by the field's annotation, and back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.describe import explain_unknown, rule_text

NONE_WORDS = ("none", "null", "")


def parse_assignments(cls: type[ChapterParameters], texts: Iterable[str]) -> dict[str, Any]:
    """Return typed values from texts such as `epochs=3`; ranges are checked later, by the class.

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
    """Return the text of one parameter as that parameter's type."""
    field = cls.model_fields[name]
    adapter = TypeAdapter(field.annotation)
    for reading in _readings(text):
        with contextlib.suppress(ValidationError):
            return adapter.validate_python(reading, strict=True)
    default = str(field.default).lower() if isinstance(field.default, bool) else field.default
    raise ParameterError(
        f"{name}: received {text!r}; it must be {rule_text(field)}; for example -p {name}={default}"
    )


def value_text(value: Any) -> str:
    """Return a value as the text that :func:`parse_value` reads it from.

    >>> value_text(True), value_text(None), value_text([1, 2]), value_text("a b")
    ('true', 'none', '[1, 2]', 'a b')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | dict):
        return json.dumps(value)
    return "none" if value is None else str(value)


def _readings(text: str) -> Iterator[Any]:
    """Yield what a text may mean, text last.

    `validate_strings` of pydantic would take 1 and yes for true, 1_6 and 16.0 for 16.
    """
    word = text.strip()
    if word.lower() in NONE_WORDS:
        yield None
    if word.lower() in ("true", "false"):
        yield word.lower() == "true"
    for number in (int, float):
        if "_" not in word:
            with contextlib.suppress(ValueError):
                yield number(word)
    if word[:1] in ("[", "{"):
        with contextlib.suppress(ValueError):
            yield json.loads(word)
    yield text
    yield word


def anchor_paths(
    cls: type[ChapterParameters], values: dict[str, Any], root: Path, base: Path | None = None
) -> dict[str, Any]:
    """Return the values with the paths among them made independent of the working folder.

    A chapter runs with the project as its working folder, so a path that the user gave relative
    to another folder (`base`, without it the working folder) is made absolute here; inside the
    project `root` it becomes relative to the project. A word (`phantom`, a manifest's name)
    stays, unless it is a folder that is there.
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
