"""Get ONNX Runtime for browsers: the release that is locked beside this file, checked by SHA-512.

npm fetches it, from whatever registry npm is set up for. The archive is kept in the cache, so a
second build needs neither npm nor a network.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fetal_lib.files.atomic import read_json, write_bytes
from fetal_lib.parameters.project import cache_root

LOCK = Path(__file__).with_name("try_it_runtime.json")
TIME_LIMIT_S = 300


class TryItError(RuntimeError):
    """A part of the page that measures in the browser cannot be made here."""


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
    """Return the locked runtime from the cache, or fetch it with npm.

    Parameters
    ----------
    lock : JSON file with ``package, version, licence, integrity, files``.

    Raises
    ------
    TryItError
        If npm is missing or fetches nothing, or the archive is not the locked one.
    """
    locked = read_json(lock)
    name = f"{locked['package']}@{locked['version']}"
    kept = cache_root() / "npm" / f"{locked['package']}-{locked['version']}.tgz"
    archive = kept.read_bytes() if kept.is_file() else b""
    if integrity(archive) != locked["integrity"]:
        archive = fetch_archive(name)
        if integrity(archive) != locked["integrity"]:
            raise TryItError(
                f"{name}: its SHA-512 is {integrity(archive)}, and {lock.name} locks "
                f"{locked['integrity']}. Ask npm for the unchanged package."
            )
        write_bytes(kept, archive)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        part = {key: files.extractfile(path).read() for key, path in locked["files"].items()}
    script, glue = (without_map(part[key].decode("utf-8")) for key in ("script", "glue"))
    return Runtime(name, locked["licence"], script, glue, part["wasm"])


def integrity(content: bytes) -> str:
    """Return the checksum that npm writes of a package.

    Examples
    --------
    >>> integrity(b"")[:18]
    'sha512-z4PhNX7vuL3'
    """
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def fetch_archive(name: str) -> bytes:
    """Fetch a package's archive with npm.

    Parameters
    ----------
    name : such as ``onnxruntime-web@1.22.0``.

    Raises
    ------
    TryItError
        If there is no npm, or it brings nothing.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise TryItError("npm is not installed. Install Node.js, which brings it.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", name, "--silent", "--ignore-scripts", "--fetch-retries=0"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S
            )
        except subprocess.TimeoutExpired:
            raise TryItError(
                f"npm did not fetch {name} in {TIME_LIMIT_S} s. Check the network."
            ) from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            raise TryItError(f"npm could not fetch {name}. Check the network and npm's registry.")
        return archives[0].read_bytes()


def without_map(script: str) -> str:
    """Drop the line that names a source map, which is not served."""
    return "\n".join(line for line in script.split("\n") if not line.startswith("//# source"))
