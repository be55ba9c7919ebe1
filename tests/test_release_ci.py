"""Claims about continuous integration and templates: what they call exists, tags get releases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fetal_book.cli import app

PROJECT = Path(__file__).resolve().parents[1]
HUB = PROJECT / ".github"
WORKFLOWS = {path.stem: path for path in sorted((HUB / "workflows").glob("*.yml"))}
FORMS = sorted(path for path in (HUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


def workflow(name: str) -> dict[str, Any]:
    """Return a workflow; its key `on` is text, not what YAML 1.1 makes of the word."""
    content = yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in content.items()}


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_targets_and_commands_of_a_workflow_exist(name):
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    script = "\n".join(step.get("run", "") for step in steps(name))
    assert set(re.findall(r"^make PYTHON=\S+ (\S+)", script, re.MULTILINE)) <= targets
    for command in re.findall(r"fetal-lib ((?:[a-z]+ ?)+)", script):
        done = CliRunner().invoke(app, [*command.split(), "--help"])
        assert done.exit_code == 0, command


@pytest.mark.parametrize("name", WORKFLOWS)
def test_kept_files_in_hidden_folders_are_asked_for(name):
    uploads = [step["with"] for step in steps(name) if "upload-artifact" in step.get("uses", "")]
    assert uploads
    for upload in uploads:
        hidden = "/." in upload["path"] or upload["path"].strip() == "runs/book"
        assert not hidden or upload.get("include-hidden-files") is True, upload["path"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_input_from_outside_never_stands_in_a_script(name):
    assert all("${{" not in step.get("run", "") for step in steps(name))


def test_a_tag_gets_the_release_when_tests_and_book_passed():
    cpu = workflow("cpu")
    assert cpu["on"]["push"]["tags"] == ["v*"]
    assert cpu["permissions"] == {"contents": "read"}
    attach = cpu["jobs"]["attach"]
    assert attach["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert attach["needs"] == ["test", "book"] and attach["permissions"] == {"contents": "write"}
    pages = cpu["jobs"]["pages"]
    assert [job for job in cpu["jobs"].values() if "permissions" in job] == [pages, attach]
    book = [step.get("run", "").strip() for step in cpu["jobs"]["book"]["steps"]]
    assert book.index("make PYTHON=python book") < book.index("make PYTHON=python release")
    script = attach["steps"][-1]["run"]
    assert script.index("sha256sum --check SHA256SUMS") < script.index("gh release create")


def test_the_site_of_main_goes_to_pages_where_it_was_asked_for_and_passed():
    cpu = workflow("cpu")
    pages = cpu["jobs"]["pages"]
    assert pages["needs"] == ["test", "book"]
    assert "refs/heads/main" in pages["if"] and "vars.PAGES == 'true'" in pages["if"]
    assert pages["permissions"] == {"pages": "write", "id-token": "write"}
    steps = cpu["jobs"]["book"]["steps"]
    kept = [step.get("with", {}).get("path", "") for step in steps]
    site = next(paths for paths in kept if "html" in paths).split()
    fetched, packed = pages["steps"][0]["with"]["path"], pages["steps"][1]["with"]["path"]
    assert packed == f"{fetched}/{site[0]}" and len(site) > 1  # several: paths are kept whole


def test_the_graphics_card_runs_the_full_profile_and_both_frameworks_must_see_it():
    job = workflow("gpu")["jobs"]["full"]
    script = "\n".join(step.get("run", "") for step in job["steps"])
    assert "--profile full" in script and "--gpu 1" in script and "gpu" in job["runs-on"]
    assert "list_physical_devices('GPU')" in script and "cuda.is_available()" in script


def test_tested_versions_of_python_are_the_first_and_the_last_that_are_allowed():
    (wanted,) = re.findall(
        r'requires-python = ">=(3\.\d+),<3\.(\d+)"', (PROJECT / "pyproject.toml").read_text("utf-8")
    )
    matrix = workflow("cpu")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert (matrix[0], matrix[-1]) == (wanted[0], f"3.{int(wanted[1]) - 1}")


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one(form):
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert content["name"] and content["description"]
    kinds = {"markdown", "input", "textarea", "dropdown", "checkboxes"}
    assert {field["type"] for field in content["body"]} <= kinds
    asked = [field for field in content["body"] if field["type"] != "markdown"]
    assert all(field["id"] and field["attributes"]["label"] for field in asked)
    assert len({field["id"] for field in asked}) == len(asked) >= 3
    assert any(field.get("validations", {}).get("required") for field in asked)


def test_contributors_find_what_the_guide_points_to():
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (PROJECT / target).is_file(), target
    assert (HUB / "PULL_REQUEST_TEMPLATE.md").is_file() and len(FORMS) == 3
