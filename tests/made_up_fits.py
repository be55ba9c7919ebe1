"""A fit or a search that is stopped on its way, as a lost computer would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest


class Cut(Exception):
    """What stops it."""


@contextmanager
def cut_after(number: int, what: str = "epoch") -> Iterator[Callable]:
    """Give a progress that stops the work after so many epochs or trials; it must be stopped."""

    def progress(event, **fields):
        if fields[what] == number:
            raise Cut

    with pytest.raises(Cut):
        yield progress


def check_equal_weights(folder: Path) -> None:
    """Compare the Keras weights of the fits "whole" and "cut", which leaves no checkpoint."""
    a, b = (np.load(folder / name / "weights.npz") for name in ("whole", "cut"))
    for name in a.files:
        np.testing.assert_allclose(a[name], b[name], rtol=2e-3, atol=2e-3)
    assert not list((folder / "cut").glob("*checkpoint*"))


def damage(path: Path, way: str) -> None:
    """Empty a file, cut it in half, or turn a bit here and there."""
    whole = path.read_bytes()
    turned = bytes(byte ^ (number % 97 == 50) for number, byte in enumerate(whole))
    kept = {"empty": b"", "half": whole[: len(whole) // 2], "turned": turned}
    path.write_bytes(kept[way])
