"""The rooms of the library: arrows point down only, and importing the library loads nothing heavy.

Every import statement counts, also one inside a function; what stands under ``if TYPE_CHECKING``
is never run and does not. A new room takes its place in ``LEVELS`` before it is used.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fetal_lib

LIBRARY = Path(fetal_lib.__file__).parent
LEVELS = (
    {"metrics", "geometry", "growth", "readers", "files", "models"},
    {"phantoms", "data", "training", "explain", "baselines", "notebooks"},
    {"sets", "plots", "parameters"},
    {"predict"},
    {"evaluation", "runs"},
    {"chapters", "book"},
    {"app"},
    {"cli"},
    {"__main__"},
)
# Stricter than the level says: these rooms may know only the rooms named.
MAY_KNOW: dict[str, set[str]] = {
    "training": {"models", "metrics", "files"},
    "explain": {"models", "metrics"},
    "plots": {"metrics", "geometry", "growth"},
}
HEAVY = ("tensorflow", "torch", "keras", "pandas", "matplotlib", "scipy", "cv2", "sklearn")


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def level_of(room: str) -> int:
    for level, rooms in enumerate(LEVELS):
        if room in rooms:
            return level
    raise AssertionError(f"room {room!r} of fetal_lib is in no level: give it one in LEVELS")


def run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from run_nodes(child)


def imported(source: str, package: str) -> set[str]:
    """List the rooms that a module's text imports."""
    names: set[str] = set()
    for node in run_nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            names |= {f"{module}.{alias.name}" for alias in node.names}
    inside = (name.split(".") for name in names if name.startswith("fetal_lib."))
    return {parts[1] for parts in inside if parts[1] != "__version__"}


@functools.cache
def arrows() -> set[tuple[str, str, str]]:
    found = set()
    for path in LIBRARY.rglob("*.py"):
        if path.parent == LIBRARY and path.name == "__init__.py":
            continue
        package = ".".join(path.relative_to(LIBRARY.parent).parent.parts)
        for room in imported(path.read_text(encoding="utf-8"), package) - {room_of(path)}:
            found.add((room_of(path), room, path.relative_to(LIBRARY).as_posix()))
    return found


def test_arrows_between_rooms_point_down_only():
    upward = [
        f"{file}: {room} (level {level_of(room)}) imports {other} (level {level_of(other)})"
        for room, other, file in sorted(arrows())
        if level_of(other) >= level_of(room)
    ]
    assert not upward, "\n".join(upward)


@pytest.mark.parametrize("room", MAY_KNOW)
def test_a_room_knows_only_what_it_is_allowed_to(room):
    forbidden = [arrow for arrow in arrows() if arrow[0] == room and arrow[1] not in MAY_KNOW[room]]
    assert not forbidden


def test_the_library_itself_is_a_version_and_nothing_else():
    tree = ast.parse((LIBRARY / "__init__.py").read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree))


def test_the_finder_sees_imports_in_functions_and_relative_ones_but_not_types():
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from fetal_lib.cli import app\n"
        "def f():\n    import fetal_lib.runs.session\n    from fetal_lib import plots\n"
        "    from ..growth import units\n    from .. import sets\n    from . import near\n"
    )
    assert imported(source, "fetal_lib.metrics") == {"runs", "plots", "growth", "sets", "metrics"}


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=LIBRARY.parent)
    return done.stdout.strip()


def test_importing_the_library_takes_under_a_third_of_a_second():
    code = "from time import perf_counter as t; s = t(); import fetal_lib; print(t() - s)"
    assert min(float(run_python(code)) for _ in range(3)) < 0.3


@pytest.mark.parametrize(
    "modules",
    [
        "fetal_lib",
        "fetal_lib.metrics.segmentation, fetal_lib.metrics.regression, fetal_lib.metrics.intervals",
        "fetal_lib.geometry.ellipse",
        "fetal_lib.growth.intergrowth, fetal_lib.growth.hadlock, fetal_lib.growth.gestation",
        "fetal_lib.readers.image",
    ],
)
def test_the_rooms_at_the_bottom_load_nothing_heavy(modules):
    loaded = run_python(f"import sys, {modules}; print(*sys.modules)").split()
    assert not set(HEAVY) & {name.split(".")[0] for name in loaded}
