"""Find manifests: where they lie, which there are, and read one with clear errors."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from fetal_lib.data.manifest import Manifest, ManifestError
from fetal_lib.errors import did_you_mean, short


def manifest_folder() -> Path:
    """Return the project's data_manifests folder.

    FETAL_PROJECT is tried first, then the working folder and those above it, then the
    source checkout that this module lies in, or the copy that the installed package carries.

    Raises
    ------
    ManifestError
        If none of them has the folder.
    """
    stated = os.environ.get("FETAL_PROJECT")
    here = Path.cwd()
    places = [Path(stated)] if stated else [here, *here.parents, *Path(__file__).parents[1:3]]
    for place in places:
        if (place / "data_manifests").is_dir():
            return place / "data_manifests"
    raise ManifestError(
        f"no folder data_manifests under {places[0]}; run inside the project's folder or set "
        "FETAL_PROJECT to it"
    )


def read_manifest(path: str | Path) -> Manifest:
    """Read and check a manifest file.

    Raises
    ------
    ManifestError
        If the file is no YAML mapping or breaks the schema; names each field, what was
        received and the rule.
    """
    import yaml

    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ManifestError(f"{path}: not a readable YAML file: {error}") from error
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: holds {type(content).__name__}; a manifest is a mapping")
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        raise ManifestError("\n".join([f"{path}: breaks the schema:", *_faults(error)])) from error
    if manifest.name != path.stem:
        raise ManifestError(f"{path}: name is '{manifest.name}'; it must equal the file's name")
    return manifest


def _faults(error: ValidationError) -> list[str]:
    return [
        f"  {'.'.join(map(str, item['loc'])) or 'manifest'}: {item['msg']}, "
        f"received {short(str(item['input']))!r}"
        for item in error.errors()
    ]


def manifest_names() -> list[str]:
    """Return the names of all data sets that have a manifest, sorted."""
    return sorted(path.stem for path in manifest_folder().glob("*.yml"))


def load_manifest(name: str) -> Manifest:
    """Return the manifest of a data set by name.

    Raises
    ------
    ManifestError
        If there is none of that name (with a near match where there is one), or it is broken.

    Examples
    --------
    >>> load_manifest("hc18").licence
    'CC-BY-4.0'
    """
    names = manifest_names()
    if name not in names:
        hint = did_you_mean(name.lower(), names)
        raise ManifestError(f"data set '{name}' has no manifest{hint} known: {', '.join(names)}")
    return read_manifest(manifest_folder() / f"{name}.yml")


def chapters_of_layouts() -> dict[str, set[str]]:
    """Return the chapters that the manifests of each layout are for.

    >>> sorted(chapters_of_layouts()["hc18"])
    ['03_biometry_segmentation', '04_head_circumference']
    """
    chapters: dict[str, set[str]] = {}
    for one in map(load_manifest, manifest_names()):
        chapters.setdefault(one.verifier, set()).update(one.chapters)
    return chapters


def data_folder(name: str) -> Path:
    """Return where a data set lies: FETAL_DATA/<name>.

    Raises
    ------
    ManifestError
        If FETAL_DATA is not set.
    """
    root = os.environ.get("FETAL_DATA", "").strip()
    if not root:
        raise ManifestError(
            "FETAL_DATA is not set; it must name the folder that holds your data sets: set it "
            f"(export FETAL_DATA=/path/to/data, the set then lies in its folder {name}) or name "
            "the folder with --to"
        )
    return Path(root).expanduser() / name
