"""Train one network of the sources at its published size for so many seconds, and keep a record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fetal_book.parameters.project import project_root, public_path, runs_root
from fetal_book.published_size.course import Trained
from fetal_book.published_size.courses import prepare
from fetal_book.published_size.networks import get_network
from fetal_book.published_size.piece import BudgetSpent, PieceRun
from fetal_book.published_size.plan import plan_epochs
from fetal_book.published_size.record import SizeRecord, read_size
from fetal_book.published_size.settings import parameters_of
from fetal_book.published_size.steps import read_steps
from fetal_book.runs.machine import code_state, cores, cpu_model, gpu_name
from fetal_book.runs.record import utc_now

N_ANSWERS = 3


def train_piece(
    name: str,
    records: Path,
    seconds: float,
    hours: float,
    data: str = "",
    values: Mapping[str, Any] | None = None,
) -> SizeRecord:
    """Train a network for a sitting; score it on the test part once all epochs are done.

    Parameters
    ----------
    name : of `fetal_book.published_size.networks.NETWORKS`.
    records : folder of the small records; one that is there is gone on with.
    seconds : of this sitting; at least one epoch is trained. 0 reads the data and plans only.
    hours : of one processor core, for all sittings together: sets the epochs of a new training.
    data : a data set; empty: the network's own.
    values : parameters of the chapter, over those of the profile ``long``; of a new training.

    Returns
    -------
    SizeRecord
        As it stands after this sitting.
    """
    network = get_network(name)
    record = read_size(records, name)
    if record is not None and record.state == "scored":
        return record
    if record is not None and not record.curve:  # planned and not begun: planned anew
        record.values |= dict(values or {})
        record.epochs = 0
    if record is None:
        asked = dict(values or {})
        record = SizeRecord(name, network.chapter, public_path(data or network.data), asked)
        record.source_side, record.source_epochs = network.side, network.epochs
    record.command = command_of(record)
    parameters = parameters_of(name, record.values | {"data": data or network.data})
    folder = runs_root() / "published_size" / name
    folder.mkdir(parents=True, exist_ok=True)
    run = PieceRun(record, parameters, folder, records, seconds)
    start, done = time.monotonic(), record.done
    try:
        _train(run, record, read_steps(records), hours)
    except BudgetSpent:
        pass
    finally:
        if seconds:
            spent = time.monotonic() - start
            _note_sitting(record, spent, record.done - done, run.meter.watt_hours())
        record.write(records)
    return record


def _train(run: PieceRun, record: SizeRecord, steps: list[dict], hours: float) -> None:
    network = get_network(record.network)
    course = prepare(run, record.network)
    record.n_train, record.precision = course.n_train, course.precision
    record.side = getattr(run.parameters, network.side_field)
    if not record.epochs:
        plan = plan_epochs(
            steps, record.network, record.side, record.precision, course.n_train, hours
        )
        asked = record.values.get(network.epochs_field)
        record.epochs = plan.epochs if asked is None else int(asked)
        told = f"published width, {record.side} of {network.side}, {asked} epochs as asked for"
        record.because = plan.because if asked is None else told
    if not run.seconds:
        return
    run.parameters = run.parameters.model_copy(update={network.epochs_field: record.epochs})
    trained = course.train()
    record.counted, record.inference_ms = trained.counted, answer_ms(trained)
    record.scores, record.cases, record.state = run.rows, trained.cases, "scored"


def answer_ms(trained: Trained) -> float:
    """Return the milliseconds of one answer, the fastest of three after one to warm up."""
    trained.answer()
    times = []
    for _ in range(N_ANSWERS):
        start = time.perf_counter()
        trained.answer()
        times.append(time.perf_counter() - start)
    return round(1000 * min(times), 1)


def _note_sitting(record: SizeRecord, seconds: float, epochs: int, energy_wh: float | None) -> None:
    state = code_state(project_root())
    sitting = {"ended": utc_now(), "seconds": round(seconds, 1), "epochs": epochs}
    sitting |= {
        "energy_wh": energy_wh,
        "cores": cores(),
        "processor": cpu_model(),
        "gpu": gpu_name(),
    }
    record.sittings.append(sitting | state)


def command_of(record: SizeRecord) -> str:
    """Return the command that goes on with a training."""
    values = "".join(f" -p {name}={value}" for name, value in record.values.items())
    return f"fetal-lib size train {record.network}{values}"
