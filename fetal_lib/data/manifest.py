"""Manifests: one YAML file says what a data set is and how to know that it is whole.

What a source does not state is written ``unknown``, never guessed. A checksum or size that is
unknown is recorded when the file is first fetched (``fetal_lib.data.lock``). A layout for a user's
own data is a manifest too: its access is ``own``, it has no files, and ``columns`` says what its
table holds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from fetal_lib.errors import UserError

UNKNOWN = "unknown"
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Bytes = Annotated[int, Field(gt=0)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Unknown = Literal["unknown"]
Kind = Literal["ultrasound", "mri"]
Access = Literal["open", "registration", "request", "own"]
Chapter = Annotated[str, StringConstraints(pattern=r"^[0-9]{2}_[a-z][a-z0-9_]*$")]


class ManifestError(UserError, ValueError):
    """A manifest is missing or breaks the schema."""


class DataFile(BaseModel):
    """Describe one file of a data set: name, address, size in bytes and checksums.

    ``into`` names the folder that an archive is unpacked into, below the data set's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FileName
    url: WebAddress
    bytes: Bytes | Unknown
    md5: Md5 | Unknown
    sha256: Sha256 | Unknown
    unpack: bool = False
    into: FileName | Literal[""] = ""

    @property
    def has_checksum(self) -> bool:
        """Return whether the manifest can tell a right file from a wrong one."""
        return self.md5 != UNKNOWN or self.sha256 != UNKNOWN


class Manifest(BaseModel):
    """Describe a data set, or a layout for a user's own data (access ``own``).

    Attributes
    ----------
    kind, chapters : what it holds and which chapters read it; there may be none.
    verifier : the layout in ``fetal_lib.data.layouts`` that a folder of it has.
    layout : the folder as a person reads it.
    columns : what the table's columns mean, with units.
    class_names : names as the files spell them, and what they mean.
    subject_rule : what may not be split, in words.
    splits : which split the release brings, and which is used.
    how_to : steps by hand, one after the other, where nothing can be fetched for the user.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    title: Text
    kind: Kind
    chapters: tuple[Chapter, ...]
    version: Text
    doi: Text
    url: WebAddress | Literal["none"]
    licence: Text
    citation: Text
    access: Access
    files: tuple[DataFile, ...]
    verifier: Name
    layout: Text
    columns: dict[Text, Text] = {}
    class_names: dict[Text, Text] = {}
    subject_rule: Text
    splits: Text
    known_problems: tuple[Text, ...]
    how_to: tuple[Text, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        for broken in (_files_fault(self), _access_fault(self)):
            if broken:
                raise ValueError(broken)
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


def _files_fault(manifest: Manifest) -> str:
    names = [file.name for file in manifest.files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"files holds {', '.join(twice)} more than once; list each file once"
    if idle := [file.name for file in manifest.files if file.into and not file.unpack]:
        return f"files: {', '.join(idle)} has 'into' without 'unpack: true'; write both or none"
    if manifest.access == "own" and names:
        return "files is not empty; a layout for own data has nothing to be fetched"
    return ""


def _access_fault(manifest: Manifest) -> str:
    steps = bool(manifest.how_to)
    if manifest.access == "open" and not manifest.files and not steps:
        return (
            "files is empty; a set with open access lists what is to be fetched, or says in how_to "
            "what is to be done by hand"
        )
    if manifest.access not in ("open", "own") and not steps:
        return f"how_to is empty; access '{manifest.access}' needs steps to do by hand"
    if manifest.access != "own" and manifest.url == "none":
        return f"url is 'none'; only access 'own' may have none, not '{manifest.access}'"
    return ""
