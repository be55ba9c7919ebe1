"""A table of predictions in pieces: a command that was killed goes on where it stopped.

Beside the table that is asked for lies a folder ``TABLE.unfinished`` with the rows of every few
scans in a file of their own, which is whole or not there. In the end they are joined, each once,
and the folder is gone. The same command again goes on after the last whole piece; one with another
option, other scans, another model or another version begins anew.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO, TypeVar

import typer

from fetal_lib.files.atomic import read_json, write_json
from fetal_lib.files.fingerprint import canonical_hash

PIECE = 32
"""Scans: what a killed command loses at most."""
ORDER = "order.json"
ScanT = TypeVar("ScanT")
Write = Callable[..., dict[str, int]]
"""Called as ``write(scans, out=table)``; returns how many scans got which status."""


def in_pieces(
    write: Write, scans: Sequence[ScanT], out: Path, rests_on: Sequence[Any]
) -> dict[str, int]:
    """Write a table piece by piece, or go on with one that was begun; return the statuses' counts.

    Few scans are written at once. What rows rest on beside scans and version are the values of the
    command's options; of a `Path` the files that it leads to count, too.
    """
    if len(scans) <= PIECE or out.is_dir():
        return at_once(write, scans, out, rests_on)
    from filelock import FileLock, Timeout
    from tqdm import tqdm

    folder = out.with_name(f"{out.name}.unfinished")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (
            FileLock(folder / "lock", timeout=0),
            tqdm(total=len(scans), unit="scan", file=sys.stderr, disable=None) as bar,
        ):
            _begin(folder, _order(scans, rests_on), len(scans))
            counts: Counter[str] = Counter()
            pieces = [folder / f"{at:06d}.csv" for at in range(0, len(scans), PIECE)]
            for at, piece in enumerate(pieces):
                some = scans[at * PIECE : (at + 1) * PIECE]
                counts.update(_piece(piece, some, write))
                bar.update(len(some))
            _join(pieces, out)
    except Timeout:
        raise ValueError(f"out: another command is writing {out}; wait for it.") from None
    shutil.rmtree(folder)
    return dict(counts)


def at_once(
    write: Write, scans: Sequence[ScanT], out: Path, rests_on: Sequence[Any]
) -> dict[str, int]:
    """Write a table that appears when all is done; what was killed begins anew."""
    return write(scans, out=out)


def _begin(folder: Path, order: str, n: int) -> None:
    """Keep what is there of the same order, and say so; drop what is there of another."""
    if (read_json(folder / ORDER) or {}).get("sha256") == order:
        done = min(n, PIECE * sum(path.name != ORDER for path in folder.glob("*.json")))
        if done:
            typer.echo(f"{done} of {n} scans were done before; going on after them")
        return
    for old in (*folder.glob("*.csv"), *folder.glob("*.json")):
        old.unlink()
    write_json(folder / ORDER, {"sha256": order})


def _piece(piece: Path, scans: Sequence[Any], write: Write) -> dict[str, int]:
    """Return the counts of a piece, which is written where it is not there."""
    told = piece.with_suffix(".json")
    counts = read_json(told) if piece.is_file() else None
    if not isinstance(counts, dict):
        stream, sys.stderr = sys.stderr, _Barless(sys.stderr)
        try:
            counts = write(scans, out=piece)
        finally:
            sys.stderr = stream
        write_json(told, counts)
    return counts


def _join(pieces: Sequence[Path], out: Path) -> None:
    """Write the rows of all pieces below one header; the table is whole or not there."""
    part = out.with_name(f"{out.name}.part")
    with part.open("wb") as table:
        for number, piece in enumerate(pieces):
            header, _, rows = piece.read_bytes().partition(b"\n")
            table.write((header + b"\n" if number == 0 else b"") + rows)
    part.replace(out)


def _order(scans: Sequence[Any], rests_on: Sequence[Any]) -> str:
    """Hash what rows rest on."""
    return canonical_hash([version("fetal-lib"), [*map(_state, rests_on)], [*map(_state, scans)]])


def _state(value: Any) -> list[Any]:
    """Return a value in words; of a path with size and change time of what it leads to."""
    inside = [value, *value.rglob("*")] if isinstance(value, Path) else []
    stats = [(str(path), path.stat()) for path in sorted(inside) if path.is_file()]
    return [str(value), *([name, stat.st_size, stat.st_mtime_ns] for name, stat in stats)]


class _Barless:
    """A stream for messages: no terminal, so that a piece shows no bar of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        """Say no."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
