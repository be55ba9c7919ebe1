"""Start an IPython kernel that cannot outlive the process that started it."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Tie this process to its parent, then become a kernel."""
    from fetal_book.runs.process import die_with_parent

    parent = os.environ.get("JPY_PARENT_PID", "")
    die_with_parent(int(parent) if parent.isdigit() else None)
    if sys.path and sys.path[0] in ("", os.getcwd()):  # noqa: PTH109
        del sys.path[0]
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
