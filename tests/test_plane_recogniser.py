"""The network that says which plane an image shows: the shipped one, its split and its training."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_up_scans import real_data

from fetal_book.chapters.biometry_segmentation import plane_card, plane_recogniser
from fetal_book.chapters.biometry_segmentation.plane_pictures import (
    DRAWN,
    PARTS,
    biometry_scans,
    head_scans,
    label,
    part_of,
    read_scans,
    shuffled,
)
from fetal_lib.data.layouts.fetal_biometry import TABLES
from fetal_lib.predict.plane import PLANES, SHIPPED, PlaneRecogniser
from fetal_lib.predict.plane import letterbox as plane_letterbox
from fetal_lib.readers.image import read_gray
from fetal_phantoms.abdomen import make_abdomen
from fetal_phantoms.head import make_head

SEEDS = range(40, 52)


@pytest.fixture(scope="module")
def recogniser() -> PlaneRecogniser:
    return PlaneRecogniser.load()


@pytest.fixture(scope="module")
def phantoms() -> dict[str, list[np.ndarray]]:
    """Of seeds that the training did not draw from."""
    made = {"head": make_head, "abdomen": make_abdomen}
    return {plane: [make(seed).image for seed in SEEDS] for plane, make in made.items()}


def test_what_is_shipped_is_small_and_says_whom_it_learnt_from():
    card = (SHIPPED / "card.md").read_text()
    assert (SHIPPED / "network.onnx").stat().st_size <= 1_000_000
    for words in (
        "CC BY 4.0",
        "NC-SA",
        "plane_recogniser",
        "test subjects",
        "declined",
        "not for clinical",
    ):
        assert words in card


@pytest.mark.parametrize("plane", ["head", "abdomen"])
def test_phantoms_of_other_seeds_are_named(recogniser, phantoms, plane):
    found = recogniser.recognise_all(phantoms[plane])
    assert sum(one.name == plane for one in found) >= len(found) - 2  # a phantom is no patient
    assert sum(one.is_head == (plane == "head") for one in found) >= len(found) - 2
    assert np.allclose([sum(one.probabilities.values()) for one in found], 1)


@pytest.mark.parametrize("draw", DRAWN)
def test_noise_screens_and_drawn_photographs_are_declined(recogniser, draw):
    rng = np.random.default_rng(5)
    found = recogniser.recognise_all(draw(rng) for _ in range(60))
    assert sum(one.is_head for one in found) <= 1
    assert sum(one.name == "other" for one in found) >= 57


def test_a_black_image_is_declined(recogniser):
    assert recogniser.recognise(np.zeros((540, 800), np.uint8)).name == "other"


def test_a_head_in_pieces_is_no_head(recogniser, phantoms):
    rng = np.random.default_rng(1)
    found = recogniser.recognise_all(shuffled(image, rng) for image in phantoms["head"])
    assert sum(one.is_head for one in found) <= 2


def test_the_answer_stays_whatever_way_a_scan_is_saved(recogniser, phantoms, tmp_path):
    image = phantoms["abdomen"][0]
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "16bit.png"), image.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "rgb.png"), cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    read = [read_gray(tmp_path / name) for name in ("16bit.png", "rgb.png")]
    probs = recogniser.probs([image, *read, image[:, ::-1], half])
    assert np.abs(probs - probs[0]).max(axis=1) == pytest.approx(0, abs=0.02)


def test_an_image_takes_milliseconds(recogniser, phantoms):
    images = phantoms["head"] * 4
    recogniser.probs(images)
    start = time.perf_counter()
    recogniser.probs(images)
    assert (time.perf_counter() - start) / len(images) < 0.1  # lenient: the machine may be shared


def test_a_subject_is_on_one_side_over_all_sets():
    numbers = [f"Patient{k:05d}" for k in range(2000)]
    shares = [np.mean([part_of(name) == part for name in numbers]) for part in PARTS]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.04)
    root = real_data("fetal_biometry_fp").parent
    sides, sources = defaultdict(set), defaultdict(set)
    for scan in biometry_scans(root / "fetal_biometry_fp") + head_scans(root):
        sides[scan.subject].add(scan.part)
        sources[scan.subject].add(scan.source[:8])
    assert all(len(parts) == 1 for parts in sides.values())
    assert max(map(len, sources.values())) > 1  # patients are in several sets


def test_real_scans_of_test_subjects_are_recognised(recogniser):
    root = real_data("fetal_biometry_fp").parent
    real_data("hc18")
    scans = biometry_scans(root / "fetal_biometry_fp") + head_scans(root)
    test = [s for s in scans if s.part == "test" and s.source.startswith(("HC18", "biometry"))]
    scored = plane_card.Scored(test, recogniser.probs(read_scans(test)))
    heads = scored.probs[:, label("head")] >= recogniser.spec.head_from
    hc18 = np.array([scan.source == "HC18" for scan in test])
    assert scored.of("biometry").right.mean() >= 0.97
    assert heads[hc18].mean() >= 0.97  # small heads of the first trimester are missed
    assert heads[scored.planes != label("head")].mean() <= 0.02


def three_of_each_part(name: str) -> list[str]:
    names = [name.format(k) for k in range(200)]
    return [one for part in PARTS for one in [n for n in names if part_of(n) == part][:3]]


def write_sets(root: Path) -> None:
    """Lay out the sets that the training reads, with a few made-up scans in each part."""
    scans = root / "fetal_biometry_fp" / "images"
    heads = root / "hc18" / "training_set"
    scans.mkdir(parents=True)
    heads.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for plane, name in TABLES.items():
        rows = ["image_name,Algo"]
        for patient in three_of_each_part("Patient{:05d}"):
            image = f"{patient}_Plane{PLANES.index(plane)}_1_of_1.png"
            cv2.imwrite(str(scans / image), rng.integers(0, 255, (60, 90), np.uint8))
            rows.append(f"{image},{'AlokaFit' if len(rows) % 2 else ''}")
        (root / "fetal_biometry_fp" / name).write_text("\n".join(rows))
    for examination in three_of_each_part("HC18 {:03d}"):
        number = examination.split()[1]
        head = rng.integers(0, 255, (60, 90), np.uint8)
        outline = np.zeros_like(head)
        cv2.circle(outline, (60, 30), 15, 255, 1)
        cv2.imwrite(str(heads / f"{number}_HC.png"), head)
        cv2.imwrite(str(heads / f"{number}_HC_Annotation.png"), outline)


def test_features_are_what_the_last_layer_sees(recogniser, phantoms):
    """The network's own last layer, taken out of its file, makes its logits of them."""
    onnx = pytest.importorskip("onnx")
    from fetal_lib.models.onnx_file import cut_behind

    images = phantoms["head"][:2]
    features = recogniser.features(images)
    model = onnx.load_from_string(recogniser.network.content)
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    cast = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    product, total = model.graph.node[-2:]
    kernel, bias = arrays[cast.get(product.input[1], product.input[1])], arrays[total.input[1]]
    fitted = np.stack([plane_letterbox(image, recogniser.spec.side) for image in images])
    np.testing.assert_allclose(features @ kernel + bias, recogniser.logits(fitted), atol=1e-3)
    with pytest.raises(ValueError, match="no Lstm"):
        cut_behind(recogniser.network.content, "Lstm")


def test_it_answers_without_the_framework_that_trained_it():
    code = "import sys, numpy as np; from fetal_lib.predict.head_gate import load_head_gate; "
    code += "load_head_gate()([np.zeros((60, 90), np.uint8)]); "
    code += "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_damaged_network_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "model.json").write_text((SHIPPED / "model.json").read_text())
    for content in (None, b"", b"no network", (SHIPPED / "network.onnx").read_bytes()[:5000]):
        if content is not None:
            (tmp_path / "network.onnx").write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read"):
            PlaneRecogniser.load(tmp_path)


@pytest.mark.slow
def test_the_command_trains_and_writes_a_model_that_loads(tmp_path, monkeypatch):
    write_sets(tmp_path / "sets")
    for name in ("N_PHANTOMS", "N_BRAINS", "N_DRAWN"):
        monkeypatch.setattr(plane_recogniser, name, 2)
    monkeypatch.setattr(plane_card, "N_OTHERS", 8)
    model = plane_recogniser.train_plane_recogniser(
        tmp_path / "sets", tmp_path / "new", [(1, 1e-3)]
    )
    again = PlaneRecogniser.load(tmp_path / "new")
    noise = np.random.default_rng(1).integers(0, 255, (50, 70), np.uint8)
    assert again.probs([noise]) == pytest.approx(model.probs([noise]), abs=1e-6)
    assert 0.2 <= json.loads((tmp_path / "new" / "model.json").read_text())["head_from"] <= 0.8
    assert "GE Voluson: femur" in (tmp_path / "new" / "card.md").read_text()
