"""Fits: the same order is not trained twice, a killed one goes on, two processes take turns."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from made_up_project import LIBRARY, wait_for

from fetal_lib.files.fingerprint import folder_sha256, module_hashes, source_sha256, with_imports
from fetal_lib.training.reuse import FitCache, FitSpec

SPEC = FitSpec({"name": "unet"}, "ab12", {"epochs": 4}, seed=0)


def fit_epochs(epochs=4, stop_after=None, seen=None):
    """Return a fit function that appends an epoch a line, and goes on from what it finds."""

    def fit(folder):
        path = folder / "history.jsonl"
        done = len(path.read_text().splitlines()) if path.exists() else 0
        for epoch in range(done, epochs):
            if stop_after is not None and epoch >= stop_after:
                raise KeyboardInterrupt
            with path.open("a") as handle:
                handle.write(json.dumps({"epoch": epoch, "seconds": 2.0}) + "\n")
            if seen is not None:
                seen.append(epoch)

    return fit


def test_a_finished_fit_is_reused(tmp_path):
    cache, seen, said = FitCache(tmp_path), [], []
    first = cache.fit_or_reuse(SPEC, fit_epochs(seen=seen), say=said.append)
    second = cache.fit_or_reuse(SPEC, fit_epochs(seen=seen), say=said.append)
    assert (first.state, second.state) == ("fitted", "reused")
    assert seen == [0, 1, 2, 3] and first.folder == second.folder
    assert first.train_s == second.train_s == 8.0
    assert [event["state"] for event in said] == ["fitted", "reused"]


def test_an_interrupted_fit_goes_on_where_it_was(tmp_path):
    cache, seen = FitCache(tmp_path), []
    with pytest.raises(KeyboardInterrupt):
        cache.fit_or_reuse(SPEC, fit_epochs(stop_after=2, seen=seen))
    outcome = cache.fit_or_reuse(SPEC, fit_epochs(seen=seen))
    assert outcome.state == "resumed" and seen == [0, 1, 2, 3] and outcome.train_s == 8.0


def test_refit_trains_from_the_start(tmp_path):
    cache, seen = FitCache(tmp_path), []
    cache.fit_or_reuse(SPEC, fit_epochs(seen=seen))
    assert cache.fit_or_reuse(SPEC, fit_epochs(seen=seen), refit=True).state == "fitted"
    assert seen == [0, 1, 2, 3] * 2


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_damaged_fit_is_trained_again(tmp_path, damage):
    cache, said = FitCache(tmp_path), []
    folder = cache.fit_or_reuse(SPEC, fit_epochs()).folder
    path = folder / "history.jsonl"
    path.write_text("") if damage == "change" else path.unlink()
    assert cache.fit_or_reuse(SPEC, fit_epochs(), say=said.append).state == "fitted"
    assert said[0]["state"] == "damaged"


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"name": "unet", "filters": 8}},
        {"data": "cd34"},
        {"hyper_parameters": {"epochs": 5}},
        {"seed": 1},
        {"code": ("fetal_lib.models.unet",)},
    ],
)
def test_whatever_decides_a_fit_changes_its_key(change):
    fields = {name: getattr(SPEC, name) for name in SPEC.__dataclass_fields__}
    assert FitSpec(**{**fields, **change}).key() != SPEC.key()


def test_code_that_is_no_module_is_refused():
    with pytest.raises(ModuleNotFoundError, match="code: received 'fetal_lib.models.none'"):
        FitSpec({}, "", {}, 0, ("fetal_lib.models.none",)).key()


def test_comments_and_docstrings_do_not_change_a_code_hash(tmp_path):
    path = tmp_path / "module.py"
    path.write_text('"""One."""\n\ndef f(x):\n    """Two."""\n    return x + 1\n')
    first = source_sha256(path)
    path.write_text('"""Other."""\n\n# why\ndef f(x):\n    """Words."""\n    return (x + 1)\n')
    os.utime(path, ns=(1, 1))
    assert source_sha256(path) == first
    path.write_text('"""One."""\n\ndef f(x):\n    """Two."""\n    return x + 2\n')
    os.utime(path, ns=(2, 2))
    assert source_sha256(path) != first


def test_the_code_of_a_fit_holds_what_its_modules_import():
    names = with_imports(["fetal_lib.data.layouts.heads"])
    assert "fetal_lib.geometry.ellipse" in names
    assert not any(name.startswith(("fetal_book.runs", "fetal_lib.files")) for name in names)
    assert set(module_hashes(names)) == set(names)


def test_a_folder_hash_sees_content_names_and_nothing_else(tmp_path):
    folder, cache = tmp_path / "set", tmp_path / "cache.json"
    folder.mkdir()
    (folder / "a").write_text("1")
    first = folder_sha256(folder, cache)
    os.utime(folder / "a", ns=(1, 1))
    (folder / ".hidden").write_text("x")
    assert folder_sha256(folder, cache) == first
    (folder / "a").write_text("2")
    changed = folder_sha256(folder, cache)
    assert changed != first and changed == folder_sha256(folder)
    (folder / "a").rename(folder / "b")
    assert folder_sha256(folder, cache) != changed


SLOW_FIT = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from fetal_lib.training.reuse import FitCache, FitSpec

    def fit(folder):
        path = folder / "epochs"
        done = len(path.read_text()) if path.exists() else 0
        for epoch in range(done, 4):
            time.sleep(float(sys.argv[2]))
            with path.open("a") as handle:
                handle.write("x")

    spec = FitSpec({"name": "unet"}, "ab12", {"epochs": 4}, seed=0)
    outcome = FitCache(Path(sys.argv[1])).fit_or_reuse(spec, fit)
    print(outcome.state, (outcome.folder / "epochs").read_text())
    """
)


def start_fit(root, seconds):
    command = [sys.executable, "-c", SLOW_FIT, str(root), str(seconds)]
    environment = os.environ | {"PYTHONPATH": str(LIBRARY)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_fit_whose_process_was_killed_is_resumed(tmp_path):
    process = start_fit(tmp_path, 0.3)
    wait_for(lambda: any(len(p.read_text()) == 2 for p in tmp_path.glob("fits/*/epochs")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = start_fit(tmp_path, 0)
    assert again.communicate(timeout=60)[0].split() == ["resumed", "xxxx"]


@pytest.mark.slow
def test_two_processes_with_the_same_order_take_turns(tmp_path):
    first = start_fit(tmp_path, 0.5)
    wait_for(lambda: any(tmp_path.glob("fits/*/spec.json")))
    start = time.monotonic()
    second = start_fit(tmp_path, 0.5)
    assert first.communicate(timeout=60)[0].split() == ["fitted", "xxxx"]
    assert second.communicate(timeout=60)[0].split() == ["reused", "xxxx"]
    assert time.monotonic() - start < 30
