"""The audit finds the leaks that HC18 and the two-class brain set are known to have."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_scans import real_data
from planted_leaks import verdict_of

from fetal_lib.data.audit.cases import audit_cases
from fetal_lib.data.layouts import brain_anomalies, heads
from fetal_lib.data.splits.shares import split_by_group

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", name="heads")
def hc18_heads():
    folder = real_data("hc18")
    return heads.read_cases(folder)


@pytest.fixture(scope="module")
def brains():
    folder = real_data("fetal_us_abnormalities")
    return brain_anomalies.read_cases(folder)


def test_hc18_split_by_image_puts_one_picture_on_both_sides(heads):
    if not {"392_HC.png", "392_2HC.png"} <= set(heads["image"]):
        pytest.skip("this copy of HC18 has not the two images")
    some = heads[heads["examination"].between("380", "420")].reset_index(drop=True)
    part = np.where(np.arange(len(some)) % 5 == 0, "test", "train").astype(object)
    part[some["image"] == "392_HC.png"] = "train"
    part[some["image"] == "392_2HC.png"] = "test"
    report = audit_cases(
        some.assign(part=part), "image_path", label="hc_mm", group="examination", part="part"
    )
    assert verdict_of(report, "exact duplicates") == "leak"
    exact = report.pairs[report.pairs["exact"]]
    pair = {"392_HC.png", "392_2HC.png"}
    assert any({a, b} == pair for a, b in zip(exact["image_a"], exact["image_b"], strict=True))
    assert "392" in report.torn["group"].tolist()


def test_hc18_split_by_examination_keeps_its_twins_together(heads):
    part = split_by_group(heads["examination"], heads["hc_mm"], {"test": 0.2, "val": 0.1}, 0)
    report = audit_cases(
        heads.assign(part=part), "image_path", label="hc_mm", group="examination", part="part"
    )
    for check in ("groups", "exact duplicates", "near-duplicates", "group rule"):
        assert verdict_of(report, check) == "ok", check


def test_hc18_file_number_and_pixel_size_know_the_circumference(heads):
    heads = heads.assign(number=heads["examination"].astype(int))
    report = audit_cases(
        heads, label="hc_mm", group="examination", order="number", metadata=["pixel_size_mm"]
    )
    rows = report.findings.set_index("check")
    assert rows.loc["number", "verdict"] == "leak"
    assert rows.loc["number", "rank_corr"] == pytest.approx(0.94, abs=0.015)
    assert rows.loc["pixel_size_mm", "verdict"] == "leak"
    by_hand = heads["number"].corr(heads["hc_mm"], method="spearman")
    assert rows.loc["number", "rank_corr"] == pytest.approx(by_hand)


def test_23_of_31_normal_patients_stand_in_more_than_one_supplied_part(brains):
    report = audit_cases(brains, label="label", group="subject", part="part", source="source")
    torn = report.torn[report.torn["labels"] == "normal"]
    assert len(torn) == 23
    assert brains.loc[brains["label"] == "normal", "subject"].nunique() == 31
    assert verdict_of(report, "groups") == "leak"


def test_normal_and_abnormal_come_from_two_origins(brains):
    report = audit_cases(brains, "image_path", label="label", group="subject", source="source")
    source = report.findings.set_index("check").loc["source"]
    assert source["verdict"] == "leak" and source["value"] == pytest.approx(1)
    assert verdict_of(report, "border grey") == "leak", "pictures show it too, not names alone"


def test_one_picture_stands_under_two_classes_and_in_two_parts(brains):
    report = audit_cases(
        brains, "image_path", label="fine_label", group="subject", part="part", source="source"
    )
    assert verdict_of(report, "near-duplicates") == "leak"
    closest = report.pairs.iloc[0]
    assert {closest["label_a"], closest["label_b"]} == {"colpocephaly", "moderate_ventriculomegaly"}


def test_the_two_class_set_is_read_whole_with_its_fine_classes(brains):
    assert len(brains) == 420 and brains["source_stem"].nunique() == 210
    assert brains["part"].value_counts().to_dict() == {"train": 315, "val": 88, "test": 17}
    assert brains["label"].value_counts().to_dict() == {"normal": 210, "abnormal": 210}
    fine = set(brains["fine_label"])
    assert len(fine) == 17 and "tuberous_sclerosis" in fine and "" not in fine
