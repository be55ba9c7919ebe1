"""Claims about `make release`: what it holds, that it is the same twice, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from made_up_site import CHAPTER, PAGE, build, git, write, write_run, write_site_project
from typer.testing import CliRunner

from fetal_book.cli import app
from fetal_book.site.release import make_release
from fetal_lib.errors import UserError

NAME = "fetal-imaging-compendium-0.1.0"
COMMITTED = 1769860800  # 2026-01-31T12:00:00Z


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site_project(tmp_path_factory.mktemp("made up"))


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a project"
    shutil.copytree(made, folder)
    monkeypatch.setenv("FETAL_PROJECT", str(folder))
    monkeypatch.delenv("FETAL_RUNS", raising=False)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def members(folder: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(folder / f"{NAME}.tar.gz") as archive:
        return {member.name: member for member in archive.getmembers()}


def read_member(folder: Path, name: str) -> bytes:
    with tarfile.open(folder / f"{NAME}.tar.gz") as archive:
        return archive.extractfile(f"{NAME}/{name}").read()


def test_a_release_is_an_archive_with_manifest_citation_metadata_and_sums(root, tmp_path):
    out = tmp_path / "dist"
    names = [path.name for path in make_release(root, out)]
    assert names == [
        f"{NAME}.tar.gz",
        "manifest.json",
        "CITATION.cff",
        "zenodo.json",
        "SHA256SUMS",
    ]
    lines = (out / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest
    assert read_member(out, ".zenodo.json") == (out / "zenodo.json").read_bytes()


def test_the_manifest_names_commit_runs_packages_and_every_file(root, tmp_path):
    make_release(root, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["commit"] == git(root, "rev-parse", "HEAD") and manifest["dirty"] is False
    assert (manifest["version"], manifest["committed"]) == ("0.1.0", "2026-01-31")
    (run,) = manifest["runs"]
    record = root / "runs" / "book" / CHAPTER / "record.json"
    assert (run["chapter"], run["shown_as"]) == (CHAPTER, "page")
    assert (run["profile"], run["data"], run["seed"]) == ("smoke", "phantom", 0)
    assert run["started"] == "2026-01-31T11:00:00.000Z"
    assert run["record_sha256"] == hashlib.sha256(record.read_bytes()).hexdigest()
    assert manifest["packages"]["numpy"] and manifest["packages"]["python"]
    listed = {entry["path"]: entry for entry in manifest["files"]}
    packed = {name.removeprefix(f"{NAME}/") for name in members(tmp_path)}
    assert packed - {"manifest.json"} == set(listed)
    assert {f"site/{PAGE}", "site/_images/a.png", "LICENSE", ".zenodo.json"} <= set(listed)
    for name, entry in listed.items():
        content = read_member(tmp_path, name)
        assert (entry["bytes"], entry["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )


def test_published_runs_are_in_the_manifest(root, tmp_path):
    kept = root / "book" / "published" / CHAPTER / "hc18-quick"
    shutil.copytree(root / "runs" / "book" / CHAPTER, kept)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "a reference run")
    build(root)
    make_release(root, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert [run["shown_as"] for run in manifest["runs"]] == ["page", "reference run hc18-quick"]


def test_two_releases_of_the_same_site_are_byte_identical(root, tmp_path):
    make_release(root, tmp_path / "first")
    site = root / "book" / "_build" / "html"
    shutil.copytree(site, site.with_name("copy"), copy_function=shutil.copyfile)
    shutil.rmtree(site)
    site.with_name("copy").rename(site)
    for path in site.rglob("*.html"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    make_release(root, tmp_path / "second")
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_members_are_sorted_have_the_commits_time_and_no_owner(root, tmp_path):
    make_release(root, tmp_path)
    found = list(members(tmp_path).values())
    assert [member.name for member in found] == sorted(member.name for member in found)
    assert {(m.uid, m.gid, m.uname, m.gname) for m in found} == {(0, 0, "", "")}
    assert {(m.mtime, m.mode) for m in found} == {(COMMITTED, 0o644)}
    assert (tmp_path / f"{NAME}.tar.gz").read_bytes()[4:8] == bytes(4)  # gzip's own time


def change_page(root: Path) -> None:
    write(root / "book" / "_build" / "html" / "index.html", f'<a href="b.html">b</a>{"x" * 5000}')


def drop_alternative_text(root: Path) -> None:
    page = root / "book" / "_build" / "html" / PAGE
    write(page, page.read_text(encoding="utf-8").replace('alt="A head"', ""))


def change_notebook(root: Path) -> None:
    with (root / "notebooks" / f"{CHAPTER}.py").open("a", encoding="utf-8") as file:
        file.write('print("more")\n')


def show_another_run(root: Path) -> None:
    write(root / "book" / "runs" / CHAPTER / "record.json", "{}")
    build(root)


def hold_an_error(root: Path) -> None:
    output = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
    notebook = {"cells": [{"cell_type": "code", "source": "", "outputs": [output]}]}
    write(root / "book" / "notebooks" / f"{CHAPTER}.ipynb", json.dumps(notebook))
    build(root)


def leave_out_the_page(root: Path) -> None:
    note = {"built": "", "pages": ["index.html"]}
    write(root / "book" / "_build" / "site.json", json.dumps(note))


REFUSED = {
    "site": (
        lambda root: shutil.rmtree(root / "book" / "_build" / "html"),
        "holds no site; run `make book`",
    ),
    "tree": (lambda root: write(root / "new.txt", ""), "files differ from commit"),
    "no run": (
        lambda root: shutil.rmtree(root / "runs"),
        "it must hold a record.json, which a run writes first; run `make book`",
    ),
    "failed run": (
        lambda root: write_run(root, status="failed", reason="no disk"),
        "its run is 'failed' (no disk)",
    ),
    "broken record": (
        lambda root: write(root / "runs" / "book" / CHAPTER / "record.json", "[]"),
        "it is no record of a run",
    ),
    "stale run": (change_notebook, "its run is stale (the notebook changed)"),
    "other run": (show_another_run, "its page shows another run than the last one"),
    "no page": (leave_out_the_page, "the site has no page of it"),
    "changed text": (
        lambda root: write(root / "book" / "intro.md", "# Other\n"),
        "changed since the site was built: book/intro.md",
    ),
    "broken link": (change_page, "refers to b.html, which is not there"),
    "wordless image": (drop_alternative_text, "the image a.png has no alternative text"),
    "error shown": (hold_an_error, "cell 0 ended with ValueError: no"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_stands_against_a_release_is_named_and_nothing_is_written(root, tmp_path, name):
    spoil, words = REFUSED[name]
    spoil(root)
    with pytest.raises(UserError) as caught:
        make_release(root, tmp_path / "dist")
    assert words in str(caught.value)
    assert not (tmp_path / "dist").exists()


def test_a_dirty_tree_is_released_when_told_to_and_the_manifest_says_so(root, tmp_path):
    write(root / "new.txt", "")
    make_release(root, tmp_path, allow_dirty=True)
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["dirty"] is True


def test_a_project_under_no_version_control_needs_to_be_told(root, tmp_path):
    shutil.rmtree(root / ".git")
    with pytest.raises(UserError, match="under no version control"):
        make_release(root, tmp_path)
    make_release(root, tmp_path, allow_dirty=True)
    assert {member.mtime for member in members(tmp_path).values()} == {0}
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["commit"] is None and manifest["committed"] is None
    assert b"publication_date" not in (tmp_path / "zenodo.json").read_bytes()


def test_the_command_tells_a_person_why_it_refuses(root):
    shutil.rmtree(root / "book" / "_build")
    done = CliRunner().invoke(app, ["book", "release"])
    assert done.exit_code == 2 and "holds no site; run `make book`" in done.output
    assert "Traceback" not in done.output


def test_the_command_lists_what_it_wrote(root):
    done = CliRunner().invoke(app, ["book", "release", "--dirty"])
    assert done.exit_code == 0, done.output
    assert f"dist/{NAME}.tar.gz" in done.output and (root / "dist" / "SHA256SUMS").is_file()
