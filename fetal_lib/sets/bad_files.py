"""Report all bad files of a data set together, and find files by the names a table gives."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from fetal_lib.errors import UserError

Case = TypeVar("Case")
Result = TypeVar("Result")
MAX_SHOWN = 200


class BadFilesError(UserError, ValueError):
    """Name every file that cannot be used and why; ``problems`` holds one line a file.

    Examples
    --------
    >>> raise BadFilesError("data", ["a.png: 0 bytes", "b.png: no such file"])
    Traceback (most recent call last):
    fetal_lib.sets.bad_files.BadFilesError: data: 2 file(s) cannot be used.
      a.png: 0 bytes
      b.png: no such file
    Repair them, or take them out of the set.
    """

    def __init__(self, what: str, problems: Sequence[str]) -> None:
        lines = [f"{what}: {len(problems)} file(s) cannot be used."]
        lines += [f"  {problem}" for problem in problems[:MAX_SHOWN]]
        if len(problems) > MAX_SHOWN:
            lines.append(f"  and {len(problems) - MAX_SHOWN} more")
        super().__init__("\n".join([*lines, "Repair them, or take them out of the set."]))
        self.problems = tuple(problems)


def stream(
    cases: Iterable[Case], read: Callable[[Case], Result], what: str = "data"
) -> Iterator[Result]:
    """Read cases one after the other, and at the end name all that could not be read.

    After the first bad file nothing more is yielded, so that what was yielded still goes with
    the first cases; the rest is read only to find the other bad files.

    Parameters
    ----------
    cases : iterable
    read : callable
        Returns the result of a case, or raises a ValueError that names the file.
    what : str
        Named at the start of the message.

    Yields
    ------
    What ``read`` returns, in the order of the cases.

    Raises
    ------
    BadFilesError
        After the last case, if any could not be read.

    Examples
    --------
    >>> list(stream(["1", "2"], int))
    [1, 2]
    """
    problems: list[str] = []
    for case in cases:
        try:
            result = read(case)
        except (ValueError, OSError) as error:
            problems.append(str(error))
            continue
        if not problems:
            yield result
        del result  # one case in memory at a time, also while the next is read
    if problems:
        raise BadFilesError(what, problems)


def plain_name(name: str) -> str:
    """Return a name with composed letters: macOS writes ``é`` as two signs, others as one."""
    return unicodedata.normalize("NFC", name)


def find_file(folder: Path, name: str) -> Path:
    """Return the file that a table names, by its path inside a folder.

    Parameters
    ----------
    folder : Path
    name : str
        Parted by ``/`` or ``\\``; letters with accents may be composed or not.

    Raises
    ------
    ValueError
        If the name is empty, leads out of the folder, or no such file is there.

    Examples
    --------
    >>> find_file(Path("."), "../scan.png")
    Traceback (most recent call last):
    ValueError: '../scan.png': it leads out of the folder; give the path inside the folder
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or not name.isprintable():
        raise ValueError(f"{name!r}: no file name; give the path inside the folder")
    if parts.is_absolute() or ".." in parts.parts or re.match(r"[A-Za-z]:", name):
        raise ValueError(f"{name!r}: it leads out of the folder; give the path inside the folder")
    texts = [name, *(unicodedata.normalize(form, str(parts)) for form in ("NFC", "NFD"))]
    path = next((folder / text for text in texts if _is_file(folder / text)), None)
    if path is None:
        raise ValueError(f"{name}: no such file in {folder.name or folder}")
    return path


def find_files(folder: Path, names: Iterable[str]) -> tuple[list[Path], list[str]]:
    """Return the files that a table names, and a line for each that is not there."""
    paths, problems = [], []
    for name in names:
        try:
            paths.append(find_file(folder, name))
        except ValueError as error:
            problems.append(str(error))
    return paths, problems


def repeated(names: Sequence[str]) -> list[str]:
    """Return the names that stand more than once, each once, in order."""
    seen: set[str] = set()
    return list(dict.fromkeys(n for n in map(plain_name, names) if n in seen or seen.add(n)))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
