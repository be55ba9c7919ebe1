"""Hash what a fit or a run rests on: data folders and the code that was used."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from fetal_lib.files.atomic import plain, read_json, write_json

PACKAGES = ("fetal_lib", "fetal_phantoms", "fetal_book")

# They carry a run, they compute nothing in it; parameters are compared by value instead.
BOOKKEEPING = (
    "fetal_book.app",
    "fetal_book.site",
    "fetal_book.cli",
    "fetal_lib.files",
    "fetal_book.parameters",
    "fetal_book.runs",
    "fetal_lib.training.reuse",
)
LIBRARY = "fetal_lib"


def canonical_hash(content: Any) -> str:
    """Return the sha256 of a JSON-like value, whatever the order of its keys.

    >>> canonical_hash({"a": 1, "b": 2}) == canonical_hash({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=plain)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's content."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def folder_sha256(folder: Path, cache: Path | None = None) -> str:
    """Return one sha256 for the names, sizes and contents of all files of a folder.

    Parameters
    ----------
    folder : Path
        Hidden files and folders are left out.
    cache : Path, optional
        JSON file that remembers the content hash of every file by size and modification time,
        so that an unchanged folder is not read again.

    Raises
    ------
    FileNotFoundError
        If it is no folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder: received {folder}; it must be a folder that exists")
    known = (read_json(cache) if cache else None) or {}
    seen: dict[str, list[Any]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):
            continue
        state = path.stat()
        old = known.get(name)
        same = old is not None and old[:2] == [state.st_size, state.st_mtime_ns]
        seen[name] = [state.st_size, state.st_mtime_ns, old[2] if same else file_sha256(path)]
    if cache and seen != known:
        write_json(cache, seen)
    return canonical_hash([[name, size, sha] for name, (size, _, sha) in seen.items()])


@lru_cache(maxsize=512)
def _source_hash(path: str, mtime_ns: int) -> str:
    tree = ast.parse(Path(path).read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                if isinstance(body[0].value.value, str):
                    body[0].value.value = ""
    return hashlib.sha256(ast.unparse(tree).encode("utf-8")).hexdigest()


def source_sha256(path: Path) -> str:
    """Return the sha256 of a Python file's code; comments, docstrings and layout don't count."""
    return _source_hash(str(path), Path(path).stat().st_mtime_ns)


def module_file(name: str) -> Path | None:
    """Return the source file of a module without importing anything, None if there is none.

    >>> module_file("fetal_lib.files.fingerprint").name
    'fingerprint.py'
    """
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    if spec is None:
        return None
    if not spec.submodule_search_locations:
        return Path(spec.origin) if spec.origin and not rest else None
    for location in spec.submodule_search_locations:
        base = Path(location, *rest)
        for path in (base.with_suffix(".py") if rest else None, base / "__init__.py"):
            if path and path.is_file():
                return path
    return None


def module_hashes(names: Iterable[str]) -> dict[str, str]:
    """Return `{module: sha256 of its code}` for the modules that exist, sorted by name.

    Raises
    ------
    ModuleNotFoundError
        If a name is no module with a source file.
    """
    hashes: dict[str, str] = {}
    for name in sorted(set(names)):
        path = module_file(name)
        if path is None:
            raise ModuleNotFoundError(f"code: received {name!r}; it must be a Python module")
        hashes[name] = source_sha256(path)
    return hashes


def with_imports(names: Iterable[str], packages: Iterable[str] = PACKAGES) -> list[str]:
    """Return the modules and all modules of `packages` that they import, wherever in the file.

    Bookkeeping (`runs`, `cli`, `parameters`) is left out: it does not change a number.
    """
    todo, found = list(names), set()
    while todo:
        name = todo.pop()
        if name in found or is_bookkeeping(name):
            continue
        path = module_file(name)
        if path is None:
            continue
        found.add(name)
        imported = _imports(str(path), path.stat().st_mtime_ns)
        todo += [child for child in imported if child.split(".")[0] in packages]
    return sorted(found)


@lru_cache(maxsize=512)
def _imports(path: str, mtime_ns: int) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(Path(path).read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def is_bookkeeping(name: str) -> bool:
    """Say whether a module only carries runs and computes nothing in them.

    So does the package itself, which holds its version and loads nothing.
    """
    return name == LIBRARY or any(
        name == room or name.startswith(f"{room}.") for room in BOOKKEEPING
    )
