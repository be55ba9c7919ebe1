"""A small project under version control, with a run of chapter 04 and a site that shows it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.runs.machine import environment
from fetal_book.runs.record import RunRecord
from fetal_book.runs.stale import notebook_sha256
from fetal_lib.files.fingerprint import canonical_hash

PROJECT = Path(__file__).resolve().parents[1]
CHAPTER = "04_head_circumference"
PAGE = f"notebooks/{CHAPTER}.html"
IGNORED = "/runs/\nbook/_build/\nbook/notebooks/\nbook/runs/\n"
TEXT = "<p>text</p>" * 500


def git(root: Path, *words: str) -> str:
    """Run git in a folder, at a fixed time and by nobody; return what it prints."""
    own = {"NAME": "nobody", "EMAIL": "nobody@example.org", "DATE": "2026-01-31T12:00:00Z"}
    who = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in own.items()}
    done = subprocess.run(
        ["git", "-C", str(root), *words],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | who,
    )
    return done.stdout.strip()


def write_site_project(root: Path) -> Path:
    """Write the project, its run, its staged chapter and its site, in this order."""
    for name in ("CITATION.cff", "LICENSE", "requirements.lock"):
        shutil.copy(PROJECT / name, root / name)
    (root / ".gitignore").write_text(IGNORED, encoding="utf-8")
    write(root / "notebooks" / f"{CHAPTER}.py", '# %% [markdown]\n# # Heads\n\n# %%\nprint("x")\n')
    write(root / "book" / "intro.md", "# Intro\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "a project")
    write_run(root)
    write(root / "book" / "notebooks" / f"{CHAPTER}.ipynb", '{"cells": []}')
    build(root)
    return root


def write_run(root: Path, **changes: object) -> None:
    """Write a finished run of the chapter, and stage its record."""
    resolved = resolve_parameters(get_chapter(CHAPTER), "smoke")
    values = resolved.parameters.model_dump()
    facts = {
        "chapter": CHAPTER,
        "status": "ok",
        "profile": "smoke",
        "data": "phantom",
        "started": "2026-01-31T11:00:00.000Z",
        "finished": "2026-01-31T11:01:00.000Z",
        "code": {"commit": git(root, "rev-parse", "HEAD"), "dirty": False},
        "notebook": {"sha256": notebook_sha256(root / "notebooks" / f"{CHAPTER}.py")},
        "environment": {"sha256": canonical_hash(environment())},
        "parameters": {k: {"value": v, "origin": resolved.origin[k]} for k, v in values.items()},
        "versions": {"numpy": "2.1.0"},
    }
    folder = root / "runs" / "book" / CHAPTER
    RunRecord(**facts | changes).write(folder)
    write(folder / "results.json", json.dumps({"rows": []}))
    write(
        root / "book" / "runs" / CHAPTER / "record.json",
        (folder / "record.json").read_text(encoding="utf-8"),
    )


def build(root: Path) -> None:
    """Write the site and the note that says when it was built."""
    site = root / "book" / "_build" / "html"
    write(site / "index.html", f'<a href="{PAGE}">Heads</a>{TEXT}')
    write(site / PAGE, f'<img src="../_images/a.png" alt="A head">{TEXT}')
    write(site / "_images" / "a.png", "picture")
    note = {"built": "2026-01-31T12:00:00+00:00", "pages": ["index.html", PAGE]}
    write(root / "book" / "_build" / "site.json", json.dumps(note))


def write(path: Path, text: str) -> None:
    """Write a text file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
