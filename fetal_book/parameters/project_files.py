"""The files of the project that are no Python package: what a wheel carries and `new` lays out.

`setup.py` runs this file by its path, so it imports nothing of the project.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

FOLDERS = ("notebooks", "workflow", "book", "data_manifests")
FILES = ("CITATION.cff", "LICENSE", "requirements.lock")
CARRIED = Path(__file__).parents[1] / "project"
"""Where a wheel has them."""
MADE = {"book": {"_build", "generated", "notebooks", "runs"}}
"""What runs and builds write beside the sources."""
NEVER = {"__pycache__", ".ipynb_checkpoints", ".snakemake"}


def project_source() -> Path:
    """Return the folder that has the project's files: of the wheel, or of the source checkout."""
    return CARRIED if CARRIED.is_dir() else Path(__file__).parents[2]


def code_root(root: Path) -> Path:
    """Return the folder that has the packages: the project, or where they are installed."""
    return root if (root / "fetal_lib").is_dir() else Path(__file__).resolve().parents[2]


def listed(paths: Iterable[Path], root: Path) -> list[str]:
    """Return paths sorted and relative to the project; of what lies elsewhere the whole path."""
    inside = (path.relative_to(root) if path.is_relative_to(root) else path for path in paths)
    return sorted(path.as_posix() for path in inside)


def copy_project(source: Path, target: Path) -> None:
    """Copy the project's folders and files, without what runs and builds have written."""
    target.mkdir(parents=True, exist_ok=True)

    def made(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(source).as_posix()
        return set(names) & (NEVER | MADE.get(inside, set()))

    for name in FOLDERS:
        shutil.copytree(source / name, target / name, ignore=made, dirs_exist_ok=True)
    for name in FILES:
        shutil.copy2(source / name, target / name)
