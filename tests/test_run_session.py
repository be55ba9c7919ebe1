"""The notebook's side of a run: parameters, results, tables, figures, record."""

import json
import re

import pytest
from made_up_project import CHAPTER, attempt, content, parameters_source, run_folder

from fetal_book.parameters.base import ParameterError
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.runs.attempt import attempt_folder, previous_folder
from fetal_book.runs.banner import data_note
from fetal_book.runs.folder import RunFolderError
from fetal_book.runs.record import RunRecord, read_record
from fetal_book.runs.results import METRICS, ResultError, read_results, result_row, results_table
from fetal_book.runs.session import open_run
from fetal_book.runs.stale import changed_parameters

INJECTED = "# Parameters\n"


def notebook(injected="", **values):
    """Return the variables of a notebook whose parameters cell and injected cell were run."""
    cells = ["", parameters_source(), *([INJECTED + injected] if injected else [])]
    namespace = {"In": cells}
    for cell in cells:
        exec(cell, namespace)
    return namespace | values


def test_a_run_of_an_unchanged_notebook_has_the_defaults(project):
    run = open_run(CHAPTER, notebook())
    assert run.folder == attempt(project, "quick-phantom")
    assert run.parameters == type(run.parameters)()
    assert read_record(run.folder).status == "running"
    run.finish()
    assert run.folder == run_folder(project, "quick-phantom")
    assert read_record(run.folder).status == "ok"
    assert [path.name for path in run.folder.parent.iterdir()] == ["quick-phantom"]


def test_edited_and_injected_values_are_told_apart(project):
    namespace = notebook("epochs = 3\nmarks = 'false'\n", seed=5)
    run = open_run(CHAPTER, namespace)
    entries = read_record(run.folder).parameters
    assert entries["seed"] == {"value": 5, "origin": "notebook"}
    assert entries["epochs"] == {"value": 3, "origin": "papermill"}
    assert entries["marks"] == {"value": False, "origin": "papermill"}
    assert namespace["marks"] is False
    run.finish()


def test_a_profile_chosen_in_the_notebook_sets_its_values(project):
    namespace = notebook("profile = 'smoke'\n", seed=5)
    run = open_run(CHAPTER, namespace)
    assert run.parameters.profile == "smoke" and run.parameters.seed == 5
    record = read_record(run.folder)
    taken = [n for n, e in record.parameters.items() if e["origin"] == "profile smoke"]
    assert taken and all(namespace[name] == record.parameters[name]["value"] for name in taken)
    run.finish()


def test_an_unknown_name_is_refused_wherever_it_stands(project):
    with pytest.raises(ParameterError, match="sead: no such parameter; did you mean 'seed'"):
        open_run(CHAPTER, notebook("sead = 3\n"))
    edited = notebook()
    edited["In"][1] += "\nepoch = 3"
    with pytest.raises(ParameterError, match="did you mean 'epochs'"):
        open_run(CHAPTER, edited)
    assert not (project / "runs").exists()


def test_text_typed_into_the_cell_is_no_number(project):
    with pytest.raises(ParameterError, match="write the number without quotes"):
        open_run(CHAPTER, notebook(epochs="7"))


def test_a_later_variable_of_the_notebook_is_no_parameter(project):
    namespace = notebook(n=5)
    namespace["In"].append("n = 5")
    open_run(CHAPTER, namespace).finish()


def test_running_all_cells_again_in_the_same_kernel_starts_anew(project):
    first = open_run(CHAPTER, notebook())
    first.add_result(model="mean", split="test", metric="dice", value=0.5)
    first.finish()
    second = open_run(CHAPTER, notebook())
    assert not (second.folder / "results.json").exists()
    third = open_run(CHAPTER, notebook())  # the second one was never finished
    assert read_record(third.folder).previous[0]["status"] == "killed"
    assert read_record(third.folder).previous[1]["status"] == "ok"
    third.finish()
    assert json.loads((third.folder / "results.json").read_text())["rows"] == []


def test_folders_of_the_same_name_have_runs_of_their_own(project, tmp_path_factory):
    folders, places = [], []
    for word in ("heads", "heads", "phantom"):
        data = tmp_path_factory.mktemp("data") / word
        data.mkdir()
        for _ in range(2):  # the second run is that of the same folder again
            run = open_run(CHAPTER, notebook(data=str(data)))
            run.finish()
            folders.append(run.folder.name)
        places.append(str(data))
    assert folders[::2] == folders[1::2]
    assert folders[0] == "quick-heads" and re.fullmatch("quick-heads-[0-9a-f]{6}", folders[2])
    assert re.fullmatch("quick-phantom-[0-9a-f]{6}", folders[4])  # that name is the phantoms'
    record = read_record(run_folder(project, folders[0]))
    orders = [resolve_parameters(get_chapter("04"), None, {"data": place}) for place in places]
    changes = [changed_parameters(record, order) for order in orders]
    assert [bool(one) for one in changes] == [False, True, True]
    assert "data heads lies elsewhere" in changes[1][0]


def test_data_that_are_not_there_make_no_folder(project):
    with pytest.raises(ParameterError, match="data: received 'heads'; it is neither"):
        open_run(CHAPTER, notebook(data="heads"))
    assert not (project / "runs").exists()


@pytest.mark.parametrize("renamed_first", [False, True])
def test_a_run_that_was_killed_before_it_had_its_name_gets_it(project, renamed_first):
    folder = run_folder(project, "quick-phantom")
    for split in ("val", "test"):
        run = open_run(CHAPTER, notebook())
        run.add_result(model="mean", split=split, metric="dice", value=0.5)
        run.finish()
    whole = content(folder)
    folder.rename(attempt_folder(folder))  # what a kill before the last rename leaves
    if not renamed_first:
        previous_folder(folder).rename(folder)
    open_run(CHAPTER, notebook())
    assert content(folder) == whole


@pytest.mark.parametrize(
    ("out", "words"),
    [(".", "name one in it: "), ("a.previous", "belongs to another run; name another folder")],
)
def test_a_folder_that_a_run_cannot_replace_is_refused(project, monkeypatch, out, words):
    monkeypatch.chdir(project)
    with pytest.raises(RunFolderError, match=words):
        open_run(CHAPTER, notebook(out=out))
    assert not (project / "runs").exists()


def test_a_folder_with_other_files_is_refused_and_left_alone(project, tmp_path):
    mine = tmp_path / "mine"
    (mine / "figures").mkdir(parents=True)
    with pytest.raises(RunFolderError, match="holds figures and no record.json"):
        open_run(CHAPTER, notebook(out=str(mine)))
    assert (mine / "figures").is_dir() and len(list(mine.iterdir())) == 1


def test_a_run_killed_as_its_record_was_first_written_is_in_no_ones_way(project):
    folder = run_folder(project, "quick-phantom")
    attempt_folder(folder).mkdir(parents=True)
    (attempt_folder(folder) / ".record.json.a1b2.part").write_text('{"sta')
    open_run(CHAPTER, notebook()).finish()
    assert read_record(folder).status == "ok" and not list(folder.glob(".*.part"))


def test_results_are_sorted_rounded_and_the_same_each_time(project):
    texts = []
    for train_s in (1.0, 2.0):
        run = open_run(CHAPTER, notebook())
        for model in ("unet", "mean")[:: 1 if train_s == 1 else -1]:
            run.add_result(
                model=model, split="test", metric="adf_mm", value=10 / 3, n=4, ci95=(1 / 3, 9)
            )
        run.add_result(model="unet", split="train", metric="train_s", value=train_s)
        run.finish()
        content = json.loads((run.folder / "results.json").read_text())
        assert content.pop("timings")[0]["value"] == train_s
        texts.append(json.dumps(content))
    assert texts[0] == texts[1]
    row = json.loads(texts[0])["rows"][0]
    assert row == {
        "model": "mean", "data": "phantom", "split": "test", "metric": "adf_mm",
        "value": 3.33333, "unit": "mm", "n": 4, "ci95": [0.333333, 9.0],
        "higher_is_better": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metric": "dise"}, "did you mean 'dice'"),
        ({"unit": "cm"}, "unit: received 'cm'; dice is in ''"),
        ({"split": "tset"}, "split: received 'tset'; it must be one of"),
        ({"value": float("nan")}, "value of unet dice: received nan; it must be finite"),
        ({"value": "good"}, "it must be a number"),
        ({"n": 2.5}, "n: received 2.5; it must be a count"),
        ({"ci95": (0.9, 0.1)}, "low must not be above high"),
        ({"ci95": (0.9,)}, "it must be (low, high)"),
        ({"model": ""}, "neither may be empty"),
    ],
)
def test_a_result_that_cannot_be_used_is_refused(change, words):
    row = {"model": "unet", "data": "phantom", "split": "test", "metric": "dice", "value": 0.9}
    with pytest.raises(ResultError) as caught:
        result_row(**{**row, **change})
    assert words in str(caught.value)


def test_the_metric_names_of_the_design_are_there():
    names = """dice iou recall precision map hd_mm hd95_mm assd_mm df_mm adf_mm mae_days mae_years
    rmse_days rmse_years r2 ccc coverage accuracy macro_f1 auc_macro auc_micro ece params train_s
    images_per_s"""
    assert set(names.split()) <= set(METRICS)


def test_results_of_runs_merge_into_one_table(project, tmp_path):
    folders = []
    for seed in (1, 2):
        run = open_run(CHAPTER, notebook(seed=seed, out=str(tmp_path / f"seed{seed}")))
        run.add_result(model="mean", split="test", metric="dice", value=0.1 * seed, ci95=(0, 1))
        run.finish()
        folders.append(run.folder)
    table = results_table(folders)
    assert list(table["run"]) == ["seed1", "seed2"] and list(table["value"]) == [0.1, 0.2]
    assert set(table["chapter"]) == {CHAPTER} and list(table["ci95_high"]) == [1, 1]
    with pytest.raises(ResultError, match="missing or not of schema"):
        read_results(tmp_path)


def test_tables_and_figures_repeat_to_the_byte_and_carry_their_texts(project):
    import matplotlib
    import pandas as pd

    matplotlib.use("Agg")
    from matplotlib import pyplot

    contents = []
    for _ in range(2):
        run = open_run(CHAPTER, notebook())
        run.save_table(pd.DataFrame({"mm": [1 / 3, 2.0]}), "heads", "Heads.")
        figure, axes = pyplot.subplots()
        axes.plot([0, 1], [1, 0])
        axes.set_title("Heads")
        run.save_figure(figure, "heads", "Heads.", "A falling line.")
        pyplot.close(figure)
        run.finish()
        files = ["tables/heads.csv", "figures/heads.svg", "figures/heads.png"]
        contents.append([(run.folder / name).read_bytes() for name in files])
    assert contents[0] == contents[1]
    assert contents[0][0] == b"mm\n0.333333\n2\n"
    index = json.loads((run.folder / "figures" / "index.json").read_text())
    assert index == {"heads": {"alt": "A falling line.", "caption": "Heads."}}
    with pytest.raises(ValueError, match="name: received 'My figure'"):
        run.save_figure(figure, "My figure", "Heads.", "A line.")
    with pytest.raises(ValueError, match="alt: received ' ' for heads"):
        run.save_figure(figure, "heads", "Heads.", " ")


def test_both_files_of_a_figure_are_laid_out_alike_and_the_figure_is_as_before(project):
    from matplotlib import image, pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(4, 2), layout="constrained")
    for ax, name in zip(axes, ("left", "right"), strict=True):
        ax.plot([0, 1], [0, 1])
        ax.set(xlabel=f"age of the {name} one (weeks)", title=name)
    figure.suptitle("A title above both")
    engine = figure.get_layout_engine()
    run = open_run(CHAPTER, notebook())
    run.save_figure(figure, "pair", "Pair.", "Two rising lines.")
    assert figure.get_layout_engine() is engine
    pyplot.close(figure)
    files = run.folder / "figures"
    width, height = re.search(
        r'viewBox="0 0 ([\d.]+) ([\d.]+)"', (files / "pair.svg").read_text()
    ).groups()
    pixels = image.imread(files / "pair.png")[..., :3]
    assert abs(pixels.shape[1] - float(width) / 72 * 150) < 2
    assert abs(pixels.shape[0] - float(height) / 72 * 150) < 2
    edge = [pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]]
    assert all((side == 1).all() for side in edge)  # nothing is cut off
    assert (pixels < 0.5).any()


def test_the_record_names_no_person_and_no_machine(
    project, tmp_path, tmp_path_factory, monkeypatch
):
    data = tmp_path / "home of somebody" / "heads"
    data.mkdir(parents=True)
    monkeypatch.setenv("USER", "somebody")
    run = open_run(CHAPTER, notebook(data=str(data.relative_to(tmp_path)), out=str(tmp_path / "o")))
    run.finish()
    text = (run.folder / "record.json").read_text()
    assert str(tmp_path) not in text
    elsewhere = tmp_path_factory.mktemp("somebody") / "heads"
    elsewhere.mkdir()
    outside = open_run(CHAPTER, notebook(data=str(elsewhere)))
    outside.finish()
    assert "somebody" not in (outside.folder / "record.json").read_text()
    assert outside.folder.name == "quick-heads" and outside.data_name == "heads"


def test_the_banner_says_made_up_or_real(project):
    (project / "hc18").mkdir()
    phantom = open_run(CHAPTER, notebook())
    assert "Made-up data" in phantom.banner()
    phantom.finish()
    real = open_run(CHAPTER, notebook(data="hc18"))
    assert "Made-up" not in real.banner() and "`hc18`" in real.banner()
    real.finish()


def test_the_banner_names_further_data_and_does_not_call_them_phantoms(project):
    (project / "hc18").mkdir()
    run = open_run(CHAPTER, notebook(external_data="hc18"))
    assert "phantom that this project draws itself, but for `hc18`." in run.banner()
    assert "The numbers of phantoms show" in run.banner()
    run.finish()
    real = run.parameters.model_copy(update={"data": "hc18", "external_data": "phantom"})
    text = data_note(real)
    assert "**Data: `hc18`, and phantoms.**" in text and "not from phantoms" not in text


def test_what_flaws_do_is_kept_in_one_table_and_the_same_pair_again_replaces_it(project):
    run = open_run(CHAPTER, notebook())
    run.add_difference("old", "unet", "adf_mm", -9.0, (-9.5, -8.5), 7)
    run.add_difference("pooled", "unet", "dice", 0.03, (0.01, 0.05), 8)
    facts = {"trainings": 5, "epochs": 6, "exposed": 0.75}
    run.add_difference("old", "unet", "adf_mm", -2.0, (-3.0, -1.0), 9, **facts)
    lines = (run.folder / "tables" / "flaws.csv").read_text("utf-8").splitlines()
    assert lines[0] == "flawed,honest,metric,difference,low,high,subjects,trainings,epochs,exposed"
    numbers = [line.split(",") for line in lines[1:]]
    assert [row[:3] for row in numbers] == [["old", "unet", "adf_mm"], ["pooled", "unet", "dice"]]
    assert [float(value) for value in numbers[0][3:]] == [-2.0, -3.0, -1.0, 9, 5, 6, 0.75]
    assert numbers[1][-3:] == ["1", "", ""]
    assert "flaws" in json.loads((run.folder / "tables" / "index.json").read_text("utf-8"))
    run.finish()


def test_a_fit_needs_a_data_fingerprint_and_is_noted(project):
    run = open_run(CHAPTER, notebook())
    order = ({"name": "unet"}, {"epochs": 1}, ["fetal_lib.models.unet"])
    with pytest.raises(RuntimeError, match="data_fingerprint: not set"):
        run.fit_or_reuse(*order, lambda folder: None)
    run.data_fingerprint = "made up"
    states = []
    for _ in range(2):
        outcome = run.fit_or_reuse(*order, lambda folder: (folder / "w").write_text("1"))
        states.append(outcome.state)
    run.finish()
    assert states == ["fitted", "reused"]
    record = read_record(run.folder)
    assert [fit["state"] for fit in record.fits] == states
    assert "fetal_lib.models.unet" in record.modules


def test_a_data_folder_is_hashed_by_content(project, tmp_path):
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "a.txt").write_text("a")
    run = open_run(CHAPTER, notebook())
    first = run.fingerprint_folder(tmp_path / "heads")
    assert first["folder"] == "heads" and run.data_fingerprint == first
    (tmp_path / "heads" / "a.txt").write_text("b")
    assert run.fingerprint_folder(tmp_path / "heads") != first
    run.finish()


def test_a_record_survives_writing_and_reading(tmp_path):
    record = RunRecord(chapter=CHAPTER)
    record.close("failed", "cell 3 raised ValueError", {"cell": 3})
    record.write(tmp_path)
    assert read_record(tmp_path) == record
    (tmp_path / "record.json").write_text("{")
    with pytest.raises(ValueError, match="it is no record of a run"):
        read_record(tmp_path)
