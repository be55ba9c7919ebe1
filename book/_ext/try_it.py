"""Serve the files that `fetal-lib book try-it` made for the page "Try it".

Jupyter Book puts every script below ``_static`` on every page. These belong to one page, which
loads them itself, so they are copied to the site's static folder from a place of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

MADE = Path(__file__).resolve().parents[1] / "generated" / "static"


def serve_made_files(app: Any) -> None:
    """Add the made files to the static files, if there are any."""
    if MADE.is_dir():
        app.config.html_static_path.append(str(MADE))


def setup(app: Any) -> dict[str, bool]:
    """Register the hook with Sphinx."""
    app.connect("builder-inited", serve_made_files, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
