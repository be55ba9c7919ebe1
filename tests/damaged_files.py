"""How the tests of the readers damage files: bits, bytes, cuts, insertions, huge sizes, NaN."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from soak import times

MARKS = (
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"\x00\x00\xc0\x7f",
)
Changes = list[tuple[int, float, int]]


def fuzz(max_examples: int) -> settings:
    """Return the settings of a test that runs the same examples each time, however slow.

    A soak runs four times as many.
    """
    return settings(
        max_examples=times(max_examples, 4 * max_examples),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def changes_near(share: float) -> st.SearchStrategy[Changes]:
    """Return lists of changes, half of them within the first share of the file."""
    where = st.one_of(st.floats(0, 1), st.floats(0, share))
    change = st.tuples(st.integers(0, 6), where, st.integers(0, 255))
    return st.lists(change, min_size=1, max_size=6)


def mutated(content: bytes, changes: Changes) -> bytes:
    """Apply changes: which one, where (as a share of the file), with what byte."""
    data = bytearray(content)
    for which, where, byte in changes:
        if len(data) < 5:
            break
        at = int(where * (len(data) - 1))
        if which == 0:
            data[at] ^= 1 << byte % 8
        elif which == 1:
            data[at] = byte
        elif which == 2:
            del data[at:]
        elif which == 3:
            data[at : at + 4] = MARKS[byte % len(MARKS)]
        elif which == 4:
            data[at:at] = bytes([byte]) * (1 + byte % 9)
        elif which == 5:
            del data[at : at + 1 + byte % 9]
        else:
            data[at : at + 64] = bytes(min(64, len(data) - at))
    return bytes(data)
