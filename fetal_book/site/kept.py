"""Keep what earlier builds of the site worked out of files, by the content of these."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path


class Kept:
    """What functions made of bytes, in a folder; None keeps nothing.

    A file is named after the function, the text of its module and the bytes that it was given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.used = folder, set[str]()
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, how: Callable[[bytes], bytes], content: bytes) -> bytes:
        """Return what ``how`` makes of a content, from the folder where it is there."""
        if self.folder is None:
            return how(content)
        key = hashlib.sha256(_module_hash(how.__code__.co_filename) + content).hexdigest()
        path = self.folder / f"{how.__name__}-{key}"
        self.used.add(path.name)
        if not path.is_file():
            part = path.with_suffix(".part")
            part.write_bytes(how(content))
            part.replace(path)
        return path.read_bytes()

    def drop_others(self) -> None:
        """Remove what this build had no use for."""
        for path in self.folder.iterdir() if self.folder else ():
            if path.name not in self.used:
                path.unlink()


@cache
def _module_hash(file: str) -> bytes:
    return hashlib.sha256(Path(file).read_bytes()).digest()
