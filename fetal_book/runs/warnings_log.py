"""Keep what packages warn of in a file of the run instead of on the page."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

WARNINGS_FILE = "logs/warnings.log"
NAME = "warnings of the run"


def log_warnings(path: Path) -> None:
    """Send warnings, logs, and what compiled code writes to standard error, to a file.

    In a notebook's kernel alone; elsewhere they stay where they are. A kernel has one such file:
    that of the run that was opened last.
    """
    if "ipykernel.zmqshell" not in sys.modules:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.name == NAME]:
        root.removeHandler(old)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.name = NAME
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)  # TensorFlow prints by itself only where the root has no handler
    logging.captureWarnings(capture=True)
    os.dup2(handler.stream.fileno(), 2)
