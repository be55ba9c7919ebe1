"""The data sets that a run's parameters name: found, or refused before anything is trained."""

from __future__ import annotations

import os
from pathlib import Path

from fetal_book.parameters.base import ChapterParameters, ParameterError
from fetal_book.parameters.describe import did_you_mean
from fetal_book.parameters.project import DATA_WORDS, project_root


def data_root() -> Path | None:
    """Return the folder of all data sets, `FETAL_DATA`; None where it is not set."""
    named = os.environ.get("FETAL_DATA", "").strip()
    return Path(named).expanduser().resolve() if named else None


def find_data(name: str) -> Path | None:
    """Return the data folder of that name: a path, or a folder of the project or of `FETAL_DATA`;
    None if it is not at hand.
    """
    roots = [root for root in (project_root(), data_root()) if root is not None]
    places = [root / name for root in roots] if name else []
    return next((place for place in places if place.is_dir()), None)


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
    found = {name: _near_or_found(value) for name, value in values.items() if value}
    return parameters.model_copy(update={k: str(v) for k, v in found.items() if v is not None})


def _near_or_found(value: str) -> Path | None:
    near = Path(value).expanduser()
    return near.resolve() if near.is_dir() else find_data(value)


def chapter_data(chapter: str, data: str) -> str:
    """Return the data that a chapter of the book runs on when the whole book is asked for `data`.

    A data set is for the chapters that its manifest lists, a folder for those that a manifest of
    its layout lists; the others keep to phantoms, and their pages say so.
    """
    if data in DATA_WORDS:
        return data
    readers = _readers(data)
    return data if not readers or chapter in readers else DATA_WORDS[0]


def _readers(data: str) -> set[str]:
    """Return the chapters that read a data set; empty where nobody knows."""
    from fetal_lib.data.catalogue import load_manifest, manifest_names
    from fetal_lib.data.layouts.registry import LAYOUTS

    names = manifest_names()
    if data in names:
        return set(load_manifest(data).chapters)
    folder = find_data(data)
    layouts = [one.name for one in LAYOUTS.values() if folder is not None and one.detect(folder)]
    manifests = [load_manifest(name) for name in names] if layouts else []
    return {name for one in manifests if one.verifier == layouts[0] for name in one.chapters}


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
        fix = f"{did_you_mean(value, manifests | own) or ';'} `fetal-lib data list` names the sets"
    return (
        f"{name}: received {value!r}; it is neither 'phantom', nor a folder, nor a data set under "
        f"{where}{fix}"
    )


def _is_there(parameters: ChapterParameters, name: str) -> bool:
    value = getattr(parameters, name)
    if value in DATA_WORDS:
        return name != "external_data"  # what is scored after training is read from files
    return value == type(parameters).model_fields[name].default or find_data(value) is not None
