"""A project or a browser for the tests that need one; one thread for each worker, not more."""

import os
import re
from collections import Counter
from pathlib import Path

import psutil
import pytest
import tiers
from soak import tell

if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


LONGEST = [
    *("test_chapter_05.py", "test_soak_faults.py", "test_chapter_01.py", "test_workflow.py"),
    *("test_chapter_02.py", "test_published_size.py", "test_chapter_04.py", "test_chapter_03.py"),
    *("test_site_built.py", "test_run_deaths.py", "test_add_chapter.py", "test_app_browser_mri.py"),
]
"""Files that take minutes: begun first, since begun last they keep the other worker waiting."""


CASES = pytest.StashKey[Counter]()
MEMORY = pytest.StashKey[dict[str, list[float]]]()


def pytest_addoption(parser):
    parser.addoption(
        "--app-pictures",
        metavar="FOLDER",
        help="where test_app_pictures.py leaves its pictures of the app, such as book/images",
    )
    parser.addoption(
        "--time-tiers",
        action="store_true",
        help="write tests/second_tier.txt anew by what each test takes",
    )


def pytest_configure(config):
    if config.getoption("--time-tiers"):
        config.pluginmanager.register(tiers.Timer())


@pytest.hookimpl(tryfirst=True)  # before tiers are told apart by their marks
def pytest_collection_modifyitems(config, items):
    """Begin with the longest, and leave measurements of speed to `make bench`.

    Beside other programs a speed means nothing.
    """
    if not config.getoption("--time-tiers"):
        tiers.mark(items)
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
    if "FETAL_BENCH" in os.environ:
        return
    asked_for = pytest.mark.skip(reason="measures this computer's speed: `make bench`")
    for item in items:
        if item.name.startswith("test_bench_"):
            item.add_marker(asked_for)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item):
    """Note the cases that a test of damage is given inside, which Hypothesis tells nobody."""
    if not item.path.name.startswith("test_fuzz"):
        return (yield)
    from hypothesis.statistics import collector, describe_statistics

    def note(stats):
        told = getattr(item, "hypothesis_statistics", "")
        item.hypothesis_statistics = told + describe_statistics(stats)

    with collector.with_value(note):
        return (yield)


def pytest_runtest_teardown(item):
    """Count the cases of a test that makes up its own, by its file."""
    found = re.findall(r"(\d+) (?:pass|fail|inval)ing", getattr(item, "hypothesis_statistics", ""))
    if not found:
        return
    cases = item.config.stash.setdefault(CASES, Counter())
    words = item.module.__doc__.split("\n")[0]
    cases[words] += sum(map(int, found))
    own = getattr(item.module, "GROWN", [])  # tests that load other things cannot be compared
    rss = max(own) if own else psutil.Process().memory_info().rss
    item.config.stash.setdefault(MEMORY, {}).setdefault(words, []).append(rss)


def pytest_sessionfinish(session):
    """Tell the soak how many cases were made up; a failing one fails its test."""
    for words, number in session.config.stash.get(CASES, {}).items():
        what, _, checked = words.partition(":")
        rss = session.config.stash[MEMORY][words]
        checked = checked.strip().rstrip(".") or "no traceback"
        if isinstance(rss[-1], float):
            checked += f"; at most {rss[-1]:.0f} MiB more after half of a test's cases"
        elif len(rss) > 1:
            checked += f"; {(rss[-1] - rss[0]) / 2**20:+.0f} MiB of memory after the first test"
        if number:
            tell("bad input", what, number, session.testsfailed, checked)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give the folder of a small project that this process works in."""
    from made_up_project import work_in, write_project

    return work_in(write_project(tmp_path), monkeypatch)


@pytest.fixture
def eagerly():
    """Let TensorFlow compute operation by operation: for a few steps sooner than by a trace."""
    if pytest.importorskip("keras").backend.backend() != "tensorflow":
        yield
        return
    from tensorflow import config

    config.run_functions_eagerly(True)
    yield
    config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def smoke(request, tmp_path_factory):
    """Run the chapter that the test file is named after; give a folder and the run in it."""
    from chapter_checks import run_smoke

    number = request.path.stem.removeprefix("test_chapter_")
    return run_smoke(number, tmp_path_factory.mktemp(f"chapter{number}"))


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """Give a folder of sound folders, one of each layout; tests that plant faults copy them."""
    from made_up_folders import FOLDERS

    root = tmp_path_factory.mktemp("layouts")
    for name, (_, make) in FOLDERS.items():
        make(root / name)
    return root


@pytest.fixture(scope="module")
def app_pictures(request, tmp_path_factory):
    """Give the folder that the option names, or a temporary one."""
    named = request.config.getoption("--app-pictures")
    return Path(named).resolve() if named else tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Give a Chromium of its own; the test is skipped where there is none."""
    pytest.importorskip("websocket", reason="needs websocket-client")
    from chromium import Browser, find_chromium

    if find_chromium() is None:
        pytest.skip("no Chromium on this computer")
    chromium = Browser(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


@pytest.fixture
def tabs(browser):
    """Give the browser, and close the tabs that a test opened."""
    yield browser
    browser.close_pages()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serve the app with the models that are shipped, and no runs."""
    from app_pages import served

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FETAL_RUNS", str(tmp_path_factory.mktemp("runs")))
        with served() as one:
            yield one
