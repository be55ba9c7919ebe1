"""Read what people write for the pages in YAML files, checked by a type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from fetal_lib.errors import UserError


class Entry(BaseModel):
    """Base of what a file holds: nothing but what is declared, and it does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_entries(path: Path, kind: Any) -> Any:
    """Read a file as a type such as ``list[Item]``; without the file there is an empty one."""
    if not path.is_file():
        return kind()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TypeAdapter(kind).validate_python(content)
    except (yaml.YAMLError, ValidationError) as error:
        raise UserError(f"{path.name}: {error}") from error
