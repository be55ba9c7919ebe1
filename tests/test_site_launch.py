"""Binder and Colab: what they need is in the repository, and no button without an address."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[1]
BINDER = PROJECT / ".binder"
CONFIG = yaml.safe_load((PROJECT / "book" / "_config.yml").read_text(encoding="utf-8"))
OPTIONS = CONFIG["sphinx"]["config"]["html_theme_options"]
sys.path.insert(0, str(PROJECT / "book" / "_ext"))

from launch import drop_without_address  # noqa: E402


@pytest.mark.parametrize("url", ["", "https://github.com/somebody/book"])
def test_buttons_are_there_exactly_when_the_repository_has_an_address(url: str) -> None:
    options = {"repository_url": url, "launch_buttons": dict(OPTIONS["launch_buttons"])}
    drop_without_address(None, SimpleNamespace(html_theme_options=options))
    assert bool(options["launch_buttons"]) == bool(url)


def test_address_stands_in_the_configuration_of_the_theme_alone() -> None:
    assert isinstance(OPTIONS["repository_url"], str) and OPTIONS["path_to_docs"] == ""
    assert {"binderhub_url", "colab_url"} <= set(OPTIONS["launch_buttons"])
    assert not {"repository", "launch_buttons"} & set(CONFIG)


def test_binder_builds_the_environment_of_the_project() -> None:
    ours = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))
    theirs = yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = (entry for entry in theirs["dependencies"] if isinstance(entry, dict))
    lock, project = (line.split()[1] for line in pip["pip"])
    assert (BINDER / lock).resolve() == PROJECT / "requirements.lock"
    assert (BINDER / project).resolve() == PROJECT
    pip["pip"] = ["-r requirements.lock", "-e ."]
    assert theirs == ours


def test_binder_runs_a_script_that_may_be_run() -> None:
    script = BINDER / "postBuild"
    assert script.stat().st_mode & 0o111 == 0o111
    first, *_, last = script.read_text(encoding="utf-8").splitlines()
    assert first.startswith("#!") and last == "python -m fetal_book notebooks check"


def test_binder_has_what_a_notebook_server_needs() -> None:
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    names = {line.partition("==")[0] for line in lock}
    assert {"jupyterlab", "jupytext", "ipykernel"} <= names
