"""The small record that is kept of a network at its published size: how far it is, how good."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from fetal_lib.files.atomic import read_json, write_json

FOLDER = Path("book") / "published_size"
"""Of the project: a JSON file a network, and the table of steps."""
DIGITS = 5


@dataclass
class SizeRecord:
    """Hold what is known of one network's training; no path and no name of a person goes in.

    Attributes
    ----------
    network, chapter, data : names.
    values : parameters of the chapter that differ from the profile ``long``.
    counted : parameters of the network as trained; a grey input has fewer than the source's.
    side, source_side, epochs, source_epochs : of this training and of the source.
    because : why this size and so many epochs.
    precision, n_train : what is computed in, and the images of an epoch.
    state : ``training``, or ``scored`` once all epochs are done.
    curve : a row an epoch: ``epoch, images, seconds, processor_s, loss``, what was watched.
    scores : rows of results, of the test part; empty until all epochs are done.
    cases : a row a test image, ``image, subject`` and measures, where networks of a chapter are
        compared on the same images; empty elsewhere.
    inference_ms : of one test image alone, the fastest of three.
    sittings : a row a sitting: ``ended, seconds, epochs, energy_wh`` (of the processors, None where
        the machine does not tell it), ``cores, processor, gpu, commit``.
    command : that goes on with it.
    """

    network: str
    chapter: str
    data: str
    values: dict[str, Any] = field(default_factory=dict)
    counted: int = 0
    side: int = 0
    source_side: int = 0
    epochs: int = 0
    source_epochs: int = 0
    because: str = ""
    precision: str = ""
    n_train: int = 0
    state: str = "training"
    curve: list[dict[str, float]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    inference_ms: float | None = None
    sittings: list[dict[str, Any]] = field(default_factory=list)
    command: str = ""

    def follow(self, history: list[dict], watched: str, processor_s: float) -> None:
        """Bring the curve up to a fit's history; rows that the fit lost are dropped.

        It ends before an epoch whose loss is no number.

        ``processor_s`` is that of the newest epoch; one that was cut off behind its checkpoint
        counts by the clock.
        """
        history = list(takewhile(lambda row: math.isfinite(row["loss"]), history))
        del self.curve[len(history) :]
        for row in history[len(self.curve) :]:
            done = self.curve[-1] if self.curve else {"images": 0, "seconds": 0, "processor_s": 0}
            line = {"epoch": row["epoch"], "images": done["images"] + self.n_train}
            line["seconds"] = round(done["seconds"] + row["seconds"], 1)
            spent = processor_s if row is history[-1] else row["seconds"]
            line["processor_s"] = round(done["processor_s"] + spent, 1)
            for name in dict.fromkeys(("loss", watched)):
                line[name] = round(float(row[name]), DIGITS)
            self.curve.append(line)

    @property
    def done(self) -> int:
        """Epochs that are behind it."""
        return len(self.curve)

    @property
    def processor_hours(self) -> float:
        """Of all epochs that are behind it; at least one must be."""
        return self.curve[-1]["processor_s"] / 3600

    def write(self, folder: Path) -> None:
        """Write ``NETWORK.json``, whole or not at all."""
        write_json(Path(folder) / f"{self.network}.json", asdict(self))


def read_sizes(folder: Path) -> dict[str, SizeRecord]:
    """Return all records of a folder by network."""
    names = sorted(path.stem for path in Path(folder).glob("*.json"))
    return {name: record for name in names if (record := read_size(folder, name))}


def read_size(folder: Path, network: str) -> SizeRecord | None:
    """Return a network's record, None without one."""
    content = read_json(Path(folder) / f"{network}.json")
    return SizeRecord(**content) if isinstance(content, dict) else None
