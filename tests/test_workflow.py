"""Claims about `make book`: what runs again, what does not, and what a killed workflow leaves."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_up_project import copy_project, environment, parameters_source, wait_for

from fetal_book.runs.attempt import attempt_folder

CHAPTER = "04_head_circumference"
PAGE = f"notebooks/{CHAPTER}.html"
NOTEBOOK = """\
# %% [markdown]
# # Head circumference with a U-Net
#
# A stub {cite}`hc18data` with a sum, $a+b$.

# %% tags=["parameters"]
PARAMETERS

# %%
import os
import time

from fetal_book.runs.session import open_run

run = open_run("04_head_circumference", globals())
time.sleep(float(os.environ.get("STUB_SECONDS", "0")))

# %%
run.add_result(model="unet", split="test", metric="dice", value=0.5, n=3, ci95=(0.4, 0.6))
run.finish()
"""

pytestmark = pytest.mark.slow


class Stub:
    """A copy of the project whose only chapter does nothing but write one result."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.notebook = root / "notebooks" / f"{CHAPTER}.py"
        self.record = root / "runs" / "book" / CHAPTER / "record.json"
        self.environment = environment(root)

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "fetal_book", "book", "build", "--profile", "smoke"]
        return subprocess.Popen(
            [*command, *options],
            cwd=self.root,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def build(self, *options: str, **environment: str) -> tuple[int, str, float]:
        began = time.monotonic()
        process = self.start(*options, **environment)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output, time.monotonic() - began

    def plan(self, *options: str) -> dict[str, tuple[str, str]]:
        """Ask what a build would do; give what and why by chapter, and of the site."""
        code, output, _ = self.build("--dry-run", *options)
        assert code == 0, output
        rows = [re.split(r"  +", line) + [""] for line in output.splitlines()]
        return {name: (what, why) for name, what, why, *_ in rows}

    def change_code(self, word: str) -> None:
        """Add a line to the notebook's last code cell."""
        text = self.notebook.read_text(encoding="utf-8")
        changed = text.replace("run.finish()", f"print({word!r})\nrun.finish()")
        self.notebook.write_text(changed, encoding="utf-8")

    def last(self) -> dict[str, str]:
        """Return the record of the run that was started last: of the attempt where one is left."""
        attempt = attempt_folder(self.record.parent) / self.record.name
        path = attempt if attempt.exists() else self.record
        return json.loads(path.read_text(encoding="utf-8"))

    def started(self) -> str:
        return self.last()["started"]

    def status(self) -> str:
        return self.last()["status"]

    def page(self, name: str) -> str:
        return (self.root / "book" / "_build" / "html" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Stub:
    stub = Stub(copy_project(tmp_path_factory.mktemp("work") / "a project"))
    stub.notebook.parent.mkdir()
    text = NOTEBOOK.replace("PARAMETERS", parameters_source())
    stub.notebook.write_text(text, encoding="utf-8")
    code, output, _ = stub.build()
    assert code == 0, output
    assert f"\n04 {CHAPTER}: profile smoke" in output  # of chapters side by side each line has one
    return stub


def test_site_has_the_chapter_its_result_and_its_run(built: Stub) -> None:
    chapter = built.page(PAGE)
    assert "Made-up data" in chapter and "record.json" in chapter
    assert "0.400 to 0.600" in built.page("results.html")
    assert "smoke" in built.page("status.html")
    intro = built.page("intro.html")
    assert "built, smoke profile on phantoms" in intro and intro.count("not yet built") == 4


def test_second_build_runs_nothing_in_less_than_ten_seconds(built: Stub) -> None:
    before = built.started()
    assert {what for what, _ in built.plan().values()} == {"stands"}
    assert "profile smoke -> quick" in built.plan("--profile", "quick")[CHAPTER][1]
    code, output, seconds = built.build()
    assert code == 0 and "Nothing to be done" in output
    assert built.started() == before
    assert seconds < 10


def test_changed_prose_keeps_the_outputs_and_makes_the_page_again(built: Stub) -> None:
    before = built.started()
    text = built.notebook.read_text(encoding="utf-8")
    built.notebook.write_text(text.replace("A stub", "A rewritten stub"), encoding="utf-8")
    assert built.plan()[CHAPTER][0] == "keeps its outputs"
    code, output, _ = built.build()
    assert code == 0, output
    assert built.started() == before
    assert "A rewritten stub" in built.page(PAGE)


def test_changed_code_runs_the_chapter_again(built: Stub) -> None:
    before = built.started()
    built.change_code("first")
    plan = built.plan()
    assert plan[CHAPTER][0] == "runs" and "the notebook's code changed" in plan[CHAPTER][1]
    assert plan["site"] == ("is built", "chapter 04")
    code, output, _ = built.build()
    assert code == 0, output
    assert built.started() > before


def test_module_that_the_chapter_does_not_use_runs_nothing(built: Stub) -> None:
    before = built.started()
    with (built.root / "fetal_lib" / "growth" / "hadlock.py").open("a", encoding="utf-8") as file:
        file.write("\n# a remark\n")
    plan = built.plan()
    assert plan[CHAPTER][0] == "stands"
    assert plan["site"] == ("is built", "changed: fetal_lib/growth/hadlock.py")
    code, output, _ = built.build()
    assert code == 0 and built.started() == before, output


def test_deleted_result_and_page_come_back_and_a_site_made_anew_is_the_same(built: Stub) -> None:
    results = built.record.with_name("results.json")
    results.unlink()
    site = built.root / "book" / "_build" / "html"
    code, output, _ = built.build()
    assert code == 0 and results.exists(), output
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    (site / "glossary.html").unlink()
    shutil.rmtree(site.with_name("work"))  # pages are no longer kept as they were read
    code, output, _ = built.build()
    assert code == 0, output
    assert before == {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_failed_chapter_keeps_its_record_and_the_old_site(built: Stub) -> None:
    text = built.notebook.read_text(encoding="utf-8")
    built.notebook.write_text(text.replace("run.finish()", "raise OSError('no disk')"), "utf-8")
    code, output, _ = built.build()
    assert code != 0 and "no disk" in output
    assert built.status() == "failed"
    assert "A rewritten stub" in built.page(PAGE)
    built.notebook.write_text(text, encoding="utf-8")
    assert built.build()[0] == 0
    assert built.status() == "ok"


def test_killed_workflow_is_taken_up_again(built: Stub) -> None:
    import psutil

    built.change_code("slow")
    before = built.started()
    process = built.start(STUB_SECONDS="12")
    wait_for(lambda: built.started() > before, what="the chapter starts")
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert any(child.is_running() for child in children), "the chapter should outlive the workflow"
    assert list((built.root / ".snakemake" / "locks").iterdir()), "the lock should be left"
    code, output, _ = built.build()
    assert code == 0, output
    assert "waiting for it" in output
    assert built.status() == "ok"
    code_of_page = html.unescape(re.sub(r"</?span[^>]*>", "", built.page(PAGE)))
    assert "print('slow')" in code_of_page


def test_second_workflow_beside_a_living_one_is_refused(built: Stub) -> None:
    built.change_code("long")
    before = built.started()
    process = built.start(STUB_SECONDS="6")
    wait_for(lambda: built.started() > before, what="the chapter starts")
    code, output, _ = built.build()
    assert code == 2 and f"process {process.pid} already works in this project" in output
    process.communicate(timeout=600)
    assert process.returncode == 0


def test_book_without_any_chapter_still_builds(built: Stub) -> None:
    built.notebook.rename(built.notebook.with_suffix(".away"))
    try:
        code, output, _ = built.build()
        assert code == 0, output
        assert built.page("intro.html").count("not yet built") == 5
        assert not (built.root / "book" / "_build" / "html" / "notebooks").exists()
    finally:
        built.notebook.with_suffix(".away").rename(built.notebook)
