"""The runs that are kept with the book: which were made by older code, and what makes them anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fetal_book.parameters.base import ParameterError
from fetal_book.parameters.chapters import CHAPTERS, get_chapter
from fetal_book.runs.again import command_again
from fetal_book.runs.data_sets import find_data
from fetal_book.runs.exhibits import KINDS, index_of
from fetal_book.runs.published import publish, published_folder
from fetal_book.runs.record import RunRecord, known_record
from fetal_book.runs.stale import code_reasons
from fetal_lib.data.kinds import PHANTOM


@dataclass(frozen=True)
class ReferenceRun:
    """Hold a kept run: chapter, name, record, and how the code that made it differs from today's.

    `command` makes it anew, empty where its chapter no longer could; `lacking` are its data sets
    that are not at hand.
    """

    chapter: str
    name: str
    record: RunRecord
    older_because: list[str]
    command: str
    lacking: list[str]


def reference_runs() -> list[ReferenceRun]:
    """Return all kept runs in the order of the book."""
    found = []
    for chapter in CHAPTERS:
        for path in sorted(published_folder(chapter).glob("*/results.json")):
            record = known_record(path.parent)
            if record is not None:
                found.append(_read(chapter, path.parent.name, record))
    return found


def publish_again(folder: Path, name: str) -> list[str]:
    """Publish a run in the place of the kept one of its name; return what stayed behind.

    A figure or table that the kept run has not may show persons of a set that may not be passed
    on: a person decides about it.
    """
    record = known_record(folder)
    kept = published_folder(record.chapter if record else "") / name
    unknown = [
        one for kind in KINDS for one in index_of(folder / kind) if one not in index_of(kept / kind)
    ]
    publish(folder, name, unknown)
    return unknown


def _read(chapter: str, name: str, record: RunRecord) -> ReferenceRun:
    known = get_chapter(chapter)
    try:
        command = command_again(record)
    except ParameterError:
        command = ""
    fields = known.parameters_class().data_fields()
    values = [str(record.parameters.get(one, {}).get("value") or "") for one in fields]
    sets = [value for value in values if value and value != PHANTOM]
    lacking = [value for value in sets if find_data(value) is None]
    return ReferenceRun(chapter, name, record, code_reasons(known, record), command, lacking)
