"""Manifests: one YAML file says what a public data set is and how to know that it is whole."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]


class ManifestError(ValueError):
    """A manifest is missing or breaks the schema."""


class DataFile(BaseModel):
    """Describe one file of a data set: name, address, size in bytes and checksums."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FileName
    url: WebAddress
    bytes: int = Field(gt=0)
    md5: Md5
    sha256: Sha256 | Literal["unknown"]
    unpack: bool = False


class Manifest(BaseModel):
    """Describe a data set; `how_to` says what to do by hand where access is not open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    title: Text
    version: Text
    doi: Text
    url: WebAddress
    licence: Text
    citation: Text
    access: Literal["open", "registration", "request"]
    files: tuple[DataFile, ...]
    layout: Text
    subject_rule: Text
    known_problems: tuple[Text, ...]
    how_to: str

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        names = [file.name for file in self.files]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"files holds {', '.join(twice)} more than once; list each file once")
        if self.access == "open" and not self.files:
            raise ValueError("files is empty; a set with open access lists what is to be fetched")
        if self.access != "open" and not self.how_to.strip():
            raise ValueError(f"how_to is empty; access '{self.access}' needs steps to do by hand")
        return self

    def file(self, name: str) -> DataFile:
        """Return the entry of a file.

        Raises
        ------
        ManifestError
            If the set has no such file; the message lists those it has.
        """
        for entry in self.files:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.files) or "none"
        raise ManifestError(f"file '{name}' is not part of {self.name}; its files are: {known}")


def manifest_folder() -> Path:
    """Return the project's data_manifests folder.

    FETAL_PROJECT is tried first, then the working folder and those above it, then the
    source checkout that this module lies in.

    Raises
    ------
    ManifestError
        If none of them has the folder.
    """
    stated = os.environ.get("FETAL_PROJECT")
    here = Path.cwd()
    places = [Path(stated)] if stated else [here, *here.parents, Path(__file__).parents[2]]
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
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ManifestError(f"{path}: not a readable YAML file: {error}") from error
    if not isinstance(content, dict):
        raise ManifestError(f"{path}: holds {type(content).__name__}; a manifest is a mapping")
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, item['loc'])) or 'manifest'}: {item['msg']}, "
            f"received {str(item['input'])[:60]!r}"
            for item in error.errors()
        ]
        raise ManifestError("\n".join([f"{path}: breaks the schema:", *lines])) from error
    if manifest.name != path.stem:
        raise ManifestError(f"{path}: name is '{manifest.name}'; it must equal the file's name")
    return manifest


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
        near = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ManifestError(f"data set '{name}' has no manifest{hint} Known: {', '.join(names)}")
    return read_manifest(manifest_folder() / f"{name}.yml")


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
