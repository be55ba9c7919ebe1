"""Where `make bench` keeps what it measures: a line a measurement, in the file `FETAL_BENCH`.

The page *Where the time goes* shows the last runs of it beside each other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

FILE = "FETAL_BENCH"


def fastest_in_turns(
    first: Callable[[], object],
    second: Callable[[], object],
    enough: Callable[[float, float], bool],
    tries: int,
    rounds: int = 1,
) -> tuple[float, float]:
    """Return the seconds of each at its fastest, in turns, so that both meet the same machine.

    Other jobs only ever add time, so that more rounds come nearer to the truth of both; what is
    slower stays slower. After each try of so many rounds it is asked whether that is enough.
    """
    best = [float("inf"), float("inf")]
    for _ in range(tries):
        for _ in range(rounds):
            for k, act in enumerate((first, second)):
                start = time.perf_counter()
                act()
                best[k] = min(best[k], time.perf_counter() - start)
        if enough(*best):
            break
    return best[0], best[1]


def tell(what: str, value: float, unit: str, promise: str) -> None:
    """Append a measurement to the file, if this is a bench.

    Parameters
    ----------
    what : str
        What was measured, the same words in every run.
    value : float
    unit : str
        Of the value; empty for a ratio.
    promise : str
        What the test holds it to, such as ``below 2``.
    """
    name = os.environ.get(FILE, "")
    if not name.endswith(".jsonl"):
        return
    from fetal_book.runs.machine import code_state, hardware
    from fetal_lib.files.atomic import append_line

    machine, code = hardware(), code_state(Path(__file__).parents[1])
    line = {"what": what, "value": float(f"{value:.3g}"), "unit": unit, "promise": promise}
    line |= {"commit": (code.get("commit") or "")[:7], "cpu": machine["cpu"]}
    line |= {"cores": machine["cores"], "date": datetime.now(UTC).date().isoformat()}
    append_line(Path(name), line)
