"""Chapter 03: two sources that share file and folder names, and which test images are looked at."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_up_folders import BIOMETRY, biometry

pytest.importorskip("torch")


from fetal_book.chapters.biometry_segmentation import (
    crop_scale,
    ensembles,
    explain,
    growth,
    report,
)
from fetal_book.chapters.biometry_segmentation import data as cases
from fetal_book.chapters.biometry_segmentation.data import source_names
from fetal_book.chapters.biometry_segmentation.fit import segmenter_spec
from fetal_book.chapters.biometry_segmentation.scores import score_structures
from fetal_book.parameters.biometry_segmentation import BiometrySegmentationParameters
from fetal_lib.data.audit.cases import audit_cases
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.plots.segmentation import dice_over_cost
from fetal_lib.predict.segmenter import Segmenter, SegmenterSpec
from fetal_phantoms.abdomen_set import write_biometry_set


def read_joined(first, second):
    parameters = BiometrySegmentationParameters(data=str(first), also=str(second))
    return cases.read_cases(parameters, cases.find_data(parameters))


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    root = tmp_path_factory.mktemp("clinics")
    for seed, clinic in enumerate(("north", "south")):
        write_biometry_set(root / clinic / "scans", 2, seed=seed)
    return root, read_joined(root / "north" / "scans", root / "south" / "scans")


def test_sources_of_equal_file_and_folder_names_are_joined_down_to_growth(joined):
    root, table = joined
    assert table["image"].is_unique and table["image"].iloc[0].startswith("north-scans/")
    files = table["image"].str.partition("/")[2]
    assert files.nunique() == len(table) / 2 == 4  # the names that clash
    assert list(table["source"].unique()) == ["north-scans", "south-scans"]
    assert table["subject"].nunique() == 4
    assert not table[["source", "subject", "image"]].stack().str.contains(str(root.parent)).any()
    arrays = cases.load_cases(table, (96, 96))
    scores = score_structures(table, cases.references(table, arrays), arrays.masks / 255)
    found = growth.examinations(scores, table)[0].set_index("subject")
    own = table.groupby("subject", sort=False)
    assert list(found.index) == list(own.groups)
    for column, known in (("ga_days", "ga_days"), ("bpd_true_mm", "bpd_mm")):
        assert found[column].tolist() == pytest.approx(own[known].first().tolist())
        assert found[column].nunique() == 4  # each subject's own, not its namesake's
    gap = (found["hc_measured_mm"] - found["hc_true_mm"]).abs()
    assert (gap < 0.03 * found["hc_true_mm"]).all()
    bare, _ = growth.examinations(scores.assign(image=files), table.assign(image=files))
    pd.testing.assert_frame_equal(bare.set_index("subject"), found)


def test_the_audit_takes_sources_of_equal_file_names(joined):
    report = audit_cases(joined[1], "image_path", label="true_mm", group="subject")
    found = report.findings.set_index("check")["verdict"]
    assert found["exact duplicates"] == "ok"


def test_a_growth_row_needs_a_table_of_the_same_cases(joined):
    scores = pd.DataFrame({"subject": ["s"], "structure": ["head"], "pred_mm": [300.0]})
    with pytest.raises(ValueError, match="Length mismatch"):
        growth.examinations(scores, joined[1])


def test_names_of_sources_are_distinct_and_short():
    assert source_names(["phantom", "/srv/private/hc18"]) == ["phantom", "hc18"]
    assert source_names(["/srv/a/scans", "/srv/b/scans"]) == ["a-scans", "b-scans"]
    assert source_names(["scans", "b/scans"]) == ["scans", "b-scans"]
    assert source_names(["/u/a/scans", "/v/a/scans"]) == ["scans-1", "scans-2"]


def test_one_folder_is_not_joined_with_itself(joined):
    folder = joined[0] / "north" / "scans"
    with pytest.raises(ValueError, match="it is the data itself"):
        read_joined(folder, folder / ".." / "scans")


def test_each_source_is_read_by_its_own_reader(joined, tmp_path):
    """Filled masks of the clinical layout may be named as HC18's rings are."""
    from fetal_phantoms.head import write_head_set

    clinic, heads = tmp_path / "a" / "scans", tmp_path / "b" / "scans"
    shutil.copytree(joined[0] / "north" / "scans", clinic)
    write_head_set(heads, n_examinations=2, seed=1)
    listed = pd.read_csv(clinic / "table.csv", dtype=str)
    named = [str(Path(m).with_name(f"{Path(m).stem}_Annotation.png")) for m in listed["mask"]]
    for old, new in zip(listed["mask"], named, strict=True):
        (clinic / old).rename(clinic / new)
    listed.assign(mask=named).to_csv(clinic / "table.csv", index=False)
    table = read_joined(heads, clinic)
    arrays = cases.load_cases(table, (64, 64))
    masks = cases.references(table, arrays)
    assert len(arrays.images) == len(table) and table["layout"].nunique() == 2
    mixed = np.random.default_rng(0).permutation(len(table))
    again = cases.load_cases(table.iloc[mixed], (64, 64))
    assert np.array_equal(again.images, arrays.images[mixed])
    assert np.array_equal(again.sizes_hw, arrays.sizes_hw[mixed])
    gap = np.abs(report.reference_circumference_gap(table, masks))
    assert (gap < 0.02 * table["true_mm"]).all()


@pytest.fixture
def callipers(tmp_path):
    from fetal_phantoms.head import write_head_set

    biometry(tmp_path / "callipers", scale=20)
    write_head_set(tmp_path / "rings", n_examinations=2, seed=1)
    return tmp_path


def test_callipers_and_rings_are_joined_and_every_size_is_scored(callipers):
    table = read_joined(callipers / "callipers", callipers / "rings")
    assert table.groupby("structure").size()[["abdomen", "femur"]].tolist() == [2, 2]
    own = table[table["source"] == "callipers"]
    assert own.groupby("subject")["structure"].nunique().tolist() == [3, 3]
    arrays = cases.load_cases(table, (128, 128))
    masks = cases.references(table, arrays)
    assert (
        np.abs(report.reference_circumference_gap(table, masks)) < 0.01 * table["true_mm"]
    ).all()
    scores = score_structures(table, masks, arrays.masks / 255)
    found = report.by_measure({"answer": scores}).set_index("measure")
    found = found[found["data"] == "callipers+rings"]
    assert list(found.index) == ["HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL"]
    n_heads = (table["structure"] == "head").sum()
    assert found["n"].tolist() == [n_heads] * 3 + [2] * 4  # the rings have a BPD and an OFD too
    gaps = [(scores[f"{one}_pred"] / scores[f"{one}_true"] - 1).abs() for one in cases.MEASURES]
    assert pd.concat(gaps).dropna().max() < 0.02


def test_a_subject_is_in_one_part_whether_its_source_is_alone_or_joined(callipers):
    folders = callipers / "callipers", callipers / "rings"
    table = read_joined(*folders)
    many = pd.concat([table.assign(subject=table["subject"] + f"-{k}") for k in range(12)])
    many = many.reset_index(drop=True)
    shares = {"test": 0.25, "val": 0.15}
    joined = many.assign(part=cases.deal_out(many, shares, 0)).groupby("subject")["part"]
    assert joined.nunique().max() == 1
    for _, own in many.groupby("source"):
        alone = own.assign(part=cases.deal_out(own, shares, 0)).groupby("subject")["part"].first()
        assert alone.equals(joined.first()[alone.index])
    flow = cases.flow_table(table.assign(part="train"), list(folders)).set_index("source")
    assert flow.loc["callipers", ["used", "test"]].tolist() == ["6 (2)", "0 (0)"]
    assert flow.loc["rings", "annotated in the release"] == "999 (806)"


def test_the_crop_around_the_answer_changes_nothing_that_a_network_sees(callipers):
    folder = callipers / "callipers"

    def seen():
        table = read_joined(folder, callipers / "rings")
        return cases.fingerprint(table, cases.load_cases(table, (32, 32)))

    before = seen()
    for name in BIOMETRY:
        sheet = pd.read_csv(folder / f"{name}.csv", dtype=str)
        sheet.assign(scale="77.7").to_csv(folder / f"{name}.csv", index=False)
    assert seen() == before
    for name in BIOMETRY:  # nor is the centre, unless the image has another size
        sheet = pd.read_csv(folder / f"{name}.csv", dtype=str)
        sheet.drop(columns=["scale", "center_w", "center_h"]).to_csv(folder / f"{name}.csv")
    assert seen() == before


def test_the_side_of_a_crop_tells_the_ofd_that_it_was_cut_around(tmp_path):
    rng = np.random.default_rng(0)
    ofd_px, size_mm = rng.uniform(300, 600, 60), rng.uniform(0.1, 0.3, 60)
    names = [f"Patient{n:05d}_Plane3_1_of_1" for n in range(60)]
    sheet = pd.DataFrame({"image_name": [f"{name}.png" for name in names]})
    sheet.assign(scale=ofd_px / 170 * rng.normal(1, 0.01, 60)).to_csv(tmp_path / "Head.csv")
    paths = [tmp_path / f"{name}.jpg" for name in names]
    table = pd.DataFrame({"image_path": paths, "pixel_size_mm": size_mm, "source": "made up"})
    table = table.assign(ofd_mm=ofd_px * size_mm, structure="head", subject=names)
    table = table.assign(part=np.where(np.arange(60) < 40, "train", "test"))
    rows, kept = [], []
    run = SimpleNamespace(parameters=BiometrySegmentationParameters())
    run.add_result, run.add_difference = (
        lambda **row: rows.append(row),
        lambda *row, **_: kept.append(row),
    )
    found = crop_scale.ofd_without_pictures(run, table, [tmp_path]).set_index("OFD by")["ADF (%)"]
    assert found["the crop's scale"] == pytest.approx(0.8, abs=0.4)
    assert 5 < found["the pixel size, a quadratic"] < found["the mean"]
    assert [row["n"] for row in rows] == [20] * 3 and kept[0][4][1] < 0  # an interval below zero
    assert crop_scale.ofd_without_pictures(run, table, [tmp_path / "elsewhere"]).empty


def test_what_a_layout_left_out_is_told_on_the_page(callipers):
    table = callipers / "callipers" / "Femur.csv"
    table.write_text(table.read_text().replace(",0.175,", ",0.9,"))
    odd = cases.left_out([callipers / "callipers", callipers / "rings"])
    assert odd["kind"].tolist() == ["implausible"] * 2 and odd["file"].str.contains("Plane5").all()


def test_maps_are_of_images_from_all_over_the_test_part(joined):
    many = pd.concat([joined[1]] * 6, ignore_index=True)
    spec = SegmenterSpec("unext_s", 0.5, 32)
    arrays = cases.load_cases(many, (32, 32))
    maps, checks, _ = explain.cam_checks(Segmenter(spec.build(), spec), arrays)
    assert checks["test image"].tolist() == [1, 24, 48] and len(maps) == 3


def test_all_samplers_get_the_same_images_from_all_over_the_test_part(joined, monkeypatch):
    many = pd.concat([joined[1]] * 3, ignore_index=True)
    arrays = cases.load_cases(many, (32, 32))
    masks = cases.references(many, arrays)
    pick = evenly_spaced(ensembles.N_SAMPLED, len(many))
    assert (pick[0], pick[-1]) == (0, len(many) - 1) and len(pick) == ensembles.N_SAMPLED
    answers = arrays.masks[pick] / np.float32(255)

    def members(self, images, n, ancestral):
        assert np.array_equal(images, arrays.images[pick])
        return np.stack([answers] * n)

    monkeypatch.setattr(Segmenter, "members", members)
    monkeypatch.setattr(ensembles, "inputs_of", lambda segmenter: ())
    monkeypatch.setattr(ensembles, "image_macs", lambda network, inputs, passes: 1e9 * passes)
    spec = SegmenterSpec("unext_s", 0.5, 32)
    run = SimpleNamespace(parameters=BiometrySegmentationParameters(), add_result=lambda **row: 0)
    found = ensembles.sampling_table(run, Segmenter(spec.build(), spec), many, arrays, masks)
    assert (found["n"] == len(pick)).all() and (found["minus ancestral"].abs() < 0.03).all()
    assert (found["Dice"] > 0.95).all()  # images and references go together


def test_the_curve_of_a_few_images_says_so():
    points = pd.DataFrame({"model": ["unet"], "dice": 0.9, "low": 0.8, "high": 0.95})
    sampled = pd.DataFrame({"n": 12, "sampler": ["DDIM", "ancestral"], "members": 1})
    sampled = sampled.assign(GMAC=[1.0, 9.0], Dice=[0.7, 0.71])
    figure = dice_over_cost(points.assign(GMAC=2.0, train_s=5.0), sampled)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [label for label in labels if label.endswith("12 images only")] == [
        "DDIM, one member, 12 images only",
        "ancestral, one member, 12 images only",
    ]


def test_a_model_names_both_sets_that_it_learnt_from(joined):
    root, _ = joined
    both = BiometrySegmentationParameters(data=str(root / "north"), also=str(root / "south"))
    assert segmenter_spec(both, "unet").trained_on == "north+south"
    assert segmenter_spec(BiometrySegmentationParameters(), "unet").trained_on == "phantom"


def test_answers_of_an_ensemble_are_set_against_its_condition_network(joined, monkeypatch):
    table = joined[1]
    arrays = cases.load_cases(table, (32, 32))
    masks = cases.references(table, arrays)
    true, nothing = arrays.masks / np.float32(255), np.zeros(arrays.masks.shape, np.float32)
    monkeypatch.setattr(Segmenter, "anchor_probs", lambda self, images: nothing)
    spec = SegmenterSpec("unext_s", 0.5, 32)
    segmenter = Segmenter(spec.build(), spec)
    found = ensembles.ensemble_table(segmenter, np.stack([true] * 3), table, arrays, masks)
    found = found.set_index("answer")
    assert found.index[-1] == "condition network alone"
    gaps = found["Dice minus condition network"]
    assert gaps.tolist() == pytest.approx((found["Dice"] - found["Dice"].iloc[-1]).tolist())
    assert gaps["mean"] > 0.9 and (found["low"] <= gaps).all() and (gaps <= found["high"]).all()
