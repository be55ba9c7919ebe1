"""Claims about packaging: one set of versions, commands that exist, nothing of one machine."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
REFUSED_PACKAGES = {"torchvision", "timm", "grad-cam", "segmentation-models-pytorch", "pyment"}
# Asked for and run, not imported; of the two TensorFlows only one is installed.
TOOLS = {
    "nbconvert",
    "jupyter-book",
    "jupyterlab",
    "snakemake",
    "snakemake-executor-plugin-slurm",
    "sphinx-autoapi",
    "sphinx-exercise",
    "tensorflow",
    "tensorflow-cpu",
}
MATHJAX_SHA256 = "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882"
# Written in pieces, so that this file does not hold them itself.
FORBIDDEN = {
    "a folder outside the project": "../" + "shared",
    "a home folder": "/ro" + "ot/",
    "a work folder": "/wo" + "rk/",
    "a registry's host": "pypi" + ".org",
    "a registry's file host": "files.python" + "hosted",
    "an npm host": "registry." + "npmjs",
    "a torch index": "download." + "pytorch",
    "a conda host": "conda." + "anaconda",
}


def locked() -> dict[str, list[Requirement]]:
    lines = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins: dict[str, list[Requirement]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return pins


def version_of(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    return specifier.version


def declared() -> list[Requirement]:
    project = PYPROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return [
        Requirement(line)
        for line in [*project["dependencies"], *extras]
        if not line.startswith("fetal-lib[")
    ]


def imported_distributions() -> set[str]:
    """Name the distributions that the packages and the book's extensions import."""
    names: set[str] = set()
    for path in project_files():
        place = path.relative_to(PROJECT).parts
        if path.suffix == ".py" and (
            place[0].startswith("fetal_") or place[:2] == ("book", "_ext")
        ):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    holders = packages_distributions()
    return {canonicalize_name(one) for name in names for one in holders.get(name, ())}


def project_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [
        PROJECT / name for name in listed.stdout.split("\0") if name and (PROJECT / name).is_file()
    ]


def test_lock_pins_every_package_to_one_exact_version() -> None:
    for pins in locked().values():
        for pin in pins:
            assert [specifier.operator for specifier in pin.specifier] == ["=="], (
                f"{pin} is not pinned"
            )
            assert pin.url is None and "+" not in version_of(pin), f"{pin} names a build or a place"


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_lock_satisfies_every_declared_requirement(requirement: Requirement) -> None:
    pins = locked().get(canonicalize_name(requirement.name))
    assert pins, (
        f"{requirement.name} is declared in pyproject.toml and missing from requirements.lock"
    )
    assert all(version_of(pin) in requirement.specifier for pin in pins), (
        f"{pins} does not satisfy {requirement}"
    )


def test_what_is_asked_for_beside_the_tests_is_imported() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    lines = [*PYPROJECT["project"]["dependencies"]]
    lines += [line for name, own in extras.items() if name not in ("test", "all") for line in own]
    asked = {canonicalize_name(Requirement(line).name) for line in lines}
    unused = asked - imported_distributions() - TOOLS
    assert not unused, f"no module imports {unused}; what only tests use stands in the extra test"


def test_environment_yml_gives_the_locked_set() -> None:
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.lock", "-e ."]
    versions = dict(entry.split("=", 1) for entry in conda if "=" in entry)
    assert set(versions) == {"python"}, "versions of Python packages belong into requirements.lock"
    assert f"{versions['python']}.0" in SpecifierSet(PYPROJECT["project"]["requires-python"])


def test_tensorflow_is_the_processor_build_on_linux_x86_and_the_plain_one_elsewhere() -> None:
    pins = locked()
    (cpu,), (plain,) = pins["tensorflow-cpu"], pins["tensorflow"]
    assert version_of(cpu) == version_of(plain)
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")):
        where = {"sys_platform": system, "platform_machine": machine}
        assert cpu.marker and plain.marker
        assert cpu.marker.evaluate(where) != plain.marker.evaluate(where)
        assert cpu.marker.evaluate(where) == (system == "linux" and machine == "x86_64")


def test_packages_that_need_a_missing_build_are_not_asked_for() -> None:
    names = {canonicalize_name(requirement.name) for requirement in declared()} | set(locked())
    assert not names & REFUSED_PACKAGES
    assert [str(pin) for pin in locked()["torch"]] == ["torch==2.13.0"]


def test_make_commands_of_the_texts_are_targets() -> None:
    targets = set(
        re.findall(
            r"^([a-z-]+):.*##", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert {"book", "test", "lab", "status", "bench", "clean"} <= targets
    for path in [
        PROJECT / "README.md",
        PROJECT / "CONTRIBUTING.md",
        *(PROJECT / "book").glob("*/*.md"),
    ]:
        text = path.read_text(encoding="utf-8")
        commands = re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)[^`]*`", text, re.MULTILINE)
        assert {first or second for first, second in commands} <= targets, path.name


def test_make_without_a_fitting_python_says_what_is_needed(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    done = subprocess.run(
        ["make", "PYTHON=false", "status"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed, found: false" in done.stderr
    assert not (tmp_path / ".venv" / ".installed").exists()


@pytest.mark.slow
def test_failed_installation_leaves_no_stamp(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    (folder / "Makefile").write_bytes((PROJECT / "Makefile").read_bytes())
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    (folder / "requirements.lock").write_text("./no-such-package.whl\n", encoding="utf-8")
    done = subprocess.run(
        ["make", "status"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and (folder / ".venv" / "bin" / "python").exists()
    assert not (folder / ".venv" / ".installed").exists()


def test_ci_runs_the_readme_test_command() -> None:
    script = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script and script.rstrip().endswith("make test")
    assert (PROJECT / ".ci" / "run").stat().st_mode & 0o100
    assert "make test" in (PROJECT / "README.md").read_text(encoding="utf-8")


def test_vendored_mathjax_is_the_published_file_with_its_licence() -> None:
    folder = PROJECT / "book" / "_vendor" / "mathjax"
    assert hashlib.sha256((folder / "tex-svg.js").read_bytes()).hexdigest() == MATHJAX_SHA256
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")


def test_licence_and_citation_agree() -> None:
    assert "Apache License" in (PROJECT / "LICENSE").read_text(encoding="utf-8")
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    version = re.search(
        r'__version__ = "(.*)"', (PROJECT / "fetal_lib" / "__init__.py").read_text(encoding="utf-8")
    )
    assert citation["license"] == PYPROJECT["project"]["license"]["text"] == "Apache-2.0"
    assert version and citation["version"] == version.group(1)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    found = []
    for path in project_files():
        if path.suffix in {".png", ".keras", ".npz", ".gz", ".h5", ".onnx"}:
            continue
        if FORBIDDEN[what] in path.read_text(encoding="utf-8", errors="ignore"):
            found.append(path.relative_to(PROJECT).as_posix())
    assert not found, f"{what} stands in {found}"
