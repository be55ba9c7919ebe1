"""Spelling of what readers see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fetal_lib.files.fingerprint import PACKAGES

pytest.importorskip("codespell_lib")
PROJECT = Path(__file__).resolve().parents[1]
BUILT = {"_build", "_vendor", "generated", "published", "runs"}


def test_texts_of_the_book_and_the_library_have_no_known_misspelling() -> None:
    pages = [p for p in (PROJECT / "book").rglob("*.md") if not BUILT & set(p.parts)]
    texts = [*pages, *PROJECT.glob("*.md"), *(PROJECT / "notebooks").glob("*.py")]
    texts += [
        *(path for name in PACKAGES for path in (PROJECT / name).rglob("*.py")),
        *(PROJECT / "data_manifests").glob("*.yml"),
    ]
    assert len(texts) > 100
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", *map(str, texts)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_misspelling_is_found(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("The head is mesured in milimeters.")
    command = [sys.executable, "-m", "codespell_lib", str(path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode and "mesured ==> measured" in done.stdout
