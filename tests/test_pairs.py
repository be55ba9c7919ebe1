"""Claims about the pairs of chapter text and notebook."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from fetal_book.cli.notebooks import app
from fetal_book.runs import pairs

PROJECT = Path(__file__).resolve().parents[1]
TEXT = """\
# %% [markdown]
# # A chapter
#
# Two lines.

# %% tags=["parameters"]
epochs = 3

# %% mystnb={"figure": {"name": "fig-one"}} other="dropped"
print("été")

# %%
epochs

# %%
epochs
"""


@pytest.fixture
def pair(tmp_path: Path) -> pairs.Pair:
    (tmp_path / "07_example.py").write_text(TEXT, encoding="utf-8")
    return pairs.find_pairs(tmp_path)[0]


def edit_notebook(pair: pairs.Pair, **cell_changes: object) -> None:
    notebook = json.loads(pair.notebook.read_text(encoding="utf-8"))
    notebook["cells"][1].update(cell_changes)
    pair.notebook.write_text(json.dumps(notebook), encoding="utf-8")


def test_every_committed_notebook_equals_its_text() -> None:
    states = {pair.name: pairs.pair_state(pair) for pair in pairs.find_pairs(PROJECT / "notebooks")}
    assert set(states.values()) <= {"equal"}, f"run `make notebooks`: {states}"


def test_generated_notebook_is_valid_clean_and_keeps_tags(pair: pairs.Pair) -> None:
    assert pairs.sync_pair(pair)
    notebook = nbformat.read(pair.notebook, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code] == [[]] * 4
    assert [cell.execution_count for cell in code] == [None] * 4
    assert code[0].metadata == {"tags": ["parameters"]}
    assert code[1].metadata == {"mystnb": {"figure": {"name": "fig-one"}}}
    assert notebook.metadata.kernelspec.name == "python3"


def test_cell_ids_are_unique_stable_and_local(pair: pairs.Pair) -> None:
    before = [cell["id"] for cell in pairs.notebook_from_text(TEXT)["cells"]]
    inserted = TEXT.replace("# %% mystnb", "# %%\nnew = 1\n\n# %% mystnb")
    after = [cell["id"] for cell in pairs.notebook_from_text(inserted)["cells"]]
    assert len(set(before)) == len(before) == 5
    assert [cell_id for cell_id in after if cell_id in before] == before


def test_second_sync_writes_nothing(pair: pairs.Pair) -> None:
    assert pairs.sync_pair(pair)
    stamp = pair.notebook.stat().st_mtime_ns
    assert not pairs.sync_pair(pair)
    assert pair.notebook.stat().st_mtime_ns == stamp


def test_older_notebook_is_outdated_and_replaced(pair: pairs.Pair) -> None:
    pairs.sync_pair(pair)
    pair.text.write_text(TEXT.replace("epochs = 3", "epochs = 4"), encoding="utf-8")
    assert pairs.pair_state(pair) == "outdated"
    pairs.sync_pair(pair)
    assert pairs.pair_state(pair) == "equal"


def test_outputs_alone_are_outdated_and_removed(pair: pairs.Pair) -> None:
    pairs.sync_pair(pair)
    edit_notebook(
        pair,
        execution_count=1,
        outputs=[{"output_type": "stream", "name": "stdout", "text": ["x"]}],
    )
    assert pairs.pair_state(pair) == "outdated"
    pairs.sync_pair(pair)
    assert pairs.pair_state(pair) == "equal"


def test_hand_edited_notebook_is_refused_and_kept(pair: pairs.Pair) -> None:
    pairs.sync_pair(pair)
    edit_notebook(pair, source=["epochs = 9"])
    edited = pair.notebook.read_text(encoding="utf-8")
    with pytest.raises(
        pairs.EditedNotebookError, match="07_example.ipynb: its cells were changed by hand"
    ):
        pairs.sync_pair(pair)
    assert pair.notebook.read_text(encoding="utf-8") == edited
    assert pairs.sync_pair(pair, force=True)
    assert pairs.pair_state(pair) == "equal"


def test_changed_tags_are_seen(pair: pairs.Pair) -> None:
    pairs.sync_pair(pair)
    edit_notebook(pair, metadata={})
    assert pairs.pair_state(pair) == "edited"


def test_unreadable_notebook_counts_as_edited(pair: pairs.Pair) -> None:
    pair.notebook.write_text("{", encoding="utf-8")
    assert pairs.pair_state(pair) == "edited"


def test_commands_report_each_notebook(pair: pairs.Pair) -> None:
    folder = ["--folder", str(pair.text.parent)]
    runner = CliRunner()
    missing = runner.invoke(app, ["check", *folder])
    assert missing.exit_code == 1 and "missing  07_example.ipynb" in missing.output
    assert runner.invoke(app, ["sync", *folder]).exit_code == 0
    assert runner.invoke(app, ["check", *folder]).exit_code == 0
    edit_notebook(pair, source=["epochs = 9"])
    refused = runner.invoke(app, ["sync", *folder])
    assert refused.exit_code == 1 and "--force" in refused.output
