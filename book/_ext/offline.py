"""Keep the site whole without a network: MathJax from a file of its own, nothing from other hosts.

Jupyter Book puts every script below ``_static`` on every page, which would load two megabytes of
MathJax where there is no formula. MathJax therefore lives in ``_vendor``, is copied to the site's
static folder, and Sphinx loads it on pages with mathematics only. Its context menu is off, because
one entry fetches a speech engine from another host.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parents[1] / "_vendor"
MATHJAX = "mathjax/tex-svg.js"
MATHJAX_CONFIG = {
    "options": {
        "enableMenu": False,
        "processHtmlClass": "tex2jax_process|mathjax_process|math|output_area",
    },
    "svg": {"fontCache": "local"},
}


def serve_vendored_files(app: Any) -> None:
    """Add the vendored scripts to the static files and point Sphinx at them."""
    app.config.html_static_path.append(str(VENDOR))
    app.config.mathjax_path = MATHJAX
    app.config.mathjax3_config = MATHJAX_CONFIG


def setup(app: Any) -> dict[str, bool]:
    """Register the hook with Sphinx."""
    app.add_config_value(
        "comments_config", {}, "html"
    )  # set by Jupyter Book, read by the extension left out
    app.connect("builder-inited", serve_vendored_files, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
