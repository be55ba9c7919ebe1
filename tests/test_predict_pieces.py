"""A batch of `predict` that was killed goes on where it stopped, and has each row once."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fetal_book.cli.pieces import PIECE, in_pieces

SCANS = [f"scan-{number}" for number in range(3 * PIECE + 5)]


class Writer:
    """Write a row a scan, as commands do; stop like Ctrl-C where the given number has begun."""

    def __init__(self, stop_at=-1):
        self.seen, self.calls, self.stop_at = [], 0, stop_at

    def __call__(self, scans, out):
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        self.calls += 1
        self.seen += scans
        with Path(out).open("w", newline="") as file:
            csv.writer(file).writerows([["image", "status"], *([scan, "ok"] for scan in scans)])
        return {"ok": len(scans), "failed": 0}


def names(table):
    with Path(table).open(newline="") as file:
        return [row["image"] for row in csv.DictReader(file)]


def stopped(tmp_path, words=("0.12",)):
    first = Writer(stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        in_pieces(first, SCANS, tmp_path / "table.csv", words)
    assert not (tmp_path / "table.csv").exists() and len(first.seen) == 2 * PIECE


def test_a_stopped_batch_goes_on_and_has_each_row_once(tmp_path, capsys):
    stopped(tmp_path)
    again = Writer()
    counts = in_pieces(again, SCANS, tmp_path / "table.csv", ("0.12",))
    assert again.seen == SCANS[2 * PIECE :] and counts == {"ok": len(SCANS), "failed": 0}
    assert names(tmp_path / "table.csv") == SCANS
    assert f"{2 * PIECE} of {len(SCANS)} scans were done before" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("what", ["option", "model", "scans", "piece"])
def test_another_order_begins_anew_and_a_lost_piece_is_written_again(tmp_path, what):
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("1")
    words, scans = ["0.12", model], SCANS
    stopped(tmp_path, words)
    wanted = SCANS
    if what == "option":
        words = ["0.13", model]
    if what == "model":
        (model / "weights").write_text("another")
    if what == "scans":
        scans = wanted = SCANS[1:]
    if what == "piece":
        next((tmp_path / "table.csv.unfinished").glob("*0.csv")).unlink()
        wanted = SCANS[:PIECE] + SCANS[2 * PIECE :]
    again = Writer()
    in_pieces(again, scans, tmp_path / "table.csv", words)
    assert again.seen == wanted and names(tmp_path / "table.csv") == scans


def test_two_commands_do_not_write_one_table(tmp_path):
    def write(scans, out):
        return in_pieces(Writer(), SCANS, tmp_path / "table.csv", ())

    with pytest.raises(ValueError, match=r"another command is writing .*table\.csv"):
        in_pieces(write, SCANS, tmp_path / "table.csv", ())


@pytest.mark.slow
def test_a_killed_predict_hc_ends_with_the_table_of_one_that_was_not(tmp_path):
    from fetal_phantoms.head import write_head_set

    scans = write_head_set(tmp_path / "set", n_examinations=60, seed=5) / "training_set"
    command = [sys.executable, "-m", "fetal_book", "predict", "hc", str(scans)]
    command += ["--pixel-size", "0.12", "--out"]
    subprocess.run([*command, str(tmp_path / "whole.csv")], check=True, capture_output=True)
    killed = subprocess.Popen([*command, str(tmp_path / "cut.csv")], stdout=subprocess.DEVNULL)
    began = time.monotonic()
    while not (tmp_path / "cut.csv.unfinished" / "000000.json").exists():
        assert killed.poll() is None and time.monotonic() - began < 120
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "cut.csv").exists()
    done = subprocess.run(
        [*command, str(tmp_path / "cut.csv")], check=True, capture_output=True, text=True
    )
    assert "scans were done before" in done.stdout
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
