"""The trained models that the page can use: which there are, where from, each loaded once."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fetal_lib
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.project import passed_tests, shown
from fetal_book.runs.folder import data_name
from fetal_lib.errors import UserError
from fetal_lib.predict.head_gate import Gate, load_head_gate
from fetal_lib.predict.self_test import first_use

if TYPE_CHECKING:
    import numpy as np

    from fetal_book.runs.record import RunRecord
    from fetal_lib.predict.plane import PlaneRecogniser

BIOMETRY = "fetal_lib.predict.biometry_model:BiometryModel.load"
OF_HEADS = ("anomaly", "hc")
GATE = threading.Lock()
"""Held while a scan is checked."""
SHIPPED = Path(fetal_lib.__file__).parent / "pretrained"


class AppError(UserError, ValueError):
    """Something that the page was started with is wrong."""


@dataclass(frozen=True)
class Task:
    """What a model is for: its chapter, ``module:function`` that loads it, where one is shipped.

    Of a task without ``of_runs`` the chapter's runs leave no such model. `sample` is the function
    that answers a self-test, from the path of a scan and the model; empty where models carry none.
    """

    name: str
    chapter: str
    loader: str
    shipped: str
    of_runs: bool = True
    sample: str = ""

    @property
    def command(self) -> str:
        """The command that makes a model."""
        return f"fetal-lib run {self.chapter}"


TASKS = {
    task.name: task
    for task in (
        Task(
            "anomaly", "02", "fetal_lib.predict.anomaly_model:load_anomaly_model", "brain_anomalies"
        ),
        Task("biometry", "03", BIOMETRY, "biometry", of_runs=False),
        Task("hc", "04", "fetal_lib.predict.head_model:load_head_model", "head_circumference"),
        Task(
            "ga",
            "01",
            "fetal_lib.predict.gestational_age_model:load_ga_model",
            "gestational_age",
            sample="fetal_lib.predict.gestational_age:sample_days",
        ),
        Task(
            "brain-age",
            "05",
            "fetal_lib.predict.age_model:load_age_model",
            "brain_age",
            sample="fetal_lib.predict.brain_age:sample_years",
        ),
    )
}


@dataclass(frozen=True)
class Choice:
    """A model that can be chosen, and where it comes from.

    The run is named as it may be shown; `folder` holds ``model.json``; the kind of its data is
    ``phantoms``, ``real data`` (a data set of the catalogue) or ``a user's data``.
    """

    run: str
    folder: Path
    data: str
    kind: str
    profile: str = ""
    started: str = ""
    commit: str = ""
    card: str = ""

    @property
    def label(self) -> str:
        """What the list of models says."""
        data = self.kind if self.kind == "phantoms" else f"{self.data}, {self.kind}"
        return f"{self.run} ({data})"


def choices(task: Task, chosen: str | Path | None = None) -> list[Choice]:
    """Return the models for a task, the one to start with first.

    That is the chosen one, a run's folder or its chapter; else the newest run on data that are
    not phantoms; else the shipped model; else the newest run on phantoms. Runs with the profile
    ``smoke``, which prove the wiring only, come last.
    """
    from fetal_book.runs.find_runs import model_home, model_runs

    chapter = get_chapter(task.chapter)
    runs = model_runs(chapter) if task.of_runs else []
    found = [_of_run(run.folder / "model", run.folder, run.record) for run in runs]
    shipped = SHIPPED / task.shipped
    if (shipped / "model.json").is_file():
        found.append(_described(shipped, "shipped with fetal-lib", _trained_on(shipped)))
    found.sort(key=lambda one: (one.profile == "smoke", one.kind == "phantoms"))
    if chosen is None:
        return found
    first = _in_folder(model_home(chapter, chosen))
    return [first, *(one for one in found if one.folder.resolve() != first.folder.resolve())]


def _in_folder(model: Path) -> Choice:
    """Return the model in a folder, whether or not a run made it."""
    from fetal_book.runs.record import known_record

    folder = model.parent if model.name == "model" else model
    record = known_record(folder)
    if record is None:
        return _described(model, shown(folder.resolve(), last=2), _trained_on(model))
    return _of_run(model, folder, record)


def _of_run(model: Path, folder: Path, record: RunRecord) -> Choice:
    details = {"profile": record.profile, "started": record.started[:16].replace("T", " ")}
    details["commit"] = (record.code.get("commit") or "")[:10]
    run = shown(folder.resolve(), last=2)
    return _described(model, run, data_name(record.data), **details)


def _described(folder: Path, run: str, data: str, **details: str) -> Choice:
    card = folder / "card.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    return Choice(run, folder, data or "unknown data", _kind(folder, data), card=text, **details)


def _kind(folder: Path, data: str) -> str:
    """Say what a model was trained on: phantoms, a data set that is known, or anything else."""
    from fetal_lib.data.catalogue import manifest_names

    if data == "phantom":
        return "phantoms"
    if SHIPPED in folder.parents:
        return "real data"
    try:
        return "real data" if data in manifest_names() else "a user's data"
    except ValueError:  # installed without the manifests
        return "a user's data"


def _trained_on(folder: Path) -> str:
    try:
        return str(json.loads((folder / "model.json").read_text()).get("trained_on", ""))
    except (OSError, ValueError):
        return ""


def named(place: str) -> Callable[..., Any]:
    """Import and return what stands at ``module:function`` or ``module:Class.method``."""
    module, _, name = place.partition(":")
    return attrgetter(name)(importlib.import_module(module))


@dataclass
class Loaded:
    """A model in memory, its source, the lock that one prediction at a time holds, and the check.

    A scan in which the check sees no head is declined; without one all scans are answered.
    """

    model: Any
    choice: Choice
    lock: threading.Lock = field(default_factory=threading.Lock)
    gate: Gate | None = None

    def no_head(self, scan: np.ndarray) -> str:
        """Return why a scan, uint8 (H, W), shows no head; empty where it may."""
        if self.gate is None:
            return ""
        with GATE:
            return self.gate([scan])[0]


class Shelf:
    """All models of the page. A model is loaded when it is first needed, once for all users.

    One that carries a sample must pass its self-test then, unless it did on this installation;
    a `SelfTestError` says what is wrong.

    `chosen` maps a task to the folder of the model to start with.
    """

    def __init__(self, chosen: Mapping[str, str | Path | None] | None = None) -> None:
        chosen = chosen or {}
        self.choices = {name: choices(task, chosen.get(name)) for name, task in TASKS.items()}
        self._loaded: dict[Any, Any] = {}
        self._lock = threading.Lock()

    def get(self, task: str, label: str | None = None) -> Loaded:
        """Return a model by its label, the first without one."""
        known = {one.label: one for one in self.choices[task]}
        if not known:
            raise AppError(f"no model for {task} yet: make one with `{TASKS[task].command}`.")
        if label is not None and label not in known:
            raise AppError("model: no such model; choose one of the list.")
        choice = known[label] if label is not None else self.choices[task][0]
        return self._once((task, choice.label), lambda: self._load(TASKS[task], choice))

    def head_finder(self) -> Loaded:
        """Return the shipped head network that cuts scans for the anomaly model."""
        from fetal_lib.predict.brain_view import FINDER, load_head_finder

        choice = _described(FINDER, "shipped with fetal-lib", _trained_on(FINDER))
        return self._once("finder", lambda: Loaded(load_head_finder(), choice))

    def planes(self) -> PlaneRecogniser:
        """Return the shipped recogniser of planes."""
        from fetal_lib.predict.plane import PlaneRecogniser

        return self._once("planes", PlaneRecogniser.load)

    def _once(self, key: Any, load: Callable[[], Any]) -> Any:
        if key not in self._loaded:
            with self._lock:
                if key not in self._loaded:
                    self._loaded[key] = load()
        return self._loaded[key]

    def _load(self, task: Task, choice: Choice) -> Loaded:
        gate = load_head_gate() if task.name in OF_HEADS else None
        model = named(task.loader)(choice.folder)
        if task.sample:
            answer = named(task.sample)
            first_use(choice.folder, lambda path: answer(path, model), passed_tests())
        return Loaded(model, choice, gate=gate)
