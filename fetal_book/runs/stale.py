"""What a run rests on, and whether a finished one still stands: decided here, asked from elsewhere.

A run rests on its notebook, the modules it used, its parameters, its data and the installed
packages. Each is hashed when the run is made and compared later by the same function.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fetal_book.parameters.base import ParameterError
from fetal_book.parameters.chapters import Chapter, ChapterError
from fetal_book.parameters.project import cache_root, public_path
from fetal_book.parameters.resolve import Resolved, load_profiles
from fetal_book.runs.data_sets import data_digest, find_data
from fetal_book.runs.folder import public_parameters, same_place
from fetal_book.runs.machine import environment, versions
from fetal_book.runs.pairs import has_tag
from fetal_book.runs.record import RunRecord, known_record
from fetal_lib.files.fingerprint import (
    PACKAGES,
    canonical_hash,
    folder_sha256,
    is_bookkeeping,
    module_file,
    source_sha256,
)

NOTEBOOK_CHANGED = "the notebook changed"
PARAMETERS_TAG = '"parameters"'
"""Marks the cell that a run's parameters replace."""
DATA_CHANGED = "the data changed"
RESULT_FILES = ("results.json", "executed.ipynb")


def finished_run(folder: Path) -> RunRecord | None:
    """Return the record of a run that ended ok and whose files are there, None of any other."""
    record = known_record(folder)
    if record is None or record.status != "ok":
        return None
    return record if all((folder / name).is_file() for name in RESULT_FILES) else None


def serves_order(folder: Path, profile: str, data: str) -> bool:
    """Say whether a folder holds a finished run of this profile on this data, unchanged since.

    >>> serves_order(Path("no_such_folder"), "quick", "phantom")
    False
    """
    record = finished_run(folder)
    if record is None or record.profile != profile:
        return False
    recorded = record.parameters.get("data", {})
    same = recorded.get("value") == public_path(data) and same_place(recorded, data_digest(data))
    return same and not _data(record)


def changed_parameters(record: RunRecord, resolved: Resolved) -> list[str]:
    """Return how the parameters of a run differ from those asked for now; one line, or none.

    Another profile or other data are named alone: what goes with them differs, too.
    """
    now = public_parameters(resolved.parameters, resolved.origin)
    names = dict.fromkeys([*record.parameters, *now])
    changes = {}
    for name in (one for one in names if one != "out"):
        old, new = record.parameters.get(name, {}), now.get(name, {})
        if old.get("value") != new.get("value") or bool(old) != bool(new):
            values = (entry.get("value", "absent") for entry in (old, new))
            changes[name] = "{} {} -> {}".format(name, *values)
        elif not same_place(old, new.get("digest")):
            changes[name] = f"{name} {new['value']} lies elsewhere"
    leading = [changes[name] for name in ("profile", "data") if name in changes]
    lines = leading or list(changes.values())
    return [f"parameters: {', '.join(lines)}"] if lines else []


def stale_reasons(chapter: Chapter, record: RunRecord) -> list[str]:
    """Return why a run is out of date, empty when it is not.

    Looked at: the notebook, the project's modules that the run used, the defaults and profile
    it took, the data (where its folder is at hand), the installed distributions.
    """
    return [
        *code_reasons(chapter, record),
        *_parameters(chapter, record),
        *_data(record),
        *_environment(record),
    ]


def code_reasons(chapter: Chapter, record: RunRecord) -> list[str]:
    """Return how today's notebook and modules differ from those that made a run."""
    return [*_notebook(chapter, record), *_modules(record)]


def notebook_sha256(path: Path) -> str:
    """Return the sha256 of a chapter's source: cells and tags, no outputs, no header.

    Every change of text or code counts, because a page shows both; but for the values of the cell
    of parameters, since each run notes its own and is compared by them.
    """
    text = Path(path).read_text("utf-8").replace("\r\n", "\n")
    if Path(path).suffix == ".py":
        start = text.find("# %%")
        lines, inside = [], False
        for line in text[max(start, 0) :].splitlines():
            inside = PARAMETERS_TAG in line if line.startswith("# %%") else inside
            lines.append(without_value(line) if inside else line.rstrip())
        return canonical_hash(lines)
    cells = json.loads(text).get("cells", [])
    return canonical_hash(
        [
            [cell["cell_type"], source_of(cell), cell.get("metadata", {}).get("tags", [])]
            for cell in cells
        ]
    )


def source_of(cell: dict[str, Any]) -> str:
    """Return a cell's source; of that of parameters the names, since a run notes its own values."""
    source = "".join(cell["source"])
    if has_tag(cell, "parameters"):
        return "\n".join(map(without_value, source.splitlines()))
    return source


def without_value(line: str) -> str:
    """Return what a line of the cell of parameters says besides a default.

    >>> without_value('schedule = "cosine"'), without_value("# Of the U-Net.")
    ('schedule', '# Of the U-Net.')
    """
    return line.rstrip() if line.startswith("#") else line.split(" = ", 1)[0].rstrip()


def used_modules() -> list[str]:
    """Return the project's modules that this process has loaded, bookkeeping left out."""
    return sorted(
        name
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in PACKAGES
        and getattr(module, "__file__", None)
        and not is_bookkeeping(name)
    )


def data_fingerprint(folder: Path) -> dict[str, str]:
    """Hash a data folder; what its files held is remembered in the cache."""
    key = canonical_hash(str(folder))[:16]
    sha256 = folder_sha256(folder, cache_root() / "fingerprints" / f"{key}.json")
    return {"folder": public_path(str(folder)), "folder_sha256": sha256}


def _notebook(chapter: Chapter, record: RunRecord) -> list[str]:
    try:
        now = notebook_sha256(chapter.notebook())
    except ChapterError:
        return ["the notebook is missing"]
    return [] if now == record.notebook.get("sha256") else [NOTEBOOK_CHANGED]


def _modules(record: RunRecord) -> list[str]:
    changed, gone = [], []
    for name, sha256 in record.modules.items():
        if is_bookkeeping(name):
            continue
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
    known = record.data_fingerprint
    if not isinstance(known, dict) or not known.get("folder_sha256"):
        return []
    folder = find_data(str(known.get("folder", "")))
    if folder is None or data_fingerprint(folder)["folder_sha256"] == known["folder_sha256"]:
        return []
    return [DATA_CHANGED]


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
