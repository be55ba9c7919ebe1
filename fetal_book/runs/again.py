"""The command that makes a run again, from its record alone."""

from __future__ import annotations

import shlex
from typing import Any

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.parse import value_text
from fetal_book.parameters.project import DATA_WORDS, project_root
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.runs.record import RunRecord


def command_again(record: RunRecord) -> str:
    """Return the `fetal-lib run` of a record, for a shell: its profile, and all that differs.

    That is data, seed and every other parameter with another value than the profile gives it
    today; `out` is no part of what a page shows. What today's chapter would refuse is left out.
    """
    words = ["fetal-lib", "run", record.chapter, "--profile", record.profile]
    cls = get_chapter(record.chapter).parameters_class()
    for name, value in _own_values(record).items():
        if _accepts(cls, name, value):
            words += ["-p", f"{name}={value_text(value)}"]
    return shlex.join(words)


def again_text(record: RunRecord) -> str:
    """Return the command in Markdown, with what a reader has to know to type it."""
    text = f"This makes it again:\n\n```bash\n{command_again(record)}\n```"
    return "\n\n".join([text, *again_notes(record)])


def again_notes(record: RunRecord) -> list[str]:
    """Return what the command alone does not say: names of places, values of another version."""
    cls, own = get_chapter(record.chapter).parameters_class(), _own_values(record)
    given = {name: record.parameters[name] for name in cls.path_fields() if name in own}
    away = [own[name] for name, entry in given.items() if _is_away(cls, name, entry)]
    gone = [f"{name}={value_text(v)}" for name, v in own.items() if not _accepts(cls, name, v)]
    notes = [f"In place of {_listed(away)} write where it lies on your machine."] if away else []
    if gone:
        notes.append(f"It was made with {_listed(gone)}, which this version does not take.")
    return notes


def _own_values(record: RunRecord) -> dict[str, Any]:
    """Return what the profile alone would not give, in the order of the chapter's parameters."""
    resolved = resolve_parameters(get_chapter(record.chapter), record.profile)
    base = resolved.parameters.model_dump(exclude={"out"})
    known = {name: record.parameters[name] for name in base if name in record.parameters}
    return {
        name: entry["value"]
        for name, entry in known.items()
        if entry["value"] != base[name] or _is_namesake(entry)
    }


def _accepts(cls: type[ChapterParameters], name: str, value: Any) -> bool:
    try:
        cls.check({name: value})
    except ParameterError:
        return False
    return True


def _is_away(cls: type[ChapterParameters], name: str, entry: dict[str, Any]) -> bool:
    """Say whether a record kept only the name of a folder or file outside the project."""
    root, value = project_root(), entry["value"]
    if not value or "/" in value or (root / value).exists():
        return False
    if name in cls.data_fields():
        is_set = value in DATA_WORDS or (root / "data_manifests" / f"{value}.yml").is_file()
        return not is_set or _is_namesake(entry)
    return "." in value  # a file, no word of the chapter's


def _is_namesake(entry: dict[str, Any]) -> bool:
    """Say whether the data are a folder that bears the name of made-up ones."""
    return entry["value"] in DATA_WORDS and bool(entry.get("digest"))


def _listed(values: list[str]) -> str:
    return " and ".join(f"`{value}`" for value in values)
