"""Report all bad files of a data set together, and find files by the names a table gives."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

from fetal_lib.data.report import Problem, examples
from fetal_lib.errors import UserError

Case = TypeVar("Case")
Result = TypeVar("Result")
IMAGE_MARKS = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
POINTER = "a git-annex pointer, not the file: get its content"


class FileFault(UserError, ValueError):
    """One file cannot be used: its path, the kind of the fault, and the words."""

    def __init__(self, path: str | Path, kind: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.problem = Problem(str(path), kind, message)


class BadFilesError(UserError, ValueError):
    """Say which files cannot be used and why, by kind; ``problems`` holds every one.

    Examples
    --------
    >>> raise BadFilesError("data", [Problem("a.png", "zero bytes", "0 bytes")])
    Traceback (most recent call last):
    fetal_lib.data.bad_files.BadFilesError: data: 1 file(s) cannot be used.
      a.png: 0 bytes
    Repair them, or take them out of the set.
    """

    def __init__(self, what: str, problems: Sequence[Problem], list_all: str = "") -> None:
        lines = [f"{what}: {len(problems)} file(s) cannot be used."]
        lines += [f"  {line}" for line in examples(problems)]
        fix = "Repair them, or take them out of the set"
        super().__init__("\n".join([*lines, f"{fix}; {list_all}." if list_all else f"{fix}."]))
        self.problems = tuple(problems)


def problems_of(error: Exception) -> list[Problem]:
    """Return what an error says that was raised while a case was read, one entry a file."""
    if isinstance(error, BadFilesError):
        return list(error.problems)
    if isinstance(error, FileFault):
        return [error.problem]
    path = getattr(error, "path", None) or getattr(error, "filename", None)
    if path is None:
        return [Problem("data", "unreadable", str(error))]
    kind = _kind_of_unreadable(Path(path))
    message = POINTER if kind == "pointer" else str(error).replace(f"{path}: ", "", 1)
    return [Problem(str(path), kind, message)]


def _kind_of_unreadable(path: Path) -> str:
    """Return what is wrong with a file that no reader takes, by its first bytes."""
    try:
        if path.is_dir():
            return "wrong type"
        if not path.is_file():
            return "missing"
        if path.stat().st_size == 0:
            return "zero bytes"
        with path.open("rb") as source:
            first = source.read(352)
    except (OSError, ValueError):
        return "unreadable"
    if b"/annex/" in first[:200]:
        return "pointer"
    is_image = first.startswith(IMAGE_MARKS) or first[128:132] == b"DICM"
    is_packed = first[:2] == b"\x1f\x8b"
    is_header = first[344:347] in (b"n+1", b"ni1") or first[4:6] == b"n+" or path.suffix == ".hdr"
    return "unreadable" if is_image or is_packed or is_header else "wrong type"


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
    problems: list[Problem] = []
    for case in cases:
        try:
            result = read(case)
        except (ValueError, OSError) as error:
            problems += problems_of(error)
            continue
        if not problems:
            yield result
        del result  # one case in memory at a time, also while the next is read
    if problems:
        raise BadFilesError(what, problems)


def plain_name(name: str) -> str:
    """Return a name with composed letters: macOS writes ``é`` as two signs, others as one."""
    return unicodedata.normalize("NFC", name)


def plain_file_name(path: str | Path) -> str:
    r"""Return the name of a file without its folders, parted by ``/`` or ``\\``.

    >>> plain_file_name(r"C:\\scans\\a b.png"), plain_file_name("scans/a b.png")
    ('a b.png', 'a b.png')
    """
    return plain_name(PureWindowsPath(path).name)


def find_file(folder: Path, name: str) -> Path:
    """Return the file that a table names, by its path inside a folder, or raise a FileFault.

    A name is parted by ``/`` or ``\\``; letters with accents may be composed or not. It must not
    be empty or lead out of the folder.

    >>> find_file(Path("."), "../scan.png")
    Traceback (most recent call last):
    fetal_lib.data.bad_files.FileFault: '../scan.png': it leads out of the folder;
    give the path inside the folder
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or not name.isprintable():
        raise FileFault(repr(name), "file name", "no file name; give the path inside the folder")
    if parts.is_absolute() or ".." in parts.parts or re.match(r"[A-Za-z]:", name):
        rule = "it leads out of the folder; give the path inside the folder"
        raise FileFault(repr(name), "file name", rule)
    texts = [name, *(unicodedata.normalize(form, str(parts)) for form in ("NFC", "NFD"))]
    path = next((folder / text for text in texts if _is(folder / text, Path.is_file)), None)
    if path is None:
        where = folder.name or folder
        if any(_is(folder / text, Path.is_dir) for text in texts):
            raise FileFault(name, "wrong type", f"no such file in {where}, but a folder")
        raise FileFault(name, "missing", f"no such file in {where}")
    return path


def repeated(names: Sequence[str]) -> list[str]:
    """Return the names that stand more than once, each once, in order."""
    seen: set[str] = set()
    return list(dict.fromkeys(n for n in map(plain_name, names) if n in seen or seen.add(n)))


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    try:
        return kind(path)
    except (OSError, ValueError):  # a name that the system cannot hold
        return False
