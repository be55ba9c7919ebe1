"""Comparisons of chapter 01: on the same fetuses, with intervals, and only of what can be had."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fetal_book.chapters.gestational_age import external, report
from fetal_book.chapters.gestational_age.data import PlaneSet, network_name
from fetal_book.chapters.gestational_age.leak import Leak, leak_rows, leak_table
from fetal_book.chapters.gestational_age.scores import by_trimester
from fetal_book.parameters.gestational_age import GestationalAgeParameters
from fetal_book.runs.published import PublishedRun, published_runs

SUBJECT = np.repeat([f"f{k:02d}" for k in range(12)], 2)
DAYS = np.repeat(np.linspace(140, 270, 12), 2)


def planes():
    table = pd.DataFrame({"subject": SUBJECT, "group": SUBJECT, "ga_days": DAYS, "brain_ml": 200.0})
    return PlaneSet(table, np.zeros((24, 32, 32, 3), np.uint8), np.ones((24, 3)))


def answer(error):
    settings = SimpleNamespace(centre=0.0, scale=1.0)
    return SimpleNamespace(test=np.arange(24), pred_days=DAYS + error, settings=settings, network=0)


def ablated(monkeypatch, **changed):
    """Return the table where every other choice errs by one day more than the run's three."""
    tried = []

    def fit_fold(run, planes, fold, choice, parameters):
        q = parameters
        tried.append((q.backbone, q.batch_norm, q.fine_tune_last))
        return answer(own + np.sign(own))

    own = np.repeat(np.random.default_rng(0).normal(0, 8, 12), 2)
    monkeypatch.setattr(report, "fit_fold", fit_fold)
    run = SimpleNamespace(parameters=GestationalAgeParameters(**changed))
    fold = SimpleNamespace(test=np.arange(24), number=0)
    return report.ablation(run, planes(), fold, answer(own)), tried


def test_fewer_planes_are_compared_on_the_same_fetuses(monkeypatch):
    table, tried = ablated(monkeypatch)
    assert table["planes"].tolist() == ["all", "axial", "coronal", "sagittal", "two"]
    assert (table["fetuses"] == 12).all() and set(tried) == {("vgg16", True, 100)}
    assert (table["from"] < table["MAE (d)"]).all() and (table["MAE (d)"] < table["to"]).all()
    assert table["worse (d)"].tolist() == pytest.approx([0, 1, 1, 1, 1])
    assert table["worse from"].tolist() == pytest.approx([0, 1, 1, 1, 1])
    assert (table["to"] - table["from"] > 2).all()


def test_other_backbones_are_trained_at_full_width_with_their_own_arguments(monkeypatch):
    wide = {"width": 1.0, "batch_norm": True, "image_size": 71}
    table, tried = ablated(monkeypatch, **wide)
    assert table["backbone"].tolist()[-2:] == ["xception", "resnet50"]
    assert tried[-2:] == [("xception", False, 1000), ("resnet50", False, 1000)]
    _, tried = ablated(monkeypatch, **wide | {"weights": "imagenet", "batch_norm": False})
    assert tried[-1] == ("resnet50", False, 100)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"width": 1.0, "image_size": 71}, ["xception", "resnet50"]),
        ({"width": 1.0, "image_size": 48}, ["resnet50"]),
        ({"width": 1.0, "image_size": 224, "backbone": "resnet50"}, ["vgg16", "xception"]),
        ({"width": 1.0, "image_size": 224, "weights": "vgg16_notop.h5"}, []),
        ({"image_size": 224}, []),
    ],
)
def test_backbones_need_full_width_large_pictures_and_no_weights_of_another(changed, names):
    assert report.other_backbones(GestationalAgeParameters(**changed)) == names


def test_another_set_is_scored_beside_the_mean_of_the_run(monkeypatch):
    rows = []
    p = GestationalAgeParameters(external_data="elsewhere", backbone="resnet50")
    run = SimpleNamespace(parameters=p, add_result=lambda **row: rows.append(row))
    monkeypatch.setattr(external, "read_cases", lambda folder: folder)
    monkeypatch.setattr(external, "cut_planes", lambda cases, p: planes())
    monkeypatch.setattr(external, "predict_values", lambda network, *more: DAYS + network)
    fits = [SimpleNamespace(network=k, settings=answer(0).settings) for k in (2, 6)]
    table = external.score_external(run, planes(), fits)
    assert table["pred_days"].to_numpy() == pytest.approx(table["ga_days"].to_numpy() + 4)
    found = {r["model"]: r["value"] for r in rows if r["metric"] == "mae_days"}
    assert found["resnet50_attention"] == pytest.approx(4)
    assert found["mean"] == pytest.approx(np.abs(DAYS - DAYS.mean()).mean())
    assert all(r["split"] == "external" and r["n"] == 12 for r in rows)


def test_what_predict_declines_is_left_out_of_its_error():
    rows = [
        {"ga_days": 200.0, "pred_days": 210.0, "low_days": 205.0, "high_days": 215.0, "reason": ""},
        {"ga_days": 210.0, "pred_days": 214.0, "low_days": 204.0, "high_days": 224.0, "reason": ""},
        {"ga_days": 150.0, "reason": "no brain"},
    ]
    text = external.predicted_text(pd.DataFrame(rows))
    assert "declines **1 of 3**" in text and "errs by 7.0 days (95 % interval 4.0 to 10.0)" in text
    assert text.endswith("other 2, of whose intervals 1 hold the age.")


def test_results_name_the_backbone_that_was_trained():
    assert network_name(GestationalAgeParameters()) == "vgg16_attention"
    leak = Leak([], SUBJECT, DAYS, DAYS + 1, DAYS + 3, 0.9, "resnet50")
    rows = leak_rows(leak)
    assert {r["model"] for r in rows} == {"resnet50_source_protocol", "resnet50_same_samples"}
    assert leak_table(rows)["MAE (d)"].tolist() == pytest.approx([1, 3])


def reference(network, mean):
    """Return a reference run whose errors on another set are (value, low, high)."""
    row = {"metric": "mae_days", "split": "external", "data": "atlas", "n": 15}
    rows = [
        row | {"model": model, "value": value, "ci95": [low, high]}
        for model, (value, low, high) in (("mean", mean), ("vgg16_attention", network))
    ]
    own = {"model": "vgg16_attention", "value": 9.7, "ci95": [8.4, 11.0], "n": 120}
    rows.append(row | own | {"split": "test", "data": "phantom"})
    return PublishedRun("there", rows, {"data": "phantom"}, "quick", "a processor")


@pytest.mark.parametrize(
    ("network", "verdict"),
    [
        (
            (40, 35, 50),
            "**the network fails there**: an answer that looks at no picture is nearer.",
        ),
        ((26, 20, 32), "is nearer, though the intervals overlap."),
        ((20, 14, 26), "the intervals do not tell the network from an answer that looks at no "),
        ((9, 7, 12), "the network reads the age off the pictures there, too."),
    ],
)
def test_words_on_another_set_follow_from_the_numbers(network, verdict):
    text = report.outside_text([reference(network, (24, 17, 31))])
    assert verdict in text and ("fails" in text) == (network[0] > 24)
    value, low, high = network
    errs = f"`vgg16_attention` errs by **{value:.2f} ({low:.2f} to {high:.2f}) days**"
    assert f"On the 15 cases of `atlas`, {errs}" in text
    assert text.endswith("On held-out phantoms, it errs by 9.70 (8.40 to 11.00).")


def test_the_run_that_is_kept_is_told_of_with_its_own_numbers():
    text = report.outside_text(published_runs("01_gestational_age"))
    assert text.startswith("- Run `phantom-to-spina-bifida` learnt from phantoms. On the 15 cases")
    assert "`vgg16_attention` errs by **" in text and "`mean`" not in text


def test_data_sets_say_that_individuals_are_blends_of_templates(tmp_path):
    for folder, file in (("own", "STA31.nii.gz"), ("other", "STA25.nii.gz")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).touch()
    paths = {"data": str(tmp_path / "own"), "external_data": str(tmp_path / "other")}
    table = report.data_sets(GestationalAgeParameters(**paths))
    assert table.to_numpy().tolist() == [
        ["own", "own", "blend"],
        ["other", "external", "template"],
    ]
    made_up = report.data_sets(GestationalAgeParameters())
    assert made_up.to_numpy().tolist() == [["phantom", "own", "phantom"]]


def test_data_sets_know_pictures_and_scans(monkeypatch, tmp_path):
    kinds = pd.DataFrame({"kind": ["volume", "slices", "volume"]})
    monkeypatch.setattr(report, "read_cases", lambda folder: kinds)
    table = report.data_sets(GestationalAgeParameters(data=str(tmp_path)))
    assert table["kind"].tolist() == ["picture and scan"]


def one_each(error, groups=None):
    days = np.linspace(140.0, 270.0, 40)
    names = np.array([f"f{k:02d}" for k in range(40)]) if groups is None else groups
    return pd.DataFrame({"group": names, "ga_days": days, "pred_days": days + error})


def test_errors_by_trimester_come_with_intervals_over_fetuses():
    error = np.random.default_rng(0).normal(3, 5, 40)
    table = by_trimester(one_each(error))
    assert table["trimester"].tolist() == [2, 3] and table["n"].sum() == 40
    for name in ("mean error", "MAE"):
        inside = (table[f"{name} from"] < table[f"{name} (d)"]) & (
            table[f"{name} (d)"] < table[f"{name} to"]
        )
        assert inside.all()
    twins = np.repeat([f"f{k:02d}" for k in range(20)], 2)
    doubled = by_trimester(one_each(np.repeat(error[:20], 2), twins))
    alone = by_trimester(one_each(np.repeat(error[:20], 2)))
    wide, narrow = (t["MAE to"] - t["MAE from"] for t in (doubled, alone))
    assert (wide > narrow).all(), "scans of one fetus are drawn together"


def test_calibration_is_told_with_intervals():
    days = np.linspace(140.0, 270.0, 40)
    text = report.calibration_text(one_each((205 - days) / 2))
    assert "slope **2.000 (no spread)**" in text and "+0.00 days" in text
