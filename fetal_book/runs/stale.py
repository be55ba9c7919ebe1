"""Say whether a finished run still stands for the project as it is now, and if not, why."""

from __future__ import annotations

from typing import Any

from fetal_book.parameters.base import ParameterError
from fetal_book.parameters.chapters import Chapter, ChapterError
from fetal_book.parameters.project import cache_root
from fetal_book.parameters.resolve import load_profiles
from fetal_book.runs.data_sets import find_data
from fetal_book.runs.machine import versions
from fetal_book.runs.record import RunRecord
from fetal_lib.files.fingerprint import (
    canonical_hash,
    environment,
    folder_sha256,
    module_file,
    notebook_sha256,
    source_sha256,
)

NOTEBOOK_CHANGED = "the notebook changed"


def stale_reasons(chapter: Chapter, record: RunRecord) -> list[str]:
    """Return why a run is out of date, empty when it is not.

    Looked at: the notebook, the modules of fetal_lib that the run used, the defaults and profile
    it took, the data (where its folder is at hand), the installed distributions.
    """
    return [
        *_notebook(chapter, record),
        *_modules(record),
        *_parameters(chapter, record),
        *_data(record),
        *_environment(record),
    ]


def _notebook(chapter: Chapter, record: RunRecord) -> list[str]:
    try:
        now = notebook_sha256(chapter.notebook())
    except ChapterError:
        return ["the notebook is missing"]
    return [] if now == record.notebook.get("sha256") else [NOTEBOOK_CHANGED]


def _modules(record: RunRecord) -> list[str]:
    changed, gone = [], []
    for name, sha256 in record.modules.items():
        path = module_file(name)
        if path is None:
            gone.append(name)
        elif source_sha256(path) != sha256:
            changed.append(name)
    lines = [f"changed: {', '.join(changed)}"] if changed else []
    return lines + ([f"removed: {', '.join(gone)}"] if gone else [])


def _parameters(chapter: Chapter, record: RunRecord) -> list[str]:
    try:
        profile = load_profiles(chapter).get(record.profile, {})
    except ParameterError as error:
        return [str(error)]
    now = {name: field.default for name, field in chapter.parameters_class().model_fields.items()}
    now |= profile | {"profile": record.profile, "out": ""}
    changed = []
    for name, value in now.items():
        old = record.parameters.get(name)
        if old is None:
            changed.append(f"{name} is new")
        elif name not in ("profile", "out") and _own_choice(old) and old["value"] != value:
            changed.append(f"{name} {old['value']} -> {value}")
    changed += [f"{name} is gone" for name in record.parameters if name not in now]
    return [f"parameters: {', '.join(changed)}"] if changed else []


def _own_choice(entry: dict[str, Any]) -> bool:
    """Say whether the project chose a value: by a default or by a profile."""
    origin = str(entry.get("origin", ""))
    return origin == "default" or origin.startswith("profile ")


def _data(record: RunRecord) -> list[str]:
    """Compare the data folder's hash, where the run recorded one and the folder is at hand."""
    fingerprint = record.data_fingerprint
    if not isinstance(fingerprint, dict) or not fingerprint.get("folder_sha256"):
        return []
    folder = find_data(str(fingerprint.get("folder", "")))
    if folder is None:
        return []
    key = canonical_hash(str(folder))[:16]
    now = folder_sha256(folder, cache_root() / "fingerprints" / f"{key}.json")
    return [] if now == fingerprint["folder_sha256"] else ["the data changed"]


def _environment(record: RunRecord) -> list[str]:
    if canonical_hash(environment()) == record.environment.get("sha256"):
        return []
    now = versions()
    named = [
        f"{name} {old} -> {now.get(name, 'gone')}"
        for name, old in record.versions.items()
        if now.get(name) != old
    ]
    detail = f" ({', '.join(named)})" if named else " (none of the key packages)"
    return [f"the environment changed{detail}"]
