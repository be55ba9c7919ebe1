"""Bring defaults, profile and the user's own values together, and remember which came whence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetal_book.parameters.base import PROFILES, ChapterParameters, ParameterError
from fetal_book.parameters.chapters import Chapter

PROFILE_FOLDER = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Resolved:
    """Hold validated parameters and the origin of each.

    An origin is "default", "profile NAME", or what the caller named its own values ("command
    line", "notebook", "papermill").
    """

    parameters: ChapterParameters
    origin: dict[str, str]


def load_profiles(chapter: Chapter, folder: Path = PROFILE_FOLDER) -> dict[str, dict[str, Any]]:
    """Read a chapter's profile file: the values of each profile, maybe empty."""
    import yaml

    path = folder / f"{chapter.name}.yml"
    try:
        content = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}
    except yaml.YAMLError as error:
        raise ParameterError(f"{path.name}: no valid YAML; {error}") from error
    content = {} if content is None else content
    if not isinstance(content, dict) or set(content) - set(PROFILES):
        found = list(content) if isinstance(content, dict) else type(content).__name__
        raise ParameterError(f"{path.name}: received {found}; its keys must be {PROFILES}")
    profiles = {name: content.get(name) or {} for name in PROFILES}
    for name, values in profiles.items():
        _check_profile(chapter, path.name, name, values)
    return profiles


def _check_profile(chapter: Chapter, file: str, name: str, values: Any) -> None:
    if not isinstance(values, dict) or {"profile", "out"} & set(values):
        raise ParameterError(
            f"{file}, profile {name}: received {values!r}; it must map parameter names to values, "
            "without profile and out"
        )
    try:
        chapter.parameters_class().check(values)
    except ParameterError as error:
        raise ParameterError(f"{file}, profile {name}: {error}") from error


def resolve_parameters(
    chapter: Chapter,
    profile: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    origin: str | Mapping[str, str] = "command line",
) -> Resolved:
    """Return the parameters in force: defaults, then the profile, then the user's own, typed.

    Without a profile it is the overrides' `profile`, or "quick".

    >>> from fetal_book.parameters.chapters import get_chapter
    >>> resolved = resolve_parameters(get_chapter("04"), "smoke", {"seed": 7})
    >>> resolved.parameters.seed, resolved.origin["image_size"], resolved.origin["seed"]
    (7, 'profile smoke', 'command line')
    """
    cls = chapter.parameters_class()
    own = dict(overrides or {})
    own_profile = own.pop("profile", None)
    if profile and own_profile and profile != own_profile:
        raise ParameterError(
            f"profile: received {profile!r} and {own_profile!r}; it must be given once"
        )
    chosen = profile or own_profile or "quick"
    cls.check({"profile": chosen})
    base = load_profiles(chapter)[chosen]
    parameters = cls.check({**base, **own, "profile": chosen})
    whence = {name: "default" for name in cls.model_fields}
    whence |= {name: f"profile {chosen}" for name in base}
    origins = origin if isinstance(origin, Mapping) else dict.fromkeys(own, origin)
    whence |= {name: origins.get(name, "default") for name in own}
    if profile or own_profile:
        whence["profile"] = origin if isinstance(origin, str) else origins.get("profile", "default")
    return Resolved(parameters, whence)
