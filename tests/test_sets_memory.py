"""Streaming a set takes the memory of one case, however many there are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest
from made_up_scans import head, ring_of, save, scan

from fetal_lib.data import masks
from fetal_lib.data.layouts import brain_anomalies, heads

BIG = (300, 400)


def peak_bytes(cases: Iterable) -> int:
    tracemalloc.start()
    try:
        for _ in cases:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    disc = head(0, BIG).mask(BIG).astype(np.uint8) * 255
    return (
        save(folder / "scan.png", scan(0, BIG)),
        save(folder / "ring.png", ring_of(head(0, BIG), BIG)),
        save(folder / "disc.png", disc),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stream", "drawing"),
    [
        (heads.iter_cases, 1),
        (masks.iter_cases, 1),
        (masks.iter_cases, 2),
        (lambda table, _: brain_anomalies.iter_images(table), 2),
    ],
)
def test_300_images_take_the_memory_of_a_few(paths, stream, drawing):
    table = pd.DataFrame({"image_path": [paths[0]] * 300, "mask_path": [paths[drawing]] * 300})
    list(stream(table.head(2), (64, 64)))  # imports and caches
    few = peak_bytes(stream(table.head(5), (64, 64)))
    many = peak_bytes(stream(table, (64, 64)))
    assert few > BIG[0] * BIG[1]  # the picture itself is counted
    assert many < 1.1 * few + 50_000


@pytest.mark.slow
def test_frames_of_a_loop_are_decoded_one_at_a_time(tmp_path):
    pytest.importorskip("pydicom")
    from made_up_scans import write_dicom

    from fetal_lib.readers.dicom_image import read_dicom_image

    path = write_dicom(tmp_path / "loop.dcm", np.stack([scan(0, BIG)] * 100))
    read_dicom_image(path, 0)
    assert peak_bytes(read_dicom_image(path, frame) for frame in (0, 50, 99)) < 3e6
