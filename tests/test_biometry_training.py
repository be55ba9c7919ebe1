"""What the networks of biometry learn from: every form of a scan has the truth of that form."""

import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from made_up_scans import real_data

from fetal_book.chapters.biometry_segmentation.biometry_calibration import (
    calibrated,
    half_widths,
    out_of_fold_scores,
)
from fetal_book.chapters.biometry_segmentation.biometry_cases import Case
from fetal_book.chapters.biometry_segmentation.biometry_folds import splits
from fetal_book.chapters.biometry_segmentation.biometry_pictures import UNKNOWN, Forms, Pictures
from fetal_lib.geometry.biometry import SIZES
from fetal_lib.geometry.callipers import band_mask, ellipse_from_diameters
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.metrics.segmentation import dice
from fetal_lib.predict.biometry_maps import CHANNELS
from fetal_lib.predict.biometry_measure import diameter
from fetal_lib.predict.biometry_model import BiometryModel, BiometrySpec

PARTS = ("train", "validation", "test")
SCAN, SHAPE = (540, 800), (224, 320)
CLEAN = Forms(quarter=0.5, square=0.3, crop=0.3, spoilt=0, log_gamma=0, gain=0)
OUTLINE = Ellipse(390, 250, 210, 160, 0.5)
TRANSVERSE = diameter(OUTLINE, OUTLINE.angle_rad)
LINES = (TRANSVERSE, diameter(OUTLINE, OUTLINE.angle_rad + np.pi / 2))
FEMUR = np.array([[180.0, 200.0], [600.0, 330.0]])


def drawn(plane: str, tmp_path: Path) -> Case:
    """Make a case whose scan is its own truth: the filled outline, or the femur's band."""
    lines = (FEMUR,) if plane == "femur" else LINES
    ellipse = None if plane == "femur" else ellipse_from_diameters(*LINES)
    mask = band_mask(FEMUR, SCAN) if plane == "femur" else OUTLINE.mask(SCAN)
    path = tmp_path / f"{plane}.png"
    assert cv2.imwrite(str(path), mask.astype(np.uint8) * 255)
    return Case(path, plane, "one", "GE Voluson", "train", 0.1, {}, ellipse, lines)


@pytest.mark.parametrize(
    ("plane", "channel"), [("head", "head_inner"), ("abdomen", "abdomen"), ("femur", "femur")]
)
def test_the_maps_follow_the_scan_through_every_form(plane, channel, tmp_path):
    pictures = Pictures([drawn(plane, tmp_path)], SHAPE, CHANNELS)
    scores = []
    for seed in range(30):
        image, maps = pictures.draw(0, np.random.default_rng(seed), CLEAN)
        seen = cv2.resize(image[0], maps.shape[:0:-1], interpolation=cv2.INTER_AREA) >= 0.5
        scores.append(dice(seen, maps[CHANNELS.index(channel)] >= 0.5))
    assert min(scores) > (0.8 if plane == "femur" else 0.95), sorted(scores)[:3]
    assert np.median(scores) > (0.93 if plane == "femur" else 0.985)


@pytest.mark.parametrize(
    ("plane", "known"),
    [
        ("head", {"head_inner"}),
        ("abdomen", {"abdomen", "transverse"}),
        ("femur", {"femur", "femur_ends"}),
    ],
)
def test_a_case_trains_only_the_maps_of_which_it_has_a_truth(plane, known, tmp_path):
    torch = pytest.importorskip("torch")
    from fetal_book.chapters.biometry_segmentation.biometry_network import map_loss

    pictures = Pictures([drawn(plane, tmp_path)], SHAPE, CHANNELS)
    _, maps = pictures.draw(0, np.random.default_rng(0), CLEAN)
    assert {c for c, one in zip(CHANNELS, maps, strict=True) if (one != UNKNOWN).all()} == known
    logits = torch.zeros(1, *maps.shape, requires_grad=True)
    map_loss(logits, torch.from_numpy(maps[None])).backward()
    taught = logits.grad[0].abs().amax((1, 2)) > 0
    assert {c for c, one in zip(CHANNELS, taught, strict=True) if one} == known


def test_the_loss_is_least_at_a_soft_truth():
    torch = pytest.importorskip("torch")
    from fetal_book.chapters.biometry_segmentation.biometry_network import map_loss

    maps = torch.linspace(0.02, 0.98, 64).reshape(1, 1, 8, 8)
    at_truth = map_loss(torch.logit(maps), maps)
    for shift in (-0.3, 0.3):
        assert map_loss(torch.logit(maps) + shift, maps) > at_truth


@pytest.mark.parametrize("has_start", [False, True])
def test_no_fold_learns_from_whom_it_measures_nor_from_the_test_part(tmp_path, has_start):
    rng, cases = np.random.default_rng(0), []
    for k in range(120):
        source, plane = [("hc18", "head"), ("Aloka", "femur"), ("Aloka", "head")][k % 3]
        known = (tmp_path, plane, f"{source} {rng.integers(40)}", source)
        part = PARTS[int(known[2].split()[1]) % 3]
        cases.append(Case(*known, part, 0.1, {"hc_mm": 100.0 + k}, None))
    if not has_start:
        cases = [case for case in cases if case.source == "hc18"]
    measured = []
    for learnt, held in splits(cases, 4, has_start):
        assert not {case.subject for case in learnt} & {case.subject for case in held}
        if has_start:  # the start has seen the training part of HC18
            assert not any(case.source == "hc18" and case.part == "train" for case in held)
            assert not any(case.part == "test" for case in learnt + held)
        measured += held
    assert len({id(case) for case in measured}) == len(measured)
    wanted = [
        c
        for c in cases
        if not has_start or c.part == "validation" or (c.source != "hc18" and c.part == "train")
    ]
    assert len(measured) == len(wanted)


def errors_of(n: int, plane: str = "head") -> pd.DataFrame:
    """Return errors of n subjects over the range of HC, three times as large from 260 mm on."""
    rng, charted = np.random.default_rng(1), SIZES[plane][0]
    true = rng.uniform(150, 340, n)
    found = true * 0.97 * (1 + rng.normal(0, 0.01, n) * np.where(true < 262, 1, 3))
    known = {"plane": plane, "channel": plane, "size": charted, "reason": ""}
    table = pd.DataFrame({"true": true, "value": found, "fold": np.arange(n) % 5} | known)
    return table.assign(subject=np.arange(n).astype(str), image=np.arange(n).astype(str))


def test_intervals_hold_as_often_as_they_say_in_each_trimester():
    (shares,), (limits,) = (list(part.values()) for part in half_widths(errors_of(600)))
    assert (
        limits == pytest.approx((260,), abs=3) and 2 < shares["hc_mm"][1] / shares["hc_mm"][0] < 4
    )
    scores = out_of_fold_scores(BiometryModel(None, BiometrySpec(1, 1, ("head",))), errors_of(600))
    inside = (scores["low"] <= scores["true"]) & (scores["true"] <= scores["high"])
    for late in (False, True):
        assert inside[(scores["true"] >= 262) == late].mean() == pytest.approx(0.9, abs=0.05)


def test_offsets_are_the_models_own_and_few_subjects_share_one_half_width():
    own, folds = errors_of(40).drop(columns="fold"), errors_of(600)
    folds["value"] *= 1.05  # each fit has an offset of its own
    spec = calibrated(BiometryModel(None, BiometrySpec(1, 1, ("head",))), own, folds).spec
    assert spec.offsets["head"] == pytest.approx(1 / 0.97, rel=0.01)
    assert spec.half_widths == half_widths(errors_of(600))[0] != half_widths(own)[0]
    assert half_widths(own)[1] == {"head": ()} and half_widths(own.head(5))[0] == {}


def test_an_arm_of_an_ablation_is_told_beside_the_first():
    pytest.importorskip("torch")
    from fetal_book.chapters.biometry_segmentation.biometry_ablation import ARMS, ablation_table

    rng, subjects = np.random.default_rng(0), np.arange(40) // 2
    first = pd.DataFrame({"image": np.arange(40), "subject": subjects.astype(str), "dice": 0.97})
    first["off_mm"] = rng.uniform(0, 4, 40)
    worse = first.assign(off_mm=first["off_mm"] + rng.normal(1, 0.2, 40))
    worse.loc[3, ["off_mm", "dice"]] = np.nan, 0.0  # a lost head
    table = ablation_table({"as shipped": first, "worse": worse}).assign(epochs=3)
    assert list(table["lost"]) == [0, 1] and np.isnan(table["off_mm_more"][0])
    assert 0.9 < table["off_mm_more_low"][1] < table["off_mm_more"][1] < 1.1
    assert table["dice_more"][1] == pytest.approx(-0.97 / 40)
    names = [arm.words for arm in ARMS]
    assert len(set(names)) == len(names) and {
        one for arm in ARMS for one in arm.of + arm.taught_by
    } <= {*names}
    assert all(arm.shape[0] % 32 == arm.shape[1] % 32 == 0 for arm in ARMS)
    # two seeds, their mean and their pupil, two other inputs
    assert sum(arm.recipe == ARMS[0].recipe for arm in ARMS) == 6


def test_teachers_count_for_half_of_what_is_known():
    torch = pytest.importorskip("torch")
    from fetal_book.chapters.biometry_segmentation.biometry_network import taught

    maps = torch.tensor([1.0, 0.0, UNKNOWN]).reshape(1, 3, 1, 1)
    teachers = [lambda image, p=p: torch.logit(torch.full((1, 3, 1, 1), p)) for p in (0.6, 0.2)]
    found = taught(teachers, torch.zeros(1, 1, 1, 1), maps).flatten()
    torch.testing.assert_close(found, torch.tensor([0.7, 0.2, UNKNOWN]))


@pytest.mark.slow
def test_the_command_makes_a_model_that_loads_and_goes_on_where_it_was(tmp_path, monkeypatch):
    pytest.importorskip("lightning")
    from fetal_book.chapters.biometry_segmentation import biometry_network
    from fetal_phantoms.head import make_head, write_head_set

    write_head_set(tmp_path / "hc18", n_examinations=30, seed=5)
    monkeypatch.setattr(biometry_network, "HEAD_STAGES", (((64, 96), 2, 2e-3),))
    folder = tmp_path / "model"
    biometry_network.main(tmp_path, folder)
    model, card = BiometryModel.load(folder), (folder / "card.md").read_text("utf-8")
    assert model.spec.channels == ("head",) and model.spec.licence == "CC BY 4.0"
    assert "64 x 96 pixels" in card and "CC BY 4.0" in card
    assert len(model.maps([make_head(1).image])) == 1
    made = (folder / "fit" / "stage_0" / "weights.npz").stat().st_mtime_ns
    biometry_network.main(tmp_path, folder)
    assert (folder / "fit" / "stage_0" / "weights.npz").stat().st_mtime_ns == made
    assert (folder / "card.md").read_text("utf-8") == card


@pytest.mark.slow
def test_an_ablation_stands_in_the_card_of_the_model(tmp_path, monkeypatch):
    pytest.importorskip("lightning")
    from dataclasses import replace

    from fetal_book.chapters.biometry_segmentation import biometry_ablation, biometry_network
    from fetal_phantoms.head import write_head_set

    write_head_set(tmp_path / "hc18", n_examinations=30, seed=5)
    arms = [replace(arm, shape=(64, 96)) for arm in biometry_ablation.ARMS[:5]]
    monkeypatch.setattr(biometry_ablation, "ARMS", arms)
    monkeypatch.setattr(biometry_network, "HEAD_STAGES", (((64, 96), 2, 2e-3),))
    biometry_ablation.main(tmp_path, tmp_path / "model", epochs=4)
    table = pd.read_csv(tmp_path / "model" / "ablation.csv")
    assert list(table["arm"]) == [arm.words for arm in arms]
    assert table["dice"].max() > 0.5 and (table["lost"] < table["images"]).any()
    fits = sorted(path.name for path in (tmp_path / "model").glob("arm_*/fit"))
    assert len(fits) == 3  # the mean and the answer without mirrored views are of these
    biometry_network.main(tmp_path, tmp_path / "model")
    card = (tmp_path / "model" / "card.md").read_text("utf-8")
    assert "shorter trainings of 4 epochs" in card and "| no mirrored views |" in card


@pytest.mark.slow
@pytest.mark.parametrize("name", ["biometry", "head_circumference"])
def test_the_card_of_a_shipped_model_has_the_numbers_that_it_gives(name):
    from fetal_book.chapters.biometry_segmentation.biometry_calibration import card_of
    from fetal_book.chapters.biometry_segmentation.biometry_cases import calliper_cases, hc18_cases
    from fetal_lib.predict.model_folder import PRETRAINED

    cases = hc18_cases(real_data("hc18"))
    if name == "biometry":
        cases += calliper_cases(real_data("fetal_biometry_fp"))
    told = (PRETRAINED / name / "card.md").read_text("utf-8")
    again = card_of(BiometryModel.load(PRETRAINED / name), cases, PRETRAINED / name)
    pattern = re.compile(r"-?\d+\.?\d*")
    assert pattern.sub("#", again) == pattern.sub("#", told)
    numbers = [np.array(pattern.findall(text), float) for text in (again, told)]
    np.testing.assert_allclose(*numbers, rtol=0.02, atol=0.02)
