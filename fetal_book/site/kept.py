"""Keep what earlier builds of the site worked out of files, by the content of these."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from fetal_book.runs.machine import cores

WORTH_PROCESSES = 8
"""So many contents are worked out sooner by a process a core than by one after another."""


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
        return self.all(how, [content])[0]

    def all(self, how: Callable[[bytes], bytes], contents: Sequence[bytes]) -> list[bytes]:
        """Return what ``how`` makes of each content; many that are not there on all cores.

        ``how`` is a function of a module, not of a function: other processes are told its name.
        """
        names = [self._name(how, content) for content in contents]
        self.used.update(names)
        known = {name: path.read_bytes() for name in set(names) if (path := self._path(name))}
        new = {name: one for name, one in zip(names, contents, strict=True) if name not in known}
        for name, made in zip(new, _each(how, list(new.values())), strict=True):
            known[name] = made
            if self.folder:
                part = self.folder / f"{name}.part"
                part.write_bytes(made)
                part.replace(self.folder / name)
        return [known[name] for name in names]

    def _name(self, how: Callable[[bytes], bytes], content: bytes) -> str:
        key = hashlib.sha256(_module_hash(how.__code__.co_filename) + content).hexdigest()
        return f"{how.__name__}-{key}"

    def _path(self, name: str) -> Path | None:
        path = self.folder / name if self.folder else None
        return path if path and path.is_file() else None

    def drop_others(self) -> None:
        """Remove what this build had no use for."""
        for path in self.folder.iterdir() if self.folder else ():
            if path.name not in self.used:
                path.unlink()


def _each(how: Callable[[bytes], bytes], contents: list[bytes]) -> list[bytes]:
    if len(contents) < WORTH_PROCESSES or cores() == 1:
        return [how(content) for content in contents]
    with ProcessPoolExecutor(cores()) as pool:
        return list(pool.map(how, contents))


@cache
def _module_hash(file: str) -> bytes:
    return hashlib.sha256(Path(file).read_bytes()).digest()
