"""Get ONNX Runtime for browsers: the release that is locked beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fetal_book.site.npm_package import get_package_files
from fetal_lib.files.atomic import read_json

LOCK = Path(__file__).with_name("try_it_runtime.json")


@dataclass(frozen=True)
class Runtime:
    """What a page needs to run a network.

    Attributes
    ----------
    name : package and version.
    licence : SPDX name.
    script : JavaScript that defines ``ort``.
    glue : JavaScript module that starts the WebAssembly.
    wasm : the WebAssembly.
    """

    name: str
    licence: str
    script: str
    glue: str
    wasm: bytes


def get_runtime(lock: Path = LOCK) -> Runtime:
    """Return the locked runtime from the cache, or fetch it with npm."""
    part = get_package_files(lock)
    locked = read_json(lock)
    script, glue = (without_map(part[key].decode("utf-8")) for key in ("script", "glue"))
    name = f"{locked['package']}@{locked['version']}"
    return Runtime(name, locked["licence"], script, glue, part["wasm"])


def without_map(script: str) -> str:
    """Drop the line that names a source map, which is not served."""
    return "\n".join(line for line in script.split("\n") if not line.startswith("//# source"))
