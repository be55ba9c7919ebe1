"""The command that writes phantoms: a set that the loaders read, and clear refusals."""

from typer.testing import CliRunner

from fetal_book.cli.phantoms import app
from fetal_lib.data.layouts.heads import read_cases


def test_heads_are_written_in_a_layout_that_the_loader_reads(tmp_path):
    done = CliRunner().invoke(app, ["heads", str(tmp_path / "set"), "--n", "3", "--seed", "5"])
    assert done.exit_code == 0, done.output
    table = read_cases(tmp_path / "set")
    assert table["examination"].nunique() == 3 and table["hc_mm"].between(40, 400).all()


def test_an_unknown_kind_and_a_full_folder_are_refused(tmp_path):
    done = CliRunner().invoke(app, ["hearts", str(tmp_path / "set")])
    assert done.exit_code == 2 and "adult-brains" in done.output
    (tmp_path / "note.txt").write_text("mine")
    done = CliRunner().invoke(app, ["heads", str(tmp_path)])
    assert done.exit_code == 2 and "holds files already" in done.output
    assert (tmp_path / "note.txt").read_text() == "mine"
