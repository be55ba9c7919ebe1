"""The data sets that a run's parameters name: found, or refused before anything is trained."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.project import DATA_WORDS, ProjectError, cache_root, project_root
from fetal_lib.errors import did_you_mean

if TYPE_CHECKING:
    from fetal_lib.data.layouts.base import Layout

COMPLETE = "complete.json"
CONVERTED = ("mask_folders", "clinical_ultrasound")  # what holds images with masks


def data_root() -> Path | None:
    """Return the folder of all data sets, `FETAL_DATA`; None where it is not set."""
    named = os.environ.get("FETAL_DATA", "").strip()
    return Path(named).expanduser().resolve() if named else None


def find_data(name: str) -> Path | None:
    """Return the data folder of that name, wherever it is asked: the command line, a notebook.

    A path is looked for by itself or from the working folder, from the project's folder, and
    under `FETAL_DATA`; a data set that has a manifest is looked for there first. None if it is
    not at hand.
    """
    try:
        project = project_root()
    except ProjectError:
        project = None
    roots = [Path.cwd(), project, data_root()]
    if project is not None and (project / "data_manifests" / f"{name}.yml").is_file():
        roots.reverse()
    places = [root / Path(name).expanduser() for root in roots if root is not None and name]
    return next((place.resolve() for place in places if place.is_dir()), None)


def data_digest(data: str) -> str:
    """Return six digits that tell folders of one name apart, a hash of the path; else nothing.

    >>> data_digest("phantom")
    ''
    """
    place = None if data in DATA_WORDS else find_data(data)
    return "" if place is None else hashlib.sha256(str(place).encode()).hexdigest()[:6]


def data_folder(data: str, make_phantoms: Callable[[Path], None], spec: dict) -> Path:
    """Return the folder that a `data` parameter names; phantoms are made once for one spec.

    Raises
    ------
    ParameterError
        If nothing of that name is there; the message says what to do.
    """
    if data in DATA_WORDS:
        return cached_phantoms(make_phantoms, spec, cache_root())
    folder = find_data(data)
    if folder is None:
        raise ParameterError(explain_missing("data", data))
    return folder


def cached_phantoms(make_phantoms: Callable[[Path], None], spec: dict, cache: Path) -> Path:
    """Generate a phantom set, or return the one that the same spec made before.

    The set is written beside its place and renamed. One that was interrupted is written
    anew, and of two processes that write the same set at once, the first one's is kept.
    """
    key = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(cache) / "phantoms" / key
    if (folder / COMPLETE).is_file():
        return folder
    part = folder.with_name(f"{key}.part-{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        make_phantoms(part)
        (part / COMPLETE).write_text(json.dumps(spec, sort_keys=True, indent=1))
        if not (folder / COMPLETE).is_file():
            shutil.rmtree(folder, ignore_errors=True)  # what an interrupted call left
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            if not (folder / COMPLETE).is_file():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def check_data(parameters: ChapterParameters) -> None:
    """Refuse data parameters that are neither a word that the chapter knows, nor a folder, nor a
    data set under `FETAL_DATA`; one line each.
    """
    absent = [name for name in parameters.data_fields() if not _is_there(parameters, name)]
    if absent:
        lines = [explain_missing(name, getattr(parameters, name)) for name in absent]
        raise ParameterError("\n".join(lines))


def with_folders(parameters: ChapterParameters) -> ChapterParameters:
    """Return the parameters with the folders of the further data sets in place of their names.

    `data` keeps its name: by it the chapter's own loader makes phantoms, or finds the folder.
    """
    further = [name for name in parameters.data_fields() if name != "data"]
    values = {name: getattr(parameters, name) for name in further}
    found = {name: find_data(value) for name, value in values.items() if value}
    return parameters.model_copy(update={k: str(v) for k, v in found.items() if v is not None})


def chapter_data(chapter: str, data: str) -> str:
    """Return the data that a chapter of the book runs on when the whole book is asked for `data`.

    A data set is for the chapters that its manifest lists, a folder for those that a manifest of
    its layout lists; the others keep to phantoms, and their pages say so.
    """
    if data in DATA_WORDS:
        return data
    readers = _readers(data)
    return data if readers is None or chapter in readers else DATA_WORDS[0]


def _readers(data: str) -> set[str] | None:
    """Return the chapters that read a data set; None where nobody knows."""
    from fetal_lib.data.catalogue import chapters_of_layouts, load_manifest, manifest_names

    if data in manifest_names():
        return set(load_manifest(data).chapters)
    layouts = _layouts(data)
    return chapters_of_layouts().get(layouts[0], set()) if layouts else None


def _layouts(data: str) -> list[str]:
    """Return the layouts that a folder shows the signs of."""
    from fetal_lib.data.layouts.registry import LAYOUTS

    folder = find_data(data)
    return [one.name for one in LAYOUTS.values() if folder is not None and one.detect(folder)]


def check_layout(chapter: str, data: str) -> None:
    """Refuse a folder that is in no layout of the chapter's manifests, or too small.

    A folder in no layout at all is left to the chapter, which names what is missing; and so is one
    for a chapter without a manifest.
    """
    from fetal_lib.data.catalogue import chapters_of_layouts
    from fetal_lib.data.layouts.registry import LAYOUTS

    seen = [] if data in DATA_WORDS else _layouts(data)
    chapters = chapters_of_layouts() if seen else {}
    read = [name for name in LAYOUTS if chapter in chapters.get(name, ())]
    if not read:
        return
    number = chapter[:2]
    if usable := [name for name in seen if name in read]:
        lacking = groups_lacking(chapter, LAYOUTS[usable[0]], find_data(data))
        if lacking:
            raise ParameterError(
                f"data: received {data!r}: {lacking}, too few for chapter {number}"
            )
        return
    fix = f"fetal-lib data convert {shlex.quote(data)} NEW_FOLDER --chapter {number}"
    raise ParameterError(
        f"data: received {data!r}, a folder in the layout {seen[0]} ({LAYOUTS[seen[0]].holds}); "
        f"chapter {number} reads {', '.join(read)}"
        + (f". Turn it into one: {fix}" if seen[0] in CONVERTED else "")
    )


def groups_lacking(chapter: str, layout: Layout, folder: Path) -> str:
    """Return how many patients a folder has and needs where it is too small to be divided.

    Nothing is said of a folder in which something is wrong: the chapter names that.
    """
    needed = get_chapter(chapter).parameters_class().min_groups
    found = layout.find(folder) if needed and layout.roles else None
    if found is None or found.problems or not found.cases:
        return ""
    group = layout.roles.group
    n = found.rows[group].nunique()
    return f"{n} of at least {needed} {group}s" if n < needed else ""


def explain_missing(name: str, value: str) -> str:
    """Return the message for a data set that is not there: what was looked for, and the way out."""
    if value in DATA_WORDS:
        fix = "`fetal-lib phantoms` writes phantoms to one"
        return f"{name}: received {value!r}; it must be a folder or a data set; {fix}"
    manifests = {path.stem for path in (project_root() / "data_manifests").glob("*.yml")}
    root = data_root()
    where = "FETAL_DATA, which is not set" if root is None else "FETAL_DATA, where it was not found"
    own = {path.name for path in root.iterdir()} if root is not None and root.is_dir() else set()
    if value in manifests:
        fix = f"; `fetal-lib data fetch {value}` gets it, or says how"
    else:
        fix = f"{did_you_mean(value, manifests | own)} `fetal-lib data list` names the sets"
    return (
        f"{name}: received {value!r}; it is neither 'phantom', nor a folder, nor a data set under "
        f"{where}{fix}"
    )


def _is_there(parameters: ChapterParameters, name: str) -> bool:
    value = getattr(parameters, name)
    if value in DATA_WORDS:
        return name != "external_data"  # what is scored after training is read from files
    return value == type(parameters).model_fields[name].default or find_data(value) is not None
