"""Get a package from npm: the release that a lock file names, checked by SHA-512.

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
from pathlib import Path

from fetal_book.parameters.project import cache_root
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import read_json, write_bytes

TIME_LIMIT_S = 300


def get_package_files(lock: Path) -> dict[str, bytes]:
    """Return the files of a locked package by their keys, from the cache or fetched with npm.

    The lock is JSON: ``package, version, licence, integrity`` and ``files``, key to path in it.
    """
    locked = read_json(lock)
    name = f"{locked['package']}@{locked['version']}"
    kept = cache_root() / "npm" / f"{locked['package']}-{locked['version']}.tgz"
    archive = kept.read_bytes() if kept.is_file() else b""
    if integrity(archive) != locked["integrity"]:
        archive = fetch_archive(name)
        if integrity(archive) != locked["integrity"]:
            raise UserError(
                f"{name}: its SHA-512 is {integrity(archive)}, and {lock.name} locks "
                f"{locked['integrity']}. Ask npm for the unchanged package."
            )
        write_bytes(kept, archive)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return {key: files.extractfile(path).read() for key, path in locked["files"].items()}


def integrity(content: bytes) -> str:
    """Return the checksum that npm writes of a package.

    Examples
    --------
    >>> integrity(b"")[:18]
    'sha512-z4PhNX7vuL3'
    """
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def fetch_archive(name: str) -> bytes:
    """Fetch a package such as ``onnxruntime-web@1.22.0`` with npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("npm is not installed. Install Node.js, which brings it.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", name, "--silent", "--ignore-scripts", "--fetch-retries=0"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT_S
            )
        except subprocess.TimeoutExpired:
            raise UserError(
                f"npm did not fetch {name} in {TIME_LIMIT_S} s. Check the network."
            ) from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            raise UserError(f"npm could not fetch {name}. Check the network and npm's registry.")
        return archives[0].read_bytes()
