"""The same order twice, each from an empty cache: the results are the same to the byte.

With another number of threads sums are added in another order: how far the results move then is
told beside, and is no fault.
"""

import json
import os

import pytest
from chapter_checks import run_chapter
from soak import FILE, tell

from fetal_book.parameters.chapters import CHAPTERS

pytestmark = pytest.mark.slow
ENV = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def values(folder):
    """Return what a run found, by what it is."""
    rows = json.loads((folder / "results.json").read_text())["rows"]
    names = ("model", "data", "split", "metric", "unit", "n")
    return {tuple(row.get(name) for name in names): row["value"] for row in rows}


def farthest(a, b):
    """Return the largest relative difference of two runs' values."""
    assert a.keys() == b.keys()
    return max(abs(a[key] - b[key]) / max(abs(a[key]), abs(b[key]), 1e-9) for key in a)


@pytest.mark.parametrize("chapter", [name[:2] for name in CHAPTERS])
def test_soak_the_same_order_twice(tmp_path, monkeypatch, chapter):
    if FILE not in os.environ:
        pytest.skip("three runs of a chapter: `make soak`")
    folders = []
    for name, threads in (("first", "1"), ("second", "1"), ("threads", "2")):
        for variable in ENV:
            monkeypatch.setenv(variable, threads)
        folder, done = run_chapter(chapter, tmp_path, name, timeout=3600)
        assert done.returncode == 0, done.stderr[-2000:]
        folders.append(folder)
    first, second, other = folders
    documents = [json.loads((one / "results.json").read_text()) for one in (first, second)]
    same = documents[0]["rows"] == documents[1]["rows"]
    apart = farthest(values(first), values(other))
    checked = f"results to the last digit; with two threads they move by {apart:.2g} at most"
    tell("determinism", f"chapter {chapter}, profile smoke, empty cache", 2, int(not same), checked)
    assert same
