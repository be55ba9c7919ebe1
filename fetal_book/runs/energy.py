"""What a machine's processors have used, where its counters may be read.

Linux tells the energy of each processor package, of Intel and of AMD, in microjoules in
``/sys/class/powercap``; most systems let an administrator alone read it, and virtual machines have
none. The counters begin anew at a limit, after minutes at full load, so they are asked often.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

COUNTERS = Path("/sys/class/powercap")
JOULES_A_WATT_HOUR = 3600.0


class EnergyMeter:
    """Add up the energy of all processor packages since it was made.

    Parameters
    ----------
    counters : folder of the counters.
    """

    def __init__(self, counters: Path = COUNTERS) -> None:
        self._limits = _limits(counters)
        self._last = _read(self._limits)
        self._microjoules = 0

    def ask(self) -> None:
        """Look at the counters; one that is lower than before has begun anew once."""
        now = _read(self._limits)
        for package, value in now.items():
            last = self._last[package]
            self._microjoules += value - last + (self._limits[package] if value < last else 0)
        if len(now) == len(self._limits):
            self._last = now
        else:
            self._limits = {}

    def watt_hours(self) -> float | None:
        """Return what was used; None where the machine does not tell it."""
        self.ask()
        if not self._limits:
            return None
        return round(self._microjoules / 1e6 / JOULES_A_WATT_HOUR, 3)


def _limits(counters: Path) -> dict[Path, int]:
    """Return the packages whose energy may be read, and where their counters begin anew."""
    packages = [path for path in counters.glob("intel-rapl:*") if path.name.count(":") == 1]
    found = {}
    for package in sorted(packages):
        limit = _number(package / "max_energy_range_uj")
        if limit is not None and _number(package / "energy_uj") is not None:
            found[package] = limit
    return found


def _read(packages: Iterable[Path]) -> dict[Path, int]:
    values = {package: _number(package / "energy_uj") for package in packages}
    return {package: value for package, value in values.items() if value is not None}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
