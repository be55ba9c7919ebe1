"""Chapter 03: its parts on tiny data, what its text may not contain, and the whole in smoke."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from fetal_lib.chapters import biometry_segmentation as chapter  # noqa: E402
from fetal_lib.chapters.biometry_segmentation.data import CaseArrays  # noqa: E402
from fetal_lib.chapters.biometry_segmentation.explain import (  # noqa: E402
    LAYERS,
    segmentation_cam,
    shuffled,
)
from fetal_lib.chapters.biometry_segmentation.fit import NARROW  # noqa: E402
from fetal_lib.chapters.biometry_segmentation.growth import size_flags  # noqa: E402
from fetal_lib.chapters.biometry_segmentation.robust import CHANGES  # noqa: E402
from fetal_lib.chapters.biometry_segmentation.source import image_level_parts  # noqa: E402
from fetal_lib.growth import hadlock, intergrowth  # noqa: E402
from fetal_lib.models.segmentation_networks import NETWORKS  # noqa: E402
from fetal_lib.parameters.biometry_segmentation import (  # noqa: E402
    BiometrySegmentationParameters,
)
from fetal_lib.predict.segmenter import Segmenter, SegmenterSpec  # noqa: E402

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "03_biometry_segmentation.py"
CELL = re.compile(r"^# %%(.*)$", re.M)
RESULT = re.compile(r"\d+\.\d+ ?(?:mm|days|d\b|%)|(?:Dice|ADF|MAE|RMSE|R²|accuracy)\D{0,12}\d")


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    from fetal_lib.phantoms.abdomen_set import write_biometry_set

    folder = write_biometry_set(tmp_path_factory.mktemp("set") / "phantoms", 3, seed=0)
    parameters = BiometrySegmentationParameters(data=str(folder), n_subjects=8)
    table = chapter.read_cases(parameters, [folder])
    return table, chapter.load_cases(table, (64, 64))


def test_a_clinical_folder_becomes_one_table_with_both_structures(phantoms):
    table, arrays = phantoms
    assert table.groupby("structure").size().to_dict() == {"abdomen": 3, "head": 3}
    head = table[table["structure"] == "head"]
    assert (head["true_mm"] == head["hc_mm"]).all()
    assert arrays.images.shape == arrays.masks.shape == (6, 64, 64)


def test_reference_masks_have_the_table_s_circumference(phantoms):
    table, arrays = phantoms
    masks = chapter.references(table, arrays)
    assert [m.shape for m in masks] == [tuple(s) for s in arrays.sizes_hw]
    gap = chapter.reference_circumference_gap(table, masks)
    assert (np.abs(gap) < 0.01 * table["true_mm"]).all()


def test_two_sources_are_joined_and_their_subjects_kept_apart(phantoms, tmp_path):
    from fetal_lib.phantoms.head import write_head_set

    write_head_set(tmp_path / "heads", n_examinations=2, seed=1)
    folder = Path(phantoms[0]["image_path"].iloc[0]).parents[1]
    parameters = BiometrySegmentationParameters(data=str(folder), also=str(tmp_path / "heads"))
    table = chapter.read_cases(parameters, [folder, tmp_path / "heads"])
    assert table["source"].nunique() == 2
    assert (table.groupby("subject")["source"].nunique() == 1).all()
    assert len(chapter.load_cases(table, (32, 32)).images) == len(table)


def test_age_and_weight_follow_from_a_subject_s_head_and_abdomen():
    scores = pd.DataFrame(
        {
            "image": ["h", "a", "lone"],
            "subject": ["s1", "s1", "s2"],
            "structure": ["head", "abdomen", "head"],
            "true_mm": [330.0, 340.0, 300.0],
            "pred_mm": [330.0, 340.0, 300.0],
        }
    )
    table = pd.DataFrame({"image": ["h", "a", "lone"], "ga_days": [259.0, 259.0, 200.0]})
    table["fl_mm"] = 70.0
    found = chapter.biometry_table(scores, table)
    assert list(found["subject"]) == ["s1"]  # a lone head has no weight
    row = found.iloc[0]
    assert row["efw_true_g"] == pytest.approx(intergrowth.efw_g(ac_mm=340, hc_mm=330))
    assert row["centile_true"] == pytest.approx(intergrowth.efw_centile(row["efw_true_g"], 37))
    assert row["efw_hadlock_true_g"] == pytest.approx(hadlock.efw_g(340, 70, hc_mm=330))
    summary = chapter.growth_summary(found).set_index("quantity")
    assert (summary["MAE"] == 0).all()


def test_flags_say_size_and_never_growth_restriction():
    assert size_flags(2000, 5) == "SGA (< 10th centile)"
    assert size_flags(4200, 95) == "LGA (> 90th centile); EFW > 4000 g"
    assert size_flags(3000, 50) == size_flags(3000, float("nan")) == ""
    text = NOTEBOOK.read_text()
    assert "not\n# growth restriction" in text and "IUGR" not in text


@pytest.mark.parametrize("name", NETWORKS)
def test_grad_cam_is_defined_for_every_network(name):
    assert name in NARROW
    torch.manual_seed(0)
    spec = SegmenterSpec(name, min(NARROW[name], 0.125), 64, "mask", 2, 2)
    segmenter = Segmenter(spec.build(), spec)
    with torch.no_grad():
        for parameter in segmenter.network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    shapes = []
    layer = LAYERS[name](segmenter.network)
    hook = layer.register_forward_hook(lambda m, i, o: shapes.append(tuple(o.shape[2:])))
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    found = segmentation_cam(segmenter, image, np.ones((64, 64), bool))
    hook.remove()
    assert not segmenter.network.training  # Grad-CAM leaves it as it was
    assert shapes[-1] == (16, 16)  # a quarter of the size, as the page says
    assert found.shape == (64, 64) and (found >= 0).all() and np.isfinite(found).all()


def test_shuffled_weights_keep_their_values_and_lose_their_places():
    spec = SegmenterSpec("unext_s", 0.5, 32)
    trained = Segmenter(spec.build(), spec)
    other = shuffled(trained)
    pairs = zip(trained.network.parameters(), other.network.parameters(), strict=True)
    for a, b in pairs:
        assert torch.equal(a.flatten().sort()[0], b.flatten().sort()[0])
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32), dtype=np.uint8)
    assert np.abs(trained.probs(image) - other.probs(image)).max() > 1e-3


def test_an_image_without_a_structure_has_an_empty_map():
    spec = SegmenterSpec("unet", 0.0625, 32)
    segmenter = Segmenter(spec.build(), spec)
    nothing = np.zeros((32, 32), bool)
    assert not segmentation_cam(segmenter, np.zeros((32, 32), np.uint8), nothing).any()


@pytest.mark.parametrize("name", CHANGES)
def test_changes_keep_type_and_size_and_do_something(phantoms, name):
    image, mask = phantoms[1].images[0], phantoms[1].masks[0]
    changed, moved = CHANGES[name](image, mask, np.random.default_rng(0))
    assert changed.dtype == moved.dtype == np.uint8 and changed.shape == moved.shape == image.shape
    assert (name == "none") == bool((changed == image).all())
    assert (moved != mask).any() == (name.startswith(("rotated", "size")))


def test_images_dealt_out_singly_part_their_subjects():
    parts = image_level_parts(200, {"test": 0.2, "val": 0.1}, seed=0)
    counts = dict(zip(*np.unique(parts.astype(str), return_counts=True), strict=True))
    assert counts == {"test": 40, "train": 140, "val": 20}
    subjects = np.repeat(np.arange(100), 2)
    known = np.isin(subjects[parts == "test"], subjects[parts == "train"])
    assert known.mean() > 0.5


def test_every_network_of_the_table_says_its_counts():
    table = chapter.network_table(["unext", "med_seg_diff"], "narrow", 96)
    assert table["published"].tolist() == [1_471_921, "not released"]
    assert table["counted at that setting"].iloc[0] == 1_471_921


def test_unknown_networks_are_refused_by_name():
    with pytest.raises(ValueError, match="network='vnet'"):
        chapter.chosen_networks(BiometrySegmentationParameters(networks="unet, vnet"))


def test_cases_are_chosen_together():
    arrays = CaseArrays(np.zeros((3, 4, 4)), np.ones((3, 4, 4)), np.array([[1, 2]] * 3))
    assert len(arrays.select(np.array([True, False, True])).sizes_hw) == 2


@pytest.mark.slow
def test_the_wiring_ends_in_results_tables_figures_and_a_model(tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "fetal_lib", "run", "03", "--profile", "smoke"]
    environment = os.environ | {"FETAL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [*command, "--out", str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    rows = json.loads((out / "results.json").read_text())["rows"]
    test = {(r["model"], r["metric"]): r for r in rows if r["split"] == "test"}
    names = BiometrySegmentationParameters().networks.split(",")
    counts = {test[name, "dice"]["n"] for name in [*names, "ellipse_fit"]}
    assert len(counts) == 1  # all models see the same test images
    split = pd.read_csv(out / "tables" / "split.csv", dtype=str)
    assert split.groupby("subject")["part"].nunique().max() == 1
    for name, entry in json.loads((out / "figures" / "index.json").read_text()).items():
        assert entry["alt"] and entry["caption"], name
    assert {p.name for p in (out / "model").iterdir()} == {"card.md", "model.json", "weights.npz"}


def markdown_cells():
    parts = CELL.split(NOTEBOOK.read_text())[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [text for head, text in pairs if "[markdown]" in head]


def test_no_result_is_typed_by_hand():
    for text in markdown_cells():
        if RESULT.search(text):
            assert "{cite" in text or "source" in text.lower(), text


def test_cells_are_short_enough_to_read():
    parts = CELL.split(NOTEBOOK.read_text())[1:]
    for head, text in zip(parts[::2], parts[1::2], strict=True):
        if "[markdown]" not in head and '"parameters"' not in head:
            lines = text.strip().splitlines()
            assert len(lines) <= 25, text
            assert max(map(len, lines)) <= 79, max(lines, key=len)
