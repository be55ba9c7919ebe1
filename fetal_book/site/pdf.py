"""Print the one page of the whole book to PDF, with a Chromium that is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from fetal_book.site.print_page import NAME
from fetal_lib.errors import UserError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
TIME_LIMIT_S = 300
SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-pdf-header-footer", "--generate-pdf-document-outline"),
    *("--virtual-time-budget=60000", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


def print_book(site: Path, target: Path) -> Path:
    """Print ``print.html`` of a built site to a PDF."""
    page = site / NAME
    if not page.is_file():
        raise UserError(f"{site.name}: there is no {NAME} in it. Build the book first: make book.")
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise UserError(
            "no Chromium was found. Install Chromium or Chrome, or open print.html and print it."
        )
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        own = (f"--user-data-dir={profile}", f"--print-to-pdf={target}", page.resolve().as_uri())
        try:
            subprocess.run(
                [browser, *SWITCHES, *own], capture_output=True, timeout=TIME_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise UserError(f"Chromium did not print the book in {TIME_LIMIT_S} s.") from None
    if not target.is_file():
        raise UserError("Chromium printed nothing. Open print.html and print it from there.")
    return target
