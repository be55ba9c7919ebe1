"""The models that the page can use: which comes first, which are refused."""

import json
import threading

import pytest

from fetal_book.app import shelf
from fetal_book.app.shelf import TASKS, AppError, Loaded, Shelf, choices
from fetal_book.runs.find_runs import ModelError
from fetal_lib.predict.self_test import SelfTestError, read_sample


def write_run(root, chapter, name, started, profile="quick", data="phantom", status="ok"):
    folder = root / chapter / name
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.json").write_text('{"trained_on": "x"}')
    record = {"chapter": chapter, "status": status, "profile": profile, "data": data}
    (folder / "record.json").write_text(json.dumps(record | {"started": started}))
    return folder


def test_the_newest_run_is_first_real_data_before_phantoms_and_smoke_last(tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_RUNS", str(tmp_path))
    hc = "04_head_circumference"
    write_run(tmp_path, hc, "old", "2026-01-01T00:00", data="hc18")
    write_run(tmp_path, hc, "new", "2026-02-01T00:00", data="hc18")
    write_run(tmp_path, hc, "made-up", "2026-03-01T00:00")
    write_run(tmp_path, hc, "smoke", "2026-04-01T00:00", profile="smoke", data="hc18")
    write_run(tmp_path, hc, "died", "2026-05-01T00:00", status="failed")
    found = choices(TASKS["hc"])
    names = [one.run.split("/")[-1] for one in found]
    assert names == ["new", "old", "shipped with fetal-lib", "made-up", "smoke"]
    assert [one.kind for one in found] == ["real data"] * 3 + ["phantoms", "real data"]
    first, *_ = choices(TASKS["hc"], tmp_path / hc / "old")
    assert first.run.endswith("/old")
    assert choices(TASKS["hc"], "04")[0] == found[0]


def test_a_folder_without_a_model_is_refused_with_the_command_that_makes_one(tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_RUNS", str(tmp_path))  # whatever runs the project has
    with pytest.raises(ModelError, match=r"no model.json in(?s:.*)`fetal-lib run 02` makes one"):
        choices(TASKS["anomaly"], tmp_path)


def test_without_any_run_the_command_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_RUNS", str(tmp_path))
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path)
    with pytest.raises(AppError, match="make one with `fetal-lib run 05`"):
        Shelf().get("brain-age")
    with pytest.raises(AppError, match="make one with `fetal-lib run 01`"):
        Shelf().get("ga")


def test_a_model_is_loaded_once_for_all_users(tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_RUNS", str(tmp_path))
    loads = []
    monkeypatch.setattr(
        Shelf, "_load", staticmethod(lambda task, choice: loads.append(1) or Loaded(0, choice))
    )
    models = Shelf()
    threads = [threading.Thread(target=models.get, args=("hc",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == [1]
    with pytest.raises(AppError, match="no such model"):
        models.get("hc", "../../etc")


@pytest.mark.parametrize("task", ["ga", "brain-age"])
def test_a_shipped_age_model_must_tell_the_age_of_its_sample_at_the_first_use(
    task, tmp_path, monkeypatch
):
    monkeypatch.setenv("FETAL_RUNS", str(tmp_path))
    monkeypatch.setenv("FETAL_CACHE", str(tmp_path / "cache"))
    asked = []
    real = shelf.named
    answers = iter([0.0])

    def named(place):
        return real(place) if "load_" in place else lambda path, model: asked.append(path) or told()

    def told():
        return next(answers, read_sample(Shelf().choices[task][0].folder)[1].expected)

    monkeypatch.setattr(shelf, "named", named)
    with pytest.raises(SelfTestError, match="Do not use its numbers"):
        Shelf().get(task)  # a model that tells 0 of its sample is not handed out
    for _ in range(2):
        Shelf().get(task)
    assert len(asked) == 2  # it failed, it passed, and what passed is remembered
