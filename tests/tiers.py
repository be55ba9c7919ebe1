"""Which tests the first tier leaves out, by what they took; a test's own mark `slow` counts too.

``tests/second_tier.txt`` names functions whose cases took longer together than `LONG_S` on a
computer that did nothing else. `pytest --time-tiers` measures and writes it anew.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("second_tier.txt")
LONG_S = 0.2


class Timer:
    """Add up the seconds of each function's cases, fixtures included."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("[")[0]] += report.duration

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):
            names = sorted(name for name, spent in self.seconds.items() if spent > LONG_S)
            LIST.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def mark(items: list[pytest.Item]) -> None:
    """Mark the tests of the list as slow."""
    named = set(LIST.read_text(encoding="utf-8").splitlines()) if LIST.is_file() else set()
    for item in items:
        if item.nodeid.partition("[")[0] in named:
            item.add_marker(pytest.mark.slow)
