"""Where the time of a run goes: by section, and of training in it."""

import json

import pytest

from fetal_book.site.speed_page import NOTHING, write_speed
from fetal_book.site.time_page import SHOWN, Section, longest_first, read_times, write_times

CHAPTER = "04_head_circumference"
EVENTS = (
    ("00", {"event": "start"}),
    ("01", {"event": "cell", "cell": 1, "heading": "Data"}),
    ("05", {"event": "cell", "cell": 2, "heading": "Training"}),
    ("12", {"event": "epoch", "epoch": 1, "epochs": 2, "seconds": 6.0}),
    ("18", {"event": "epoch", "epoch": 2, "epochs": 2, "seconds": 5.5}),
    ("20", {"event": "cell", "cell": 3, "heading": "Data"}),
    ("30", {"event": "finish", "seconds": 30}),
)


def write_events(folder):
    folder.mkdir(parents=True)
    lines = [{"time": f"2026-01-01T00:00:{second}.000Z"} | event for second, event in EVENTS]
    text = "".join(json.dumps(line) + "\n" for line in [*lines, {"event": "note", "text": "x"}])
    (folder / "progress.jsonl").write_text(text, encoding="utf-8")


def test_seconds_are_those_between_cells_and_epochs_are_told_apart(tmp_path):
    write_events(tmp_path / "run")
    found = {one.heading: (one.seconds, one.training) for one in read_times(tmp_path / "run")}
    assert found == {"Data": (14.0, 0.0), "Training": (15.0, 11.5)}
    assert read_times(tmp_path / "none") == []


def test_the_page_has_a_bar_a_section_and_the_share_of_training(tmp_path):
    write_events(tmp_path / "runs" / "book" / CHAPTER)
    write_times(tmp_path, [CHAPTER, "05_brain_age"])
    text = (tmp_path / "book" / "generated" / "times.md").read_text("utf-8")
    assert "| 29 s | 12 s (40%) | Training, 15 s |" in text and "05_brain_age" not in text
    assert (tmp_path / "book" / "generated" / "times.png").is_file()


def test_short_sections_are_put_together():
    shown = longest_first([Section(str(k), float(k), 0.5) for k in range(10)])
    assert len(shown) == SHOWN + 1
    assert (shown[-1].seconds, shown[-1].training) == (pytest.approx(0 + 1 + 2 + 3), 2.0)


def test_runs_of_the_bench_stand_beside_each_other_the_newest_first(tmp_path):
    lines = [
        {"what": what, "value": value, "unit": "s", "promise": "below 2", "commit": commit}
        | {"cpu": "a processor", "cores": 2, "date": f"2026-01-0{day}"}
        for day, commit, what, value in (
            (1, "aaaaaaa", "import", 0.25),
            (1, "aaaaaaa", "gone", 3.0),
            (2, "bbbbbbb", "import", 0.5),
            (2, "bbbbbbb", "import", 0.125),
            (2, "bbbbbbb", "new | old", 1.0),
        )
    ]
    source, page = tmp_path / "book" / "speed.jsonl", tmp_path / "book" / "generated" / "speed.md"
    write_speed(tmp_path)
    assert page.read_text("utf-8") == NOTHING
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    write_speed(tmp_path)
    text = page.read_text("utf-8")
    first = text.splitlines()[0]
    assert first.startswith("```{table} ") and "`" not in first[3:]  # else the fence is none
    assert "| Measured | Held to | 2026-01-02, bbbbbbb | 2026-01-01, aaaaaaa |" in text
    assert "| import | below 2 s | 0.125 | 0.25 |" in text
    assert "| gone | below 2 s | – | 3 |" in text and "| new \\| old | below 2 s | 1 | – |" in text
    assert "Measured on a processor, 2 cores." in text
