"""The same order twice, each from an empty cache: the results are the same to the byte.

The second run is in an environment of its own where `FETAL_SOAK_PYTHON` names the Python of one.
With another number of threads sums are added in another order: how far the results move then is
told beside, and is no fault.
"""

import json
import os
import sys

import pytest
from chapter_checks import run_chapter
from soak import FILE, tell

from fetal_book.parameters.chapters import CHAPTERS

pytestmark = pytest.mark.slow
ENV = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
OTHER = "FETAL_SOAK_PYTHON"


def scores(folder):
    """Return the result rows of a run, by what they are."""
    rows = json.loads((folder / "results.json").read_text())["rows"]
    names = ("model", "data", "split", "metric", "unit", "n")
    return {tuple(row.get(name) for name in names): row for row in rows}


def moved(one, other):
    """Say how many scores of a run differ from another's, and how many leave their interval."""
    assert one.keys() == other.keys()
    ends = {key: (row["ci95"], other[key]["value"]) for key, row in one.items() if row.get("ci95")}
    outside = sum(not low <= value <= high for (low, high), value in ends.values())
    others = sum(row["value"] != other[key]["value"] for key, row in one.items())
    return f"{others} of {len(one)} scores differ, {outside} of {len(ends)} leave their interval"


@pytest.mark.parametrize("chapter", [name[:2] for name in CHAPTERS])
def test_soak_the_same_order_twice(tmp_path, monkeypatch, chapter):
    if FILE not in os.environ:
        pytest.skip("three runs of a chapter: `make soak`")
    folders, here = [], sys.executable
    away = os.environ.get(OTHER, here)
    for name, threads, python in (
        ("first", "1", here),
        ("second", "1", away),
        ("more", "2", here),
    ):
        for variable in ENV:
            monkeypatch.setenv(variable, threads)
        folder, done = run_chapter(chapter, tmp_path, name, timeout=3600, python=python)
        assert done.returncode == 0, done.stderr[-2000:]
        folders.append(folder)
    first, second, other = folders
    documents = [json.loads((one / "results.json").read_text()) for one in (first, second)]
    same = documents[0]["rows"] == documents[1]["rows"]
    checked = f"results to the last digit; with two threads {moved(scores(first), scores(other))}"
    where = "an empty cache each" if away == here else "two fresh environments"
    tell("determinism", f"chapter {chapter}, profile smoke, {where}", 2, int(not same), checked)
    assert same
