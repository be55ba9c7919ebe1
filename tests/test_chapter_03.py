"""Chapter 03: its parts on tiny data, what its text may not contain, and the whole in smoke."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chapter_checks import figures_without_words, rows_of, run_smoke

torch = pytest.importorskip("torch")


from fetal_book.chapters.biometry_segmentation import data as cases  # noqa: E402
from fetal_book.chapters.biometry_segmentation import (  # noqa: E402
    explain,
    fit,
    growth,
    network_cost,
    report,
    source,
    velocity,
)
from fetal_book.chapters.biometry_segmentation import scores as score  # noqa: E402
from fetal_book.chapters.biometry_segmentation.case_tiles import case_tiles  # noqa: E402
from fetal_book.chapters.biometry_segmentation.data import CaseArrays  # noqa: E402
from fetal_book.chapters.biometry_segmentation.explain import cam_curves, segmentation_cam, shuffled  # noqa: E402
from fetal_book.chapters.biometry_segmentation.network_cost import released_cost_ratio  # noqa: E402
from fetal_book.chapters.biometry_segmentation.robust import CHANGES  # noqa: E402
from fetal_book.chapters.biometry_segmentation.source import image_level_parts  # noqa: E402
from fetal_book.parameters.biometry_segmentation import BiometrySegmentationParameters  # noqa: E402
from fetal_lib.growth import hadlock, intergrowth_age, intergrowth_weight  # noqa: E402
from fetal_lib.growth.examination import size_flags  # noqa: E402
from fetal_lib.metrics.intervals import with_interval  # noqa: E402
from fetal_lib.models.segmentation_networks import NETWORKS  # noqa: E402
from fetal_lib.predict.segmenter import Segmenter, SegmenterSpec  # noqa: E402
from fetal_lib.training.reuse import FitOutcome  # noqa: E402

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "03_biometry_segmentation.py"
OVERLAP = ("test", "dice")


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    from fetal_phantoms.abdomen_set import write_biometry_set

    folder = write_biometry_set(tmp_path_factory.mktemp("set") / "phantoms", 3, seed=0)
    parameters = BiometrySegmentationParameters(data=str(folder), n_phantoms=8)
    table = cases.read_cases(parameters, [folder])
    return table, cases.load_cases(table, (64, 64))


def test_a_clinical_folder_becomes_one_table_with_both_structures(phantoms):
    table, arrays = phantoms
    assert table.groupby("structure").size().to_dict() == {"abdomen": 3, "head": 3}
    head = table[table["structure"] == "head"]
    assert (head["true_mm"] == head["hc_mm"]).all()
    assert arrays.images.shape == arrays.masks.shape == (6, 64, 64)


def test_reference_masks_have_the_table_s_circumference(phantoms):
    table, arrays = phantoms
    masks = cases.references(table, arrays)
    assert [m.shape for m in masks] == [tuple(s) for s in arrays.sizes_hw]
    gap = report.reference_circumference_gap(table, masks)
    assert (np.abs(gap) < 0.01 * table["true_mm"]).all()


def test_a_gallery_shows_each_structure_worst_first_and_says_what_was_not_found(phantoms):
    table, arrays = phantoms
    probs = arrays.masks / 255
    missed = int(np.flatnonzero(table["structure"] == "abdomen")[-1])
    probs[missed] = 0
    scores = score.score_structures(table, cases.references(table, arrays), probs)
    tiles = case_tiles(scores, table, arrays, probs)
    assert sorted(tile.name for tile in tiles) == sorted(table["image"])
    (lost,) = (tile for tile in tiles if tile.kind == "abdomen, not measured")
    assert lost.name == table["image"][missed] and set(lost.values) == {"Dice", "size (mm)"}
    assert {tile.kind for tile in tiles} - {lost.kind} == {
        "head, within 5 %",
        "abdomen, within 5 %",
    }
    assert all(tile.picture[8:12] == b"WEBP" for tile in tiles)


def test_two_sources_are_joined_and_their_subjects_kept_apart(phantoms, tmp_path):
    from fetal_phantoms.head import write_head_set

    write_head_set(tmp_path / "heads", n_examinations=2, seed=1)
    folder = Path(phantoms[0]["image_path"].iloc[0]).parents[1]
    parameters = BiometrySegmentationParameters(data=str(folder), also=str(tmp_path / "heads"))
    table = cases.read_cases(parameters, [folder, tmp_path / "heads"])
    assert table["source"].nunique() == 2
    assert (table.groupby("subject")["source"].nunique() == 1).all()
    assert len(cases.load_cases(table, (32, 32)).images) == len(table)


def sizes_of(subject, structure, off=0.0, **sizes):
    known = {f"{name}_mm_true": mm for name, mm in sizes.items()}
    found = {f"{name}_mm_pred": mm + off for name, mm in sizes.items()}
    return {"image": subject, "subject": subject, "structure": structure} | known | found


SIZED = pd.DataFrame(
    [
        sizes_of("s1", "head", hc=330.0, bpd=90.0, ofd=115.0),
        sizes_of("s1", "abdomen", off=10.0, ac=340.0),
        sizes_of("s1", "femur", fl=70.0),
        sizes_of("lone", "head", hc=300.0, bpd=80.0, ofd=100.0),
        sizes_of("aged", "head", hc=280.0, bpd=76.0, ofd=98.0),
        sizes_of("aged", "abdomen", ac=210.0),
    ]
)


def test_age_weight_and_ratios_of_a_subject_are_those_of_the_formulas_on_either_side():
    ages = pd.DataFrame({"ga_days": [259.0] * 3 + [np.nan] * 3})
    subjects, lines = growth.examinations(SIZED, ages)
    subjects = subjects.set_index("subject")
    first = subjects.loc["s1"]
    assert first["efw_true_g"] == pytest.approx(intergrowth_weight.efw_g(ac_mm=340, hc_mm=330))
    assert first["efw_measured_g"] == pytest.approx(intergrowth_weight.efw_g(ac_mm=350, hc_mm=330))
    assert first["centile_true"] == pytest.approx(
        intergrowth_weight.efw_centile(first["efw_true_g"], 37)
    )
    assert np.isnan(subjects.loc["lone", "efw_true_g"])  # a lone head has an age and no weight
    found = lines[lines["subject"] == "s1"].set_index(["quantity", "formula"])
    by_hadlock = found.loc[("AC, FL, HC", "Hadlock 1985")]
    assert by_hadlock["by annotation"] == pytest.approx(hadlock.efw_g(340, 70, hc_mm=330))
    assert by_hadlock["by measurement"] == pytest.approx(hadlock.efw_g(350, 70, hc_mm=330))
    assert found.loc[("FL/AC", ""), "by measurement"] == pytest.approx(70 / 350)
    agreed = growth.agreement_table(lines).set_index(["quantity", "formula"])
    assert (agreed.loc[("HC", "Hadlock 1984"), ["n", "MAE"]] == [3, 0]).all()
    assert agreed.loc[("HC/AC", ""), "bias"] < 0 < agreed.loc[("AC", "Hadlock 1984"), "bias"]


def test_without_a_known_age_the_annotated_head_gives_it_and_no_head_is_judged_by_itself():
    subjects, lines = growth.examinations(SIZED, pd.DataFrame({"ga_days": [np.nan] * 6}))
    row = subjects.set_index("subject").loc["aged"]
    assert row["age_from"] == growth.FROM_HEAD
    assert row["ga_days"] == pytest.approx(intergrowth_age.ga_days_from_hc(280.0))
    centiles = lines[(lines["group"] == "centile") & (lines["subject"] == "aged")]
    assert set(centiles["quantity"]) == {"AC", "EFW"}
    flags = growth.flag_agreement(subjects).set_index("flag")
    assert flags.loc["AC < 3rd centile", "by both"] == 1 and (flags["n"] == 2).all()
    assert growth.flag_agreement(subjects[subjects["subject"] == "lone"]).empty


def test_the_convention_reaches_the_formulas_and_not_the_sizes():
    ages = pd.DataFrame({"ga_days": [259.0] * 6})
    both = [growth.examinations(SIZED, ages, one) for one in ("outer-outer", "outer-inner")]
    assert both[0][0]["bpd_true_mm"].equals(both[1][0]["bpd_true_mm"])
    by_bpd = [lines[lines["quantity"] == "BPD"].set_index("group") for _, lines in both]
    outer, inner = (one.loc["age", "by annotation"].iloc[0] for one in by_bpd)
    assert outer < inner  # a BPD to the inner edge is that of a larger, older head


def test_phantoms_on_several_dates_are_measured_and_a_slow_one_gains_less(monkeypatch):
    monkeypatch.setattr(velocity, "WEEKS", (26, 30, 34))

    class Bright:
        spec = SegmenterSpec("unext_s", 0.5, 64)

        def probs(self, images):
            return np.zeros(images.shape)

    dates = velocity.several_dates(Bright(), 0, n_fetuses=2)
    assert len(dates) == 6 and dates["measured_mm"].isna().all()
    found = velocity.velocities(dates.assign(measured_mm=dates["true_mm"] + 2), 4)
    assert (found["measured"] - found["true"]).abs().max() < 1e-9  # a bias grows nothing
    steady, slow = (found[found["course"] == c] for c in (velocity.STEADY, velocity.SLOWING))
    assert (steady["true"] / steady["expected"]).between(0.8, 1.2).all()
    assert (slow["true"] < 0.9 * slow["expected"]).all()


def test_flags_say_size_and_the_text_what_growth_restriction_takes():
    assert size_flags(2000, 5) == "SGA (< 10th centile)"
    assert size_flags(4200, 95) == "LGA (> 90th centile); EFW > 4000 g"
    assert size_flags(3000, 50) == size_flags(3000, float("nan")) == ""
    text = NOTEBOOK.read_text()
    assert "itself growth restriction" in text and "by the Delphi" in text and "IUGR" not in text


@pytest.mark.parametrize("name", NETWORKS)
def test_grad_cam_is_defined_for_every_network(name):
    torch.manual_seed(0)
    spec = SegmenterSpec(name, min(NETWORKS[name].narrow, 0.125), 64, "mask", 2, 2)
    segmenter = Segmenter(spec.build(), spec)
    with torch.no_grad():
        for parameter in segmenter.network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    shapes = []
    layer = segmenter.network.get_submodule(NETWORKS[name].explained)
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
def test_changes_keep_type_and_size_and_grow_with_their_level(phantoms, name):
    image, mask = phantoms[1].images[0], phantoms[1].masks[0]
    change, levels = CHANGES[name]
    apart = []
    for level in levels:
        changed, moved = change(image, mask, np.random.default_rng(0), level)
        assert changed.dtype == moved.dtype == np.uint8
        assert changed.shape == moved.shape == image.shape
        apart.append(np.abs(changed.astype(int) - image).mean())
        assert (moved != mask).any() == (name.startswith(("rotat", "size")) and apart[-1] > 0)
    still = int(np.argmin(apart))
    assert apart[still] == 0 and apart.count(0) == 1  # one level leaves the image as it is
    assert apart[still:] == sorted(apart[still:])
    assert apart[: still + 1] == sorted(apart[: still + 1], reverse=True)


class Kept:
    """Takes result rows as a run does."""

    data_name = "two"
    parameters = BiometrySegmentationParameters()

    def __init__(self):
        self.rows = []

    def add_result(self, **row):
        self.rows.append({"n": None, "ci95": None, **row})

    def add_difference(self, flawed, honest, metric, value, ci95, subjects, **_):
        self.differences = getattr(self, "differences", {}) | {(flawed, honest): (value, subjects)}


def made_up_scores(n=12, worse=0.0):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "image": [f"{k}.png" for k in range(n)],
            "subject": [f"s{k // 2}" for k in range(n)],
            "structure": ["head", "abdomen"] * (n // 2),
            "source": ["a"] * (n // 2) + ["b"] * (n // 2),
            "true_mm": 300.0,
        }
    )
    for metric in ("dice", "iou", "recall", "precision", "map"):
        frame[metric] = rng.uniform(0.8, 0.9, n) - worse
    frame["df_mm"] = np.linspace(-6, 6, n)
    frame["pred_mm"] = frame["true_mm"] + frame["df_mm"]
    return frame.assign(adf_mm=frame["df_mm"].abs(), hd95_mm=2.0, assd_mm=1.0)


@pytest.mark.slow
def test_the_source_s_protocol_is_scored_three_ways_on_two_splits(phantoms, tmp_path):
    """Six images are too few to learn from; what is told apart and counted is tested here."""
    table, arrays = phantoms
    run = Kept()
    run.parameters = BiometrySegmentationParameters(
        networks="unet", source_epochs=1, batch_size=2, image_size=64, test_fraction=0.34
    )
    run.progress = lambda *event, **fields: None

    def fit_or_reuse(model, how, code, fit):
        folder = tmp_path / f"{how['split']} {how['seed']}".replace(" ", "_")
        fit(folder)
        return FitOutcome(folder, "key", "fitted", 1.0)

    run.fit_or_reuse = fit_or_reuse
    part = np.repeat(["train", "val", "test"], 2)
    subjects = table["subject"].to_numpy()
    order = np.argsort(subjects, kind="stable")
    chosen = CaseArrays(arrays.images[order], arrays.masks[order], arrays.sizes_hw[order])
    run.parameters = run.parameters.model_copy(update={"source_trainings": 2})
    found = source.reenact_source(run, table.iloc[order].reset_index(drop=True), chosen, part)
    assert found["images of known subjects"].iloc[0] == "0%"
    rows = [r for r in run.rows if r["split"] == "protocol"]
    dices = {r["model"]: r["value"] for r in rows}
    for (flawed, honest), (value, subjects) in run.differences.items():
        assert value == pytest.approx(dices[flawed] - dices[honest]) and subjects >= 1
    assert len(run.differences) == 3 and len(list(tmp_path.iterdir())) == 4  # two splits, two seeds
    assert len(rows) == 6 and all(0 <= r["value"] <= 1 and r["n"] == 2 for r in rows)
    for row, (_, line) in zip(rows[::3], found.iterrows(), strict=True):
        assert (row["ci95"] is None) == (line["subjects"] == 1)  # one subject has no interval
        assert line["Dice per image"] == with_interval(row["value"], row["ci95"])


def test_several_sources_are_scored_pooled_and_each_alone():
    run, scores = Kept(), made_up_scores()
    report.add_scores(run, {"unet": scores})
    dices = {r["data"]: r["value"] for r in run.rows if r["metric"] == "dice"}
    assert dices["a+b"] == pytest.approx(scores["dice"].mean())
    for name in ("a", "b"):
        assert dices[name] == pytest.approx(scores.loc[scores["source"] == name, "dice"].mean())
    head = scores.loc[scores["structure"] == "head", "dice"].mean()
    assert dices["a+b, head"] == pytest.approx(head) and "a+b, abdomen" in dices
    table = report.results_table(run.rows, metrics=("dice", "adf_mm"))
    assert list(table.columns) == ["model", "data", "n", "Dice", "ADF (mm)"]
    assert list(table["data"])[0] == "a+b" and list(table["n"])[0] == "12"
    pooled = network_cost.dice_intervals(run.rows, ["unet"])
    assert pooled["dice"].tolist() == [pytest.approx(dices["a+b"])]


def test_the_best_is_chosen_by_validation_and_before_the_test_part_is_seen():
    assert report.choose_best({"a": made_up_scores(worse=0.1), "b": made_up_scores()}) == "b"
    code = NOTEBOOK.read_text()
    chosen = code.index("best = report.choose_best(scores_val)")
    assert code.count("best = ") == 1 and chosen < code.index("arrays.select(test)")


def test_the_prediction_interval_s_coverage_is_that_of_the_test_part():
    val, test = made_up_scores(40), made_up_scores(12)
    run = Kept()
    text = report.interval_text(run, "unet", val, test)
    (row,) = run.rows
    assert row["metric"] == "coverage" and row["n"] == 12 and f"{row['value']:.0%}" in text
    exact = test.assign(pred_mm=test["true_mm"])
    text = report.interval_text(run, "unet", val, exact)
    assert "**100%** lie inside; of 6 test subjects, 100% have all" in text
    few = report.interval_text(Kept(), "unet", made_up_scores(4), test)
    assert "infinite" in few  # two subjects cannot promise 90 %
    half = exact.assign(pred_mm=exact["true_mm"].where(exact["structure"] == "head", 1000.0))
    text = report.interval_text(run, "unet", val, half)
    assert "**50%** lie inside; of 6 test subjects, 0% have all" in text
    wild = test.assign(pred_mm=1000.0)
    report.interval_text(run, "unet", val, wild)
    assert run.rows[-1]["value"] == 0


def test_hidden_pixels_change_the_scalar_and_all_shown_ones_do_not():
    torch.manual_seed(0)
    spec = SegmenterSpec("unext_s", 0.5, 32)
    segmenter = Segmenter(spec.build(), spec)
    image = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    curves = cam_curves(segmenter, image, np.ones((32, 32), bool), image.astype(np.float32))
    ends = curves.groupby(["way", "order"])["change"].agg(["first", "last"])
    assert (ends.loc["deletion", "first"] == 0).all() and (ends.loc["deletion", "last"] > 0).all()
    assert (ends.loc["insertion", "last"] < 1e-6).all()
    means = explain.curve_means(curves).set_index("way")
    part = curves[(curves["way"] == "insertion") & (curves["order"] == "random")]
    assert means.loc["insertion", "mean, random order"] == pytest.approx(part["change"].mean())
    nothing = cam_curves(segmenter, image, np.zeros((32, 32), bool), image.astype(np.float32))
    assert nothing.empty and explain.curve_means(nothing).empty


@pytest.mark.slow
def test_the_ensemble_costs_a_hundredth_of_the_released_sampler():
    quick = BiometrySegmentationParameters()
    cost = released_cost_ratio(quick.sampling_steps, quick.members)
    assert cost.ratio == pytest.approx(cost.released_macs / cost.here_macs) and cost.ratio >= 100
    assert cost.released_macs / 5000 == pytest.approx(260.5e9, rel=0.005)  # of one step, 256 px


def test_images_dealt_out_singly_part_their_subjects():
    parts = image_level_parts(200, {"test": 0.2, "val": 0.1}, seed=0)
    counts = dict(zip(*np.unique(parts.astype(str), return_counts=True), strict=True))
    assert counts == {"test": 40, "train": 140, "val": 20}
    subjects = np.repeat(np.arange(100), 2)
    known = np.isin(subjects[parts == "test"], subjects[parts == "train"])
    assert known.mean() > 0.5


def test_every_network_of_the_table_says_its_counts():
    table = network_cost.network_table(["unext", "med_seg_diff"], "narrow", 96)
    assert table["published"].tolist() == [1_471_921, "not released"]
    assert table["counted at that setting"].iloc[0] == 1_471_921


def test_unknown_networks_are_refused_by_name():
    with pytest.raises(ValueError, match="name='vnet'"):
        fit.chosen_networks(BiometrySegmentationParameters(networks="unet, vnet"))


def test_cases_are_chosen_together():
    arrays = CaseArrays(np.zeros((3, 4, 4)), np.ones((3, 4, 4)), np.array([[1, 2]] * 3))
    assert len(arrays.select(np.array([True, False, True])).sizes_hw) == 2


@pytest.mark.slow
def test_the_wiring_ends_in_results_tables_figures_and_a_model(tmp_path):
    _, out = run_smoke("03", tmp_path)
    rows = rows_of(out)
    test = {(r["model"], r["metric"]): r for r in rows if r["split"] == "test"}
    names = BiometrySegmentationParameters().networks.split(",")
    counts = {test[name, "dice"]["n"] for name in [*names, "ellipse_fit"]}
    assert len(counts) == 1  # all models see the same test images
    val = {(r["model"], r["metric"]) for r in rows if r["split"] == "val"}
    assert {(name, "dice") for name in names} <= val
    samplers = {m for m, metric in test if metric == "dice" and m.startswith("med_seg_diff, ")}
    assert {"med_seg_diff, DDIM 3 x 1", "med_seg_diff, ancestral 10 x 1"} <= samplers
    protocol = [r for r in rows if r["split"] == "protocol"]
    assert len(protocol) == 6
    assert all(r["ci95"][0] <= r["value"] <= r["ci95"][1] for r in protocol)
    shown = pd.read_csv(out / "tables" / "dice_box.csv", dtype={"subject": str})
    scored = {(r["model"], r["data"]): r for r in rows if (r["split"], r["metric"]) == OVERLAP}
    for (name, structure), dices in shown.groupby(["model", "structure"])["dice"]:
        row = scored[name, f"phantom, {structure}"]  # which is the mean of the plot's dots
        assert dices.mean() == pytest.approx(row["value"], abs=1e-4) and len(dices) == row["n"]
    assert set(shown["model"]) == {*names, "ellipse_fit"}
    split = pd.read_csv(out / "tables" / "split.csv", dtype=str)
    assert split.groupby("subject")["part"].nunique().max() == 1
    assert figures_without_words(out) == []
    assert (out / "galleries" / "cases.html").is_file()
    assert {p.name for p in (out / "model").iterdir()} == {"card.md", "model.json", "weights.npz"}
