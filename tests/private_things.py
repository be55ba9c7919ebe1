"""What no record, table, figure or page may hold: paths of a computer, users, keys."""

from __future__ import annotations

import getpass
import re
import socket
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRIVATE = re.compile(
    rb"(?<![\w.])/(?:home|root|Users|tmp|private/var|mnt|scratch)/[\w.-]+"  # a folder of somebody's
    rb"|[A-Z]:\\\\?Users\\\\?\w+"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}"
    rb"|(?:api[_-]?key|secret|passw(?:or)?d)[\"']?\s*[:=]\s*[\"'][^\"']{8,}"
)
PACKED = (".zip", ".npz", ".keras", ".whl")


def own_names() -> list[bytes]:
    """Return the names of this computer, its user and this folder, where they say anything."""
    names = {socket.gethostname(), getpass.getuser(), str(ROOT), str(Path.home())}
    return [one.encode() for one in names if len(one) > 5 and one not in ("runner", "/home/runner")]


def contents(path: Path) -> Iterator[bytes]:
    """Return what a file holds, and what is packed in it."""
    yield path.read_bytes()
    if path.suffix in PACKED and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                yield name.encode() + b"\n" + packed.read(name)


def private_things(paths: Iterable[Path]) -> list[str]:
    """List what files hold that is nobody's business, as ``name: what``."""
    names, found = own_names(), []
    for path in paths:
        for content in contents(path):
            hits = [hit.group() for hit in PRIVATE.finditer(content)]
            hits += [name for name in names if name in content]
            found += [f"{path.name}: {hit[:80].decode(errors='replace')}" for hit in hits]
    return sorted(set(found))
