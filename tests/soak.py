"""How often the tests of faults try, and where they tell what they saw.

In the suite each tries a few times. `make soak` sets `FETAL_SOAK` to a file, tries many times, and
each test appends a line to the file: the fault, how often it was tried, how often something was
lost. The page *Reliability* is made from that file.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from fetal_lib.files.atomic import append_line

FILE = "FETAL_SOAK"


def times(few: int, many: int) -> int:
    """Return how often to try: a few times in the suite, many times in a soak."""
    return many if FILE in os.environ else few


def tell(group: str, fault: str, tried: int, lost: int, what: str) -> None:
    """Append what was tried to the file of the soak, if this is one.

    Parameters
    ----------
    group : {'faults', 'oddities', 'bad input', 'load', 'determinism'}
        The table of the page that the line goes into.
    fault : str
        What was done.
    tried, lost : int
        How often, and how often a result was lost or false.
    what : str
        What was checked after each, in a sentence.
    """
    if FILE not in os.environ:
        return
    line = {"group": group, "fault": fault, "tried": tried, "lost": lost, "checked": what}
    append_line(Path(os.environ[FILE]), line | {"date": datetime.now(UTC).date().isoformat()})
