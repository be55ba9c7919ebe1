"""Chapter 04: sentences and tables that are made of a run's numbers."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("keras")

from fetal_book.chapters.head_circumference import fit, report, source
from fetal_book.runs.case_gallery import gallery_html

MAPS = "share of map on skull", "share of image that is skull band"
RANDOM = "rank correlation with random weights"


def checks_of(*rows):
    return pd.DataFrame(rows, columns=[*MAPS, RANDOM])


def test_maps_that_random_weights_share_fail_and_others_pass():
    good, shared, elsewhere = (0.6, 0.2, -0.1), (0.6, 0.2, 0.67), (0.1, 0.2, 0.3)
    told = report.occlusion_verdict(checks_of(good, good))
    assert "place passed (ahead of the band's area in 2 of 2 images)" in told
    assert "random weights passed (|r| up to 0.10" in told and "no proof" in told
    told = report.occlusion_verdict(checks_of(good, shared))
    assert "random weights **failed** (|r| up to 0.67" in told and "not as an explanation" in told
    told = report.occlusion_verdict(checks_of(good, elsewhere))
    assert "place **failed** (ahead of the band's area in 1 of 2" in told


def test_an_empty_map_is_not_tested():
    told = report.occlusion_verdict(checks_of((np.nan, 0.2, np.nan)))
    assert told.count("not tested (") == 2 and "failed" not in told and "not shown" in told


def test_width_of_the_interval_is_traced_to_a_validation_error():
    """The largest of n errors covers a share whose 2.5 and 97.5 % quantiles are known."""
    told = report.coverage_text(0.9, 0.65, 17, 1.0, 34)
    assert "Measured on 34 test images: **100.0%**" in told
    assert "one image of each of 17 examinations: it is as wide as the largest of" in told
    assert "of their errors" in told
    low, high = 0.025 ** (1 / 17), 0.975 ** (1 / 17)
    assert f"cover {low:.0%} to {high:.0%} of new ones" in told
    assert "as wide as number 90, from the smallest up," in report.coverage_text(
        0.9, 0.1, 99, 0.9, 50
    )
    assert "It is infinite" in report.coverage_text(0.9, float("inf"), 5, 1.0, 34)


def test_the_interval_is_calibrated_on_one_image_of_each_examination():
    """Nine exact frames of one examination count once, and do not hide the others' errors."""
    errors = np.array([0.0] * 9 + list(range(1, 10)))
    scores = pd.DataFrame({"examination": ["a"] * 9 + list("bcdefghij"), "df_mm": errors})
    half = fit.relative_half_width(scores.assign(hc_pred_mm=100.0), 0.9, 0)
    assert half == pytest.approx(0.09)  # of ten errors the largest: rank 10 of 11 times 0.9
    few = scores[:11].assign(hc_pred_mm=100.0)
    assert fit.relative_half_width(few, 0.9, 0) == float("inf")
    lost = scores.assign(hc_pred_mm=[100.0] * 17 + [np.nan], df_mm=[*errors[:17], np.nan])
    assert fit.relative_half_width(lost, 0.9, 0) == float("inf")


def row_of(metric, value, n):
    return {"model": "unet", "split": "test", "metric": metric, "value": value, "n": n} | {
        "ci95": None
    }


def test_results_count_images_and_measured_heads_apart():
    """An image without a head has an overlap, which is 0, and no distance."""
    rows = [row_of("dice", 0.9, 34), row_of("adf_mm", 2.0, 33), row_of("hd_mm", 1.0, 33)]
    (line,) = report.results_table(rows).to_dict("records")
    assert (line["n"], line["measured"]) == ("34", "33")
    shown = report.pretty(report.results_table(rows))
    baseline = row_of("adf_mm", 9.0, 34) | {"model": "mean"}
    both = report.pretty(report.results_table([baseline, *rows]))
    assert list(both.columns) == ["unet", "mean"]  # the network is seen first
    assert list(shown.index) == ["n", "measured", "Dice", "ADF (mm)", "HD (mm)"]


def test_ways_from_a_mask_have_intervals_over_examinations():
    class Run:
        data_name = "made up"
        parameters = type("Parameters", (), {"seed": 0})
        rows: list = []

        def add_result(self, **row):
            self.rows.append(row)

    run, truth = Run(), np.linspace(100, 300, 20)
    table = pd.DataFrame({"image": "x", "examination": np.arange(20) // 2, "hc_mm": truth})
    off = truth + np.resize([5.0, -5.0, 5.0, -7.0], 20)
    off[0] = np.nan
    found = source.second_experiment(run, table, {"unet": off, "vgg16_mask": truth + 4.0})
    assert list(found.columns) == ["model", "n", "networks", "RMSE (mm)", "MAE (mm)", "R²"]
    assert found["n"].tolist() == [19, 20]
    assert found["MAE (mm)"][1] == found["RMSE (mm)"][1] == "4.00 (no spread)"
    r2 = {row["model"]: row for row in run.rows if row["metric"] == "r2"}
    assert r2["unet"]["ci95"][0] < r2["unet"]["value"] < r2["unet"]["ci95"][1]
    assert {row["model"] for row in run.rows if row["metric"] == "adf_mm"} == {"vgg16_mask"}


def test_a_gallery_begins_with_the_worst_head_and_says_what_was_not_found(tmp_path):
    import cv2

    from fetal_lib.geometry.ellipse import Ellipse

    path = tmp_path / "scan.png"
    cv2.imwrite(str(path), np.full((54, 80), 90, np.uint8))
    truth, n = Ellipse(40, 27, 20, 15, 0.3), 6
    error = np.array([0.0, 20.0, np.nan, 2.0, -9.0, 1.0])
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(n)], "hc_mm": 200.0})
    table = table.assign(df_mm=error, dice=0.9, image_path=path)
    found = [truth if np.isfinite(one) else None for one in error]
    tiles = report.tiles(table, [truth] * n, found, 3)
    assert [one.name for one in tiles] == ["2.png", "1.png", "4.png", "3.png", "5.png", "0.png"]
    kinds = [one.kind for one in tiles]
    assert kinds == ["no head found", *["more than 3 % off"] * 2, *["within 3 %"] * 3]
    html = gallery_html(tiles, "heads", "Heads, & more.")
    assert html.count("<li ") == n and "[null, null, 0.9, 200.0]" in html
    assert "1 no head found, 2 more than 3 % off, 3 within 3 %" in html and "&amp; more" in html
    picture = cv2.imdecode(np.frombuffer(tiles[1].picture, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1] == 216 and np.ptp(picture.astype(int), axis=2).max() > 60


def test_the_third_trimester_is_told_beside_all_heads():
    scores = pd.DataFrame({"hc_mm": np.r_[np.full(10, 180.0), np.full(10, 310.0)]})
    scores["df_mm"] = np.r_[np.full(10, 1.0), np.linspace(-6, 6, 10)]
    scores = scores.assign(adf_mm=scores["df_mm"].abs(), hc_pred_mm=scores["hc_mm"])
    table = report.by_trimester(scores.assign(examination=np.arange(20)))
    late = table.set_index("trimester").loc[report.TRIMESTERS[3]]
    assert late["ADF low"] < late["ADF (mm)"] < late["ADF high"]
    text = report.third_trimester_text(table)
    assert "3.33 (" in text and "on 10 images" in text and "2.17 mm on all 20" in text
