"""Claim: whoever installed the wheel and has no checkout can use every command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fetal_book.parameters.project_files import copy_project
from fetal_lib.files.fingerprint import PACKAGES

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    """Install the wheel into a folder of its own; commands run in an empty one."""
    folder = tmp_path_factory.mktemp("away")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels, site, here = folder / "wheels", folder / "site", folder / "here"
    made = folder / "source"  # a build writes beside its source
    copy_project(PROJECT, made)
    for name in PACKAGES:
        unused = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / name, made / name, ignore=unused)
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(PROJECT / name, made / name)
    subprocess.run([*pip, "wheel", "--no-deps", "-w", wheels, made], check=True)
    wheel = next(wheels.glob("*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    here.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FETAL_")}

    def call(*words: str, within: str = ".") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "fetal_book", *words],
            cwd=here / within,
            env=kept | {"PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.mark.slow
def test_the_wheel_works_away_from_the_project_and_lays_one_out(away):
    assert "hc18" in away("data", "list")
    away("phantoms", "heads", "heads", "--n", "1")
    assert "1 problem" not in away("data", "verify", "heads")
    away("predict", "hc", "heads/training_set", "--pixel-size", "0.2", "--out", "sizes.csv")
    told = away("new", "mine")
    assert "laid out in mine" in told
    assert "04_head_circumference     never run" in away("status", within="mine")
    planned = away("book", "build", "--dry-run", within="mine")
    assert [line.split()[0] for line in planned.splitlines()][-1] == "site"
