"""The three packages and their rooms: arrows point down only, and importing loads nothing heavy.

Every import statement counts, also one inside a function and one for a type only. A new room takes
its place in ``LEVELS`` before it is used.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from fetal_lib.files.fingerprint import PACKAGES

PROJECT = Path(__file__).resolve().parents[1]
LEVELS = (
    {"errors"},
    {"metrics", "geometry", "growth", "readers", "files", "models"},
    {"data", "training", "explain", "fetal_phantoms"},
    {"baselines"},
    {"plots"},
    {"predict"},
    {"parameters"},
    {"runs"},
    {"chapters"},
    {"published_size"},
    {"site"},
    {"app"},
    {"cli"},
    {"__main__"},
)
# Stricter than the level says: these rooms may know only the rooms named.
MAY_KNOW: dict[str, set[str]] = {
    "fetal_phantoms": {"geometry", "growth"},
    "training": {"errors", "models", "metrics", "files"},
    "explain": {"models", "metrics"},
    "plots": {"metrics", "geometry", "growth"},
}
HEAVY = ("tensorflow", "torch", "keras", "pandas", "matplotlib", "scipy", "cv2", "sklearn")


def room_of(module: str) -> str:
    """The part of a package that a module stands in; made-up anatomy is one room."""
    package, *rest = module.split(".")
    return rest[0] if rest and package != "fetal_phantoms" else package


def level_of(room: str) -> int:
    for level, rooms in enumerate(LEVELS):
        if room in rooms:
            return level
    raise AssertionError(f"room {room!r} is in no level: give it one in LEVELS")


def imported(source: str, package: str) -> set[str]:
    """List the project's modules and names that a module's text imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            names |= {f"{module}.{alias.name}" for alias in node.names}
    inside = {name for name in names if name.split(".")[0] in PACKAGES}
    return inside - set(PACKAGES) - {"fetal_lib.__version__"}


@functools.cache
def modules() -> dict[str, set[str]]:
    """Name each module of the project, with what it imports."""
    found = {}
    for path in (path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")):
        parts = path.relative_to(PROJECT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        package = ".".join(parts[:-1])
        found[name] = imported(path.read_text(encoding="utf-8"), package)
    return found


@functools.cache
def arrows() -> set[tuple[str, str, str]]:
    return {
        (room_of(module), room_of(name), module)
        for module, names in modules().items()
        for name in names
        if room_of(module) != room_of(name) and module not in PACKAGES
    }


def test_arrows_between_rooms_point_down_only():
    upward = [
        f"{file}: {room} (level {level_of(room)}) imports {other} (level {level_of(other)})"
        for room, other, file in sorted(arrows())
        if level_of(other) >= level_of(room)
    ]
    assert not upward, "\n".join(upward)


def test_no_two_modules_know_each_other():
    arrows = {
        module: {name if name in modules() else name.rpartition(".")[0] for name in names}
        for module, names in modules().items()
    }
    try:
        tuple(TopologicalSorter(arrows).static_order())
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


@pytest.mark.parametrize("room", MAY_KNOW)
def test_a_room_knows_only_what_it_is_allowed_to(room):
    forbidden = [arrow for arrow in arrows() if arrow[0] == room and arrow[1] not in MAY_KNOW[room]]
    assert not forbidden


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_itself_imports_nothing_but_what_precedes_tensorflow(package):
    tree = ast.parse((PROJECT / package / "__init__.py").read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    first = ["fetal_lib.files.import_order", "fetal_lib.files.one_dnn"]
    assert [node.module for node in found] == first * (package == "fetal_lib")


def test_the_finder_sees_imports_in_functions_relative_ones_and_those_of_types():
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from fetal_book.cli import app\n"
        "def f():\n    import fetal_book.runs.session\n    from fetal_lib import plots\n"
        "    from ..growth import units\n    from .. import sets\n    from . import near\n"
    )
    rooms = {room_of(name) for name in imported(source, "fetal_lib.metrics")}
    assert rooms == {"cli", "runs", "plots", "growth", "sets", "metrics"}


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
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
        "fetal_lib.growth.intergrowth_size, fetal_lib.growth.hadlock, fetal_lib.growth.gestation",
        "fetal_lib.readers.image",
    ],
)
def test_the_rooms_at_the_bottom_load_nothing_heavy(modules):
    loaded = run_python(f"import sys, {modules}; print(*sys.modules)").split()
    assert not set(HEAVY) & {name.split(".")[0] for name in loaded}
