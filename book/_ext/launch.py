"""Show the Binder and Colab buttons only where the repository's address is known.

It stands in one place: ``repository_url`` in ``_config.yml``. The theme fails without it.
"""

from __future__ import annotations

from typing import Any


def drop_without_address(app: Any, config: Any) -> None:
    """Drop the launch buttons of a book that has no repository address."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        options["launch_buttons"] = {}


def setup(app: Any) -> dict[str, bool]:
    """Register the hook with Sphinx."""
    app.connect("config-inited", drop_without_address, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
