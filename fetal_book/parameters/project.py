"""Find the project's folders: the project itself, its runs, its cache."""

from __future__ import annotations

import os
from pathlib import Path

from fetal_lib.errors import UserError

DATA_WORDS = ("phantom",)


class ProjectError(UserError, RuntimeError):
    """No project folder was found, or the one named is not a project."""


def project_root() -> Path:
    """Return the project folder: the one that holds `notebooks/`.

    Looked for in this order: the environment variable `FETAL_PROJECT`, the working folder and
    the folders above it (those that hold `notebooks/` beside a `pyproject.toml`), the source
    checkout that this library runs from.
    """
    named = os.environ.get("FETAL_PROJECT", "")
    if named:
        root = Path(named).expanduser().resolve()
        if not (root / "notebooks").is_dir():
            raise ProjectError(
                f"FETAL_PROJECT: received {named!r}; it must be a folder that holds notebooks/; "
                "set it to the project's folder, or unset it"
            )
        return root
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "notebooks").is_dir():
        return checkout
    raise ProjectError(
        "no project found: neither the working folder nor one above it holds notebooks/ and "
        "pyproject.toml; go to the project's folder, set FETAL_PROJECT to it, or lay one out "
        "with: fetal-lib new FOLDER"
    )


def runs_root() -> Path:
    """Return the folder of all runs: `FETAL_RUNS`, or `runs/` of the project."""
    named = os.environ.get("FETAL_RUNS", "")
    return Path(named).expanduser().resolve() if named else project_root() / "runs"


def cache_root() -> Path:
    """Return the folder of what can be made again: `FETAL_CACHE`, or `.cache/` of the project."""
    named = os.environ.get("FETAL_CACHE", "")
    return Path(named).expanduser().resolve() if named else project_root() / ".cache"


def passed_tests() -> Path:
    """Return the folder that remembers which models passed their self-test here."""
    try:
        return cache_root() / "self_tests"
    except ProjectError:  # installed without a project
        return Path.home() / ".cache" / "fetal-lib" / "self_tests"


def public_path(value: str) -> str:
    """Return a path as it may be published: relative to the project, or its base name only.

    A word that is no path (`phantom`, a data set's name, an empty text) comes back unchanged.

    >>> public_path("phantom")
    'phantom'
    >>> public_path("/data/of/a/person/heads")
    'heads'
    """
    if not value or value in DATA_WORDS or not any(mark in value for mark in "/\\~"):
        return value
    path = Path(value).expanduser()
    if not path.is_absolute():
        return value if ".." not in path.parts else path.name
    return shown(path, last=1)


def shown(path: Path, last: int = 0) -> str:
    """Return a path relative to the project; outside it whole, or its last names only.

    >>> shown(Path("/home/of/someone/runs/mine")), shown(Path("/home/of/someone/runs/mine"), last=2)
    ('/home/of/someone/runs/mine', 'runs/mine')
    """
    try:
        return path.resolve().relative_to(project_root()).as_posix()
    except (ValueError, ProjectError):
        return "/".join(path.parts[-last:]) if last else str(path)
