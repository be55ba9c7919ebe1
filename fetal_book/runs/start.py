"""How a run starts: alone in a notebook, or under the process of `fetal-lib run`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.chapters import Chapter, ChapterError
from fetal_book.parameters.notebook_cell import notebook_values
from fetal_book.parameters.project import project_root
from fetal_book.parameters.resolve import Resolved, resolve_parameters
from fetal_book.runs.attempt import begin_attempt, settle
from fetal_book.runs.data_sets import check_data
from fetal_book.runs.folder import (
    check_folder,
    data_name,
    lock_folder,
    public_parameters,
    run_folder,
)
from fetal_book.runs.machine import code_state, environment, hardware, versions
from fetal_book.runs.process import identity
from fetal_book.runs.record import RunRecord, read_record
from fetal_book.runs.stale import notebook_sha256
from fetal_lib.files.fingerprint import canonical_hash

if TYPE_CHECKING:
    from filelock import FileLock

# Set by the parent for the kernel; without it a notebook runs on its own.
FOLDER_VARIABLE = "FETAL_RUN_FOLDER"


def new_record(chapter: Chapter, resolved: Resolved, started_by: str) -> RunRecord:
    """Return the record of a run that starts now in this process, status `running`."""
    root = project_root()
    installed = environment()
    parameters = resolved.parameters
    try:
        path = chapter.notebook()
        notebook = {"file": path.relative_to(root).as_posix(), "sha256": notebook_sha256(path)}
    except ChapterError:
        notebook = {"file": None, "sha256": None}
    return RunRecord(
        chapter=chapter.name,
        title=chapter.title,
        profile=parameters.profile,
        data=data_name(parameters.data),
        started_by=started_by,
        process=identity(),
        code=code_state(root),
        notebook=notebook,
        environment={"sha256": canonical_hash(installed), "distributions": len(installed)},
        parameters=public_parameters(parameters, resolved.origin),
        seeds={"seed": parameters.seed},
        versions=versions(),
        hardware=hardware(),
    )


def start_alone(
    chapter: Chapter, namespace: Mapping[str, Any]
) -> tuple[ChapterParameters, Path, RunRecord, FileLock]:
    """Start a run of a notebook that papermill or a person executes without a parent.

    The folder returned is the attempt, which takes its name when the run is finished.
    """
    cls = chapter.parameters_class()
    values, origin = notebook_values(cls, namespace)
    resolved = resolve_parameters(chapter, None, values, origin)
    check_data(resolved.parameters)
    folder = run_folder(chapter.name, resolved.parameters)
    check_folder(folder)
    lock = lock_folder(folder)
    settle(folder)
    record = new_record(chapter, resolved, "notebook")
    attempt, record.previous = begin_attempt(folder)
    record.write(attempt)
    return resolved.parameters, attempt, record, lock


def start_in_parent(
    chapter: Chapter, namespace: Mapping[str, Any], folder: Path
) -> tuple[ChapterParameters, RunRecord]:
    """Start the notebook's part of a run whose folder and record a parent holds."""
    cls = chapter.parameters_class()
    values, origin = notebook_values(cls, namespace)
    values.pop("out", None)
    resolved = resolve_parameters(chapter, None, values, origin)
    record = read_record(folder)
    if record is None or record.chapter != chapter.name:
        raise ParameterError(
            f"{FOLDER_VARIABLE}: received {os.environ.get(FOLDER_VARIABLE)!r}; it must be the "
            f"folder of a run of {chapter.name}; unset it, `fetal-lib run` sets it by itself"
        )
    mine = public_parameters(resolved.parameters, {})
    for name, entry in record.parameters.items():
        if name != "out" and mine[name]["value"] != entry["value"]:
            raise ParameterError(
                f"{name}: the notebook has {mine[name]['value']!r}, the run was started with "
                f"{entry['value']!r}; the parameters cell must hold the defaults of the class"
            )
    return resolved.parameters, record
