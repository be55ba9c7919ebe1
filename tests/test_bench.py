"""How fast imports, help and predictions are. `make bench` prints it."""

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench import tell

ROOT = Path(__file__).parents[1]
RATE = 25.0
"""Scans a second that `predict hc` must reach at steady state on two cores."""
COLD_S = 2.0
"""Seconds from the command to the table of one scan."""


def fastest(command, n=3):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=ROOT)
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "seconds"),
    [
        ("fetal_lib", 0.3),
        ("fetal_lib.geometry.ellipse", 1.0),
        ("fetal_lib.metrics.segmentation", 2.5),
        ("fetal_lib.predict.head_circumference", 3.0),
        ("fetal_phantoms.head", 3.0),
    ],
)
def test_bench_importing_is_quick(module, seconds):
    bare = fastest(["-c", "pass"])
    spent = fastest(["-c", f"import {module}"]) - bare
    print(f"\nimport {module}: {spent:.3f} s")
    tell(f"import {module}", spent, "s", f"below {seconds:g}")
    assert spent < seconds


@pytest.mark.slow
def test_bench_help_is_quick():
    spent = fastest(["-m", "fetal_book", "--help"])
    print(f"\nfetal-lib --help: {spent:.2f} s")
    tell("the help of fetal-lib", spent, "s", "below 1")
    assert spent < 1.0


@pytest.mark.slow
def test_bench_predict_hc_of_one_scan_from_a_cold_start(tmp_path):
    from fetal_phantoms.head import write_head_set

    scans = write_head_set(tmp_path / "set", n_examinations=12, seed=5) / "training_set"
    scan = str(scans / "000_HC.png")  # some are declined
    out = ["--pixel-size", "0.12", "--out", str(tmp_path / "one.csv")]
    spent = fastest(["-m", "fetal_book", "predict", "hc", scan, *out])
    print(f"\npredict hc of one scan: {spent:.2f} s")
    tell("predict hc of one scan, from a cold start", spent, "s", f"below {COLD_S:g}")
    assert spent < COLD_S


@pytest.mark.slow
def test_bench_predict_hc_at_steady_state(tmp_path):
    """The first batches, with their start-up, are left out; reading and writing count."""
    import psutil

    from fetal_lib.predict.head_circumference import write_predictions
    from fetal_lib.predict.head_model import load_head_model
    from fetal_lib.predict.pixel_sizes import PixelSizes
    from fetal_lib.predict.scans import list_images
    from fetal_phantoms.head import write_head_set

    write_head_set(tmp_path / "set", n_examinations=60, seed=5)
    scans = list_images([tmp_path / "set" / "training_set"])
    model = load_head_model()
    sizes = PixelSizes(0.12)
    write_predictions(scans[:32], model, sizes, tmp_path / "warm.csv")
    memory = psutil.Process(os.getpid()).memory_info().rss
    many = scans * 5
    start = time.perf_counter()
    write_predictions(many, model, sizes, tmp_path / "out.csv")
    rate = len(many) / (time.perf_counter() - start)
    grown = (psutil.Process(os.getpid()).memory_info().rss - memory) / 2**20
    print(f"\npredict hc: {rate:.1f} scans/s; {grown:.0f} MiB more after {len(many)} scans")
    tell("predict hc, many scans", rate, "scans/s", f"at least {RATE:g}")
    tell("predict hc, memory after many scans", grown, "MiB more", "below 200")
    with (tmp_path / "out.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(many)
    assert rate >= RATE
    assert grown < 200
