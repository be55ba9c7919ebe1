"""The base of every chapter's parameters: strict types, ranges, and errors that help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fetal_book.parameters.describe import explain_unknown, explain_wrong
from fetal_lib.errors import UserError

PROFILES = ("smoke", "quick", "long", "full")


class ParameterError(UserError, ValueError):
    """A parameter is unknown, of the wrong type or out of range; the text says which and how."""


class ChapterParameters(BaseModel):
    """Hold the parameters that every chapter has; a chapter's class adds its own.

    A field's `title`, `description` and `json_schema_extra={"unit": ...}` are what
    `fetal-lib parameters` prints; its default is the value of the profile `quick` and of the
    notebook's parameters cell.

    >>> ChapterParameters.check({"seed": 3}).seed
    3
    >>> ChapterParameters.check({"sead": 3})
    Traceback (most recent call last):
    ...
    fetal_book.parameters.base.ParameterError: sead: no such parameter; did you mean 'seed'? \
known: profile, data, seed, refit, out
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
    min_groups: ClassVar[int] = 0  # patients that a set must have to be divided into parts

    profile: Literal["smoke", "quick", "long", "full"] = Field(
        "quick",
        title="profile",
        description="smoke proves the wiring in seconds, quick is worth reading, long is the "
        "published width as far as a day of two processor cores goes, full the published recipe",
    )
    data: str = Field(
        "phantom",
        min_length=1,
        title="data set",
        description="phantom (made up, seeded), a manifest's name, or a folder in the layout of "
        "the chapter's data set",
        json_schema_extra={"path": True, "data": True},
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        title="seed",
        description="seed of the phantoms, the split, the weights and the bootstrap",
    )
    refit: bool = Field(
        False, title="fit again", description="train again even if this very fit is in the cache"
    )
    out: str = Field(
        "",
        title="run folder",
        description="where the run is written; empty: runs/<chapter>/<profile>-<data>",
        json_schema_extra={"path": True},
    )

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> Self:
        """Return validated parameters; the error has a line for each wrong name or value."""
        lines = [explain_unknown(cls, name) for name in values if name not in cls.model_fields]
        known = {name: value for name, value in values.items() if name in cls.model_fields}
        try:
            parameters = cls(**known)
        except ValidationError as error:
            lines += [explain_wrong(cls, item) for item in error.errors()]
        if lines:
            raise ParameterError("\n".join(lines))
        return parameters

    @classmethod
    def path_fields(cls) -> tuple[str, ...]:
        """Return the names of the parameters that may hold a path."""
        return cls._marked("path")

    @classmethod
    def data_fields(cls) -> tuple[str, ...]:
        """Return the names of the parameters that hold a data set: its name or its folder."""
        return cls._marked("data")

    @classmethod
    def _marked(cls, mark: str) -> tuple[str, ...]:
        return tuple(
            name
            for name, field in cls.model_fields.items()
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get(mark)
        )
