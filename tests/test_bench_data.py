"""Whether readers keep up with training, how fast phantoms are made, and what many scans hold."""

import time
from pkgutil import resolve_name

import numpy as np
import pandas as pd
import psutil
import pytest
from bench import tell

MOST_MIB = 60
"""More that a process may hold after many scans than after few."""
SIDE = 128


def rate_of(make, n):
    """Return how many a second, the first left out: it loads what all need."""
    make(0)
    start = time.perf_counter()
    for k in range(1, n + 1):
        make(k)
    return n / (time.perf_counter() - start)


def held_mib():
    return psutil.Process().memory_info().rss / 2**20


def grown_mib(read, few, many):
    """Return the MiB that a process holds more after ``many`` than after ``few``."""
    read(few)
    before = held_mib()
    read(many)
    return held_mib() - before


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    from fetal_lib.data.layouts.heads import read_cases
    from fetal_phantoms.head import write_head_set

    return read_cases(write_head_set(tmp_path_factory.mktemp("heads"), n_examinations=12, seed=5))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    from fetal_lib.data.layouts.fetal_mri import read_cases
    from fetal_phantoms.fetal_brain.write import write_fetal_brain_set

    folder = tmp_path_factory.mktemp("scans") / "set"
    write_fetal_brain_set(folder, n_subjects=4, seed=5, spacing_mm=2.0)
    return read_cases(folder)


def repeated(table, n):
    """Return the first ``n`` rows of a table that begins anew where it ends."""
    return pd.concat([table] * (n // len(table) + 1), ignore_index=True).head(n)


@pytest.mark.slow
def test_bench_a_head_is_read_sooner_than_two_steps_train_on_it(heads):
    """Chapters read an image once and train on it for epochs; so reading must cost few of them."""
    torch = pytest.importorskip("torch")
    from fetal_lib.data.layouts.heads import iter_cases
    from fetal_lib.models.segmentation_networks import build_network

    many = repeated(heads, 48)
    list(iter_cases(heads.head(2), (SIDE, SIDE)))
    start = time.perf_counter()
    assert len(list(iter_cases(many, (SIDE, SIDE)))) == 48
    read = (time.perf_counter() - start) / 48
    network = build_network("unet", width=0.125, image_size=SIDE).train()
    batch = torch.rand(8, 1, SIDE, SIDE)

    def step(_):
        network.zero_grad(set_to_none=True)
        network(batch).square().mean().backward()

    trained = 1 / rate_of(step, 6) / len(batch)
    print(f"\na head is read in {1000 * read:.1f} ms; a U-Net's step: {1000 * trained:.1f} ms")
    tell("reading a head, one training step of a narrow U-Net = 1", read / trained, "", "below 2")
    assert read < 2 * trained


PHANTOMS = {
    "head": ("fetal_phantoms.head:make_head", {}, 8, 5),
    "abdomen": ("fetal_phantoms.abdomen:make_abdomen", {}, 8, 5),
    "anomaly": ("fetal_phantoms.anomalies.phantom:make_anomaly", {"label": "colpocephaly"}, 8, 2),
    "fetal brain, 1.5 mm": (
        "fetal_phantoms.fetal_brain.brain:make_fetal_brain",
        {"spacing_mm": 1.5},
        3,
        1.5,
    ),
    "adult brain, 2 mm": (
        "fetal_phantoms.adult_brain.brain:make_adult_brain",
        {"spacing_mm": 2.0},
        3,
        0.5,
    ),
}
"""What makes a phantom, how, so many of them, and the least that are made in a second."""


@pytest.mark.slow
@pytest.mark.parametrize("name", PHANTOMS)
def test_bench_phantoms_a_second(name):
    place, how, n, least = PHANTOMS[name]
    make = resolve_name(place)
    rate = rate_of(lambda seed: make(seed, **how), n)
    print(f"\nphantoms, {name}: {rate:.2f} a second")
    tell(f"phantoms, {name}", rate, "a second", f"at least {least:g}")
    assert rate >= least


@pytest.mark.slow
def test_bench_memory_of_20_000_images_is_that_of_100(heads):
    from fetal_lib.readers.image import read_gray

    paths = [str(path) for path in repeated(heads, 20_000)["image_path"]]

    def read(n):
        return sum(int(read_gray(path).max()) for path in paths[:n])

    grown = grown_mib(read, 100, len(paths))
    print(f"\n20,000 images: {grown:.0f} MiB more than 100")
    tell("memory of 20,000 images beside 100", grown, "MiB more", f"below {MOST_MIB}")
    assert grown < MOST_MIB


@pytest.mark.slow
def test_bench_memory_of_1_000_volumes_is_that_of_10(scans):
    from fetal_lib.data.layouts.fetal_mri import iter_scans

    table = repeated(scans, 1_000)

    def read(n):
        return sum(float(np.max(scan.volume.data)) for scan in iter_scans(table.head(n)))

    grown = grown_mib(read, 10, len(table))
    print(f"\n1,000 volumes: {grown:.0f} MiB more than 10")
    tell("memory of 1,000 volumes beside 10", grown, "MiB more", f"below {MOST_MIB}")
    assert grown < MOST_MIB
