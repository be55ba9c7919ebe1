"""Notice that a cell failed in a notebook that runs on its own, without a parent to see it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

EVENT = "post_run_cell"
HANDLER = "_fetal_lib_cell_watch"


def watch_cells(on_error: Callable[[str, str], None]) -> None:
    """Call `on_error(name, message)` after every cell that raises; outside IPython do nothing.

    A kernel has one watcher: that of the run that was opened last.
    """
    shell = _shell()
    if shell is None:
        return
    unwatch_cells()

    def after_cell(result: Any) -> None:
        error = result.error_in_exec or result.error_before_exec
        if error is not None:
            on_error(type(error).__name__, str(error))

    shell.events.register(EVENT, after_cell)
    setattr(shell, HANDLER, after_cell)


def unwatch_cells() -> None:
    """Stop watching."""
    shell = _shell()
    handler = getattr(shell, HANDLER, None)
    if shell is not None and handler is not None:
        shell.events.unregister(EVENT, handler)
        setattr(shell, HANDLER, None)


def _shell() -> Any | None:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
