"""A sweep whose next points depend on the last: Optuna's trials, each a run and a job of its own.

The study lies in one file of the sweep's folder, so that jobs of several nodes share it. A trial
that was cut goes on with the parameters that it had drawn; one that is running counts as a poor
one for the others, so that they look elsewhere. It is scored on the validation part.

References
----------
Akiba T et al. Optuna: a next-generation hyperparameter optimization framework. KDD 2019.
doi:10.1145/3292500.3330701
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from fetal_book.runs.results import METRICS, read_results
from fetal_lib.errors import UserError

if TYPE_CHECKING:
    import optuna

FILE, NAME, CASE = "study.log", "sweep", "case"
Value = bool | int | float | str


class StudyError(UserError, ValueError):
    """A search cannot be scored; the text says why."""


class Score(BaseModel):
    """Name the row of a run's results that a search improves."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str
    metric: str
    split: Literal["train", "val"] = "val"

    @field_validator("metric")
    @classmethod
    def _has_direction(cls, metric: str) -> str:
        if metric not in METRICS or METRICS[metric].higher_is_better is None:
            known = [name for name, one in METRICS.items() if one.higher_is_better is not None]
            raise ValueError(f"{metric!r} has no better side; use one of {', '.join(known)}")
        return metric


class Search(BaseModel):
    """Describe a search: how many trials, what is better, and where to look.

    A range is ``[low, high]``, whole numbers where both ends are; one in `log` is drawn by its
    logarithm. A list in `choices` is drawn from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    trials: int = Field(ge=1, le=10_000)
    score: Score
    ranges: dict[str, list[int | float]] = {}
    log: list[str] = []
    choices: dict[str, list[Value]] = {}

    @field_validator("ranges")
    @classmethod
    def _rise(cls, ranges: dict[str, list[int | float]]) -> dict[str, list[int | float]]:
        if bad := [name for name, ends in ranges.items() if len(ends) != 2 or ends[0] >= ends[1]]:
            raise ValueError(f"{', '.join(bad)}: a range is [low, high]")
        return ranges

    def names(self) -> list[str]:
        """Return the parameters that are searched."""
        return [*self.ranges, *self.choices]

    def ends(self) -> list[dict[str, Value]]:
        """Return values at the ends of all ranges, and each choice once."""
        most = max(len(values) for values in [*self.ranges.values(), *self.choices.values()])
        lists = self.ranges | self.choices
        return [{n: v[min(k, len(v) - 1)] for n, v in lists.items()} for k in range(most)]

    def distributions(self) -> dict[str, Any]:
        """Return what Optuna draws from."""
        from optuna import distributions as d

        def ranged(name: str, low: float, high: float) -> Any:
            whole = isinstance(low, int) and isinstance(high, int)
            kind = d.IntDistribution if whole else d.FloatDistribution
            return kind(low, high, log=name in self.log)

        found = {name: ranged(name, *ends) for name, ends in self.ranges.items()}
        return found | {name: d.CategoricalDistribution(v) for name, v in self.choices.items()}


def open_study(search: Search, folder: Path, seed: int = 0) -> optuna.Study:
    """Open the study in a sweep's folder, or begin it."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=NAME,
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(folder / FILE))),
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5, constant_liar=True),
        direction="maximize" if METRICS[search.score.metric].higher_is_better else "minimize",
        load_if_exists=True,
    )


def drawn(study: optuna.Study) -> dict[str, optuna.trial.FrozenTrial]:
    """Return the trials by the name of their case."""
    return {trial.user_attrs[CASE]: trial for trial in study.trials if CASE in trial.user_attrs}


def settle(study: optuna.Study, search: Search, folder: Path) -> None:
    """Tell the study the scores of the runs that have ended since it was last asked."""
    from optuna.exceptions import UpdateFinishedTrialError

    for case, trial in drawn(study).items():
        if not trial.state.is_finished() and (folder / case / "results.json").is_file():
            with suppress(UpdateFinishedTrialError):  # another job was faster
                study.tell(trial.number, score(search.score, folder / case), skip_if_finished=True)


def parameters_of(search: Search, folder: Path, case: str, seed: int = 0) -> dict[str, Value]:
    """Return what a case of a search tries: what it drew when it was first begun, or draw it now.

    Parameters
    ----------
    search : Search
    folder : of the sweep; the cases' runs lie in it.
    case : its name, which ends in its number.
    seed : of the sweep; each trial draws by this seed and its number.
    """
    study = open_study(search, folder, 10_000 * seed + int(case.rpartition("-")[2]))
    if case not in drawn(study):
        settle(study, search, folder)
        study.ask(search.distributions()).set_user_attr(CASE, case)
    return dict(drawn(study)[case].params)


def score(wanted: Score, folder: Path) -> float:
    """Return the value that a search improves.

    Raises
    ------
    StudyError
        If the run has no such row, or several.
    """
    asked = wanted.model_dump()
    rows = [row for row in read_results(folder) if all(row[key] == asked[key] for key in asked)]
    if len(rows) != 1:
        words = ", ".join(asked.values())
        found = f"search: {folder.name} has {len(rows)} rows of {words}"
        raise StudyError(f"{found}; one is the score. Name a row that the chapter writes once.")
    return float(rows[0]["value"])
