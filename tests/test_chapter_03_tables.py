"""Chapter 03's tables: the source's numbers beside ours, and lengths with their limits."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from fetal_book.chapters.biometry_segmentation import hospitals, report, robust
from fetal_book.parameters.biometry_segmentation import BiometrySegmentationParameters


def test_the_source_s_table_stands_beside_ours_row_by_row():
    frame = pd.DataFrame(
        {"dice": [0.8, 0.9], "iou": [0.7, 0.8], "recall": [0.6, 0.8], "map": [0.5, 0.6]}
    )
    names = BiometrySegmentationParameters().networks.split(",")
    scores = {name: frame for name in [*names, "ellipse_fit"]}
    found = report.source_comparison(scores, dict.fromkeys(names, 90.0)).set_index("model")
    titles = ["MedSegDiff-V2", "DUCK-Net 17", "Attention U-Net", "UNeXt", "TransUNet"]
    assert list(found.index) == titles  # a plain U-Net is not in the source's table
    assert found["Dice, source"].tolist() == [0.9852, 0.9682, 0.9671, 0.9615, 0.9556]
    assert found["IoU, source"].tolist() == [0.9726, 0.9395, 0.9365, 0.9251, 0.9128]
    assert found["recall, source"].tolist() == [0.9864, 0.9699, 0.9622, 0.9630, 0.9579]
    assert found["mAP, source"].tolist() == [0.961, 0.932, 0.920, 0.918, 0.901]
    assert found["minutes, source"].tolist() == [70, 175, 41, 40, 33]
    assert found["minutes, here"].tolist() == [1.5] * 5
    ours = found.loc["UNeXt", [f"{name}, here" for name in ("Dice", "IoU", "recall", "mAP")]]
    assert ours.tolist() == pytest.approx([0.85, 0.75, 0.7, 0.55])


def test_every_measure_has_its_own_limits_of_agreement():
    gaps = {"hc_mm": np.array([1.0, 2.0, 6.0]), "ac_mm": np.array([-2.0, 2.0, 3.0, np.nan])}
    parts = []
    for size, gap in gaps.items():
        part = pd.DataFrame({f"{size}_true": 200.0, f"{size}_pred": 200 + gap})
        parts.append(part.assign(subject=np.arange(len(gap)).astype(str)))
    joined = pd.concat(parts, ignore_index=True).assign(bpd_mm_true=np.nan, bpd_mm_pred=90.0)
    joined["source"] = "there"
    found = report.by_measure({"unet": joined}).set_index("measure")
    assert list(found.index) == ["HC", "AC"]  # and no BPD, which has no reference
    assert found.loc["AC", ["n", "not found"]].tolist() == [4, 1]
    for measure, gap in (("HC", gaps["hc_mm"]), ("AC", gaps["ac_mm"][:3])):
        row, spread = found.loc[measure], 1.96 * gap.std(ddof=1)
        assert row["DF (mm)"] == pytest.approx(gap.mean())
        assert row["ADF (mm)"] == pytest.approx(np.abs(gap).mean())
        assert row["ADF (%)"] == pytest.approx(np.abs(gap).mean() / 2)
        assert row["ADF, low"] <= row["ADF (mm)"] <= row["ADF, high"]
        limits = row[["lower limit (mm)", "upper limit (mm)"]].astype(float)
        assert limits.tolist() == pytest.approx(
            [gap.mean() - spread, gap.mean() + spread], rel=1e-3
        )


def test_measures_of_joined_sources_are_told_apart_and_published_errors_stand_beside_their_own():
    frame = pd.DataFrame(
        {"subject": list("abcdef"), "source": ["hc18"] * 3 + ["fetal_biometry_fp"] * 3}
    )
    frame = frame.assign(bpd_mm_true=100.0, bpd_mm_pred=[101, 101, 101, 104, 104, 104])
    found = report.by_measure({"unet": frame})
    assert found["data"].tolist() == ["hc18+fetal_biometry_fp", "hc18", "fetal_biometry_fp"]
    assert found["ADF (%)"].tolist() == pytest.approx([2.5, 1, 4])
    (row,) = report.beside_published(found, "unet").to_dict("records")
    assert row["unet, ADF (%)"] == pytest.approx(4) and row["n"] == 3  # of that set alone
    assert report.beside_published(found[found["data"] == "hc18"], "unet").empty


def test_cases_that_are_shown_carry_their_numbers_and_a_lost_one_says_so():
    dice, gaps = [0.9, 0.0, 0.8, 0.7], [1.0, np.nan, -2.0, 3.0]
    scores = pd.DataFrame({"structure": ["head"] * 4, "dice": dice, "df_mm": gaps})
    pick, titles = report.right_and_wrong(scores, n=4)
    assert pick.tolist() == [2, 0, 1, 3]
    assert titles[2] == "head: 0.000, not measured" and titles[0] == "head: 0.800, -2.0 mm"


def made_up_matrix(across):
    rows = [("a", "a", 0.0), ("b", "a", across), ("both", "a", 1.0), ("b", "b", 0.0)]
    names = ("learnt from", "asked at", "HC, bias (mm)")
    table = pd.DataFrame(rows, columns=names)
    return table.assign(**{f"{one}, bias (mm)": table[names[2]] for one in ("BPD", "OFD")})


def test_a_bias_across_hospitals_stands_beside_what_a_convention_would_make():
    edges = pd.DataFrame({"source": ["a", "b"], "BPD (mm)": [-2.5, -3], "HC (mm)": [-4.0, -5]})
    told = hospitals.convention_text(made_up_matrix(6.0), edges)
    assert "learnt from `b` measures the heads of `a`" in told and "HC +6.0 mm" in told
    assert "2.5 mm of the BPD and 4.0 mm of the HC" in told and told.count("learnt from") == 1
    assert "one source" in hospitals.convention_text(pd.DataFrame(columns=hospitals.COLUMNS), edges)


def test_the_hardest_level_is_that_of_all_networks_together():
    changes = pd.DataFrame(
        {
            "model": ["unet", "unext"] * 3,
            "change": "gain (factor)",
            "level": [0.4, 0.4, 1.0, 1.0, 1.8, 1.8],
            "dice": [0.7, 0.7, 0.9, 0.9, 0.9, 0.4],
        }
    )
    (row,) = robust.largest_losses(changes).to_dict("records")
    assert row == {"change": "gain (factor)", "level": 1.8, "unet": 0.9, "unext": 0.4}


def test_paired_tests_are_shown_with_the_interval_beside_the_difference():
    row = {"first": "unet", "second": "unext", "difference": 0.0211, "low": 0.0152, "high": 0.0278}
    tests = pd.DataFrame([row | {"p": 1e-6, "p_holm": 3e-6, "metric": "dice"}] * 2)
    tests.loc[1, ["difference", "low", "high", "p", "p_holm"]] = np.nan
    shown = report.shown_tests(tests)
    assert list(shown.columns) == ["measure", "first", "second", "difference", "p", "p_holm"]
    assert shown["difference"].tolist() == ["0.021 (0.015 to 0.028)", ""]
    assert shown["measure"].tolist() == ["Dice", "Dice"]
    assert report.shown_tests(pd.DataFrame()).empty  # a single network has no pair
