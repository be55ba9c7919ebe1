"""Sweeps: one YAML file, many runs of a chapter, one table with mean and standard deviation.

A sweep crosses lists of parameter values and repeats each combination over seeds, or searches.
Snakemake runs the cases (``workflow/sweep.smk``), so a sweep that was cut goes on where it was.
"""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from fetal_book.parameters.base import PROFILES
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.parse import anchor_paths, value_text
from fetal_book.parameters.project import project_root, public_path
from fetal_book.parameters.resolve import resolve_parameters
from fetal_book.runs.data_sets import check_data
from fetal_book.runs.results import read_results
from fetal_book.runs.study import Search, drawn, open_study
from fetal_lib.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

ROW_COLUMNS = ("model", "data", "split", "metric", "unit")
Value = bool | int | float | str


class SweepError(UserError, ValueError):
    """A sweep file cannot be used; the text says why."""


@dataclass(frozen=True)
class Case:
    """Name one run of a sweep and its parameters, the seed among them."""

    name: str
    parameters: dict[str, Value]

    def arguments(self) -> str:
        """Return the parameters as ``-p NAME=VALUE`` for a shell."""
        words = [f"{name}={value_text(value)}" for name, value in self.parameters.items()]
        return " ".join(f"-p {shlex.quote(word)}" for word in words)


class Sweep(BaseModel):
    """Describe a sweep: every combination of the grid, times every seed; or a search.

    `parameters` are shared by all cases; a fold is a parameter like any other. Paths are
    relative to the file of the sweep. The cases of a search draw their parameters when they run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    chapter: str
    profile: str = "quick"
    parameters: dict[str, Value] = {}
    grid: dict[str, list[Value]] = {}
    seeds: list[int] = Field(default=[0], min_length=1)
    search: Search | None = None

    @field_validator("chapter", mode="before")
    @classmethod
    def _as_name(cls, value: Any) -> Any:
        """Take `chapter: 04` without quotes, which YAML reads as the number 4."""
        return str(value) if isinstance(value, int) else value

    def cases(self) -> list[Case]:
        """Return the runs of the sweep, in order; a name says what differs."""
        if self.search:
            shared = self.parameters | {"seed": self.seeds[0]}
            return [Case(f"trial-{n:04d}", shared) for n in range(self.search.trials)]
        cases = []
        for values in itertools.product(*self.grid.values()):
            varied = dict(zip(self.grid, values, strict=True))
            for seed in self.seeds:
                own = varied | {"seed": seed}
                words = [f"{name}-{value_text(_public(value))}" for name, value in own.items()]
                name = re.sub(r"[^A-Za-z0-9.-]+", "_", "-".join(words))
                cases.append(Case(name, self.parameters | own))
        return cases


def _public(value: Value) -> Value:
    """Return a value as names and tables show it: a path by its last part, outside the project."""
    return public_path(value) if isinstance(value, str) else value


def read_sweep(path: str | Path) -> Sweep:
    """Read a sweep file and check every case's parameters before anything runs."""
    import yaml

    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        sweep = Sweep.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SweepError(f"{path}: not a readable YAML file: {error}") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc'])) or 'sweep'}: {e['msg']}" for e in error.errors()]
        raise SweepError("\n".join([f"{path.name}: not a sweep:", *lines])) from error
    _check_form(path.name, sweep)
    try:
        sweep = _anchored(sweep, path.resolve().parent)
        chapter, cases = get_chapter(sweep.chapter), sweep.cases()
        for case in cases:
            resolve_parameters(chapter, sweep.profile, case.parameters)
        for values in sweep.search.ends() if sweep.search else ():
            resolve_parameters(chapter, sweep.profile, cases[0].parameters | values)
    except ValueError as error:
        raise SweepError(f"{path.name}: {error}") from error
    if len({case.name for case in cases}) < len(cases):
        raise SweepError(f"{path.name}: two cases are the same; list each value and seed once")
    return sweep


def check_sweep_data(sweep: Sweep) -> None:
    """Refuse a sweep whose data sets are not there."""
    chapter = get_chapter(sweep.chapter)
    for case in sweep.cases():
        check_data(resolve_parameters(chapter, sweep.profile, case.parameters).parameters)


def _anchored(sweep: Sweep, folder: Path) -> Sweep:
    """Return the sweep with its paths made independent of the working folder."""
    cls, root = get_chapter(sweep.chapter).parameters_class(), project_root()

    def anchored(name: str, value: Value) -> Value:
        return anchor_paths(cls, {name: value}, root, folder)[name]

    shared = {name: anchored(name, value) for name, value in sweep.parameters.items()}
    grid = {name: [anchored(name, one) for one in values] for name, values in sweep.grid.items()}
    return sweep.model_copy(update={"parameters": shared, "grid": grid})


def _check_form(file: str, sweep: Sweep) -> None:
    if sweep.profile not in PROFILES:
        raise SweepError(f"{file}: profile={sweep.profile!r}; use one of {', '.join(PROFILES)}")
    if "seed" in sweep.grid or "seed" in sweep.parameters:
        raise SweepError(f"{file}: seed stands among the parameters; list seeds under `seeds`")
    if "out" in sweep.grid or "out" in sweep.parameters:
        raise SweepError(f"{file}: out stands among the parameters; name the folder by --out")
    if twice := sorted(set(sweep.grid) & set(sweep.parameters)):
        raise SweepError(f"{file}: {', '.join(twice)} stand in `parameters` and `grid`; keep one")
    if sweep.search and (sweep.grid or len(sweep.seeds) > 1):
        raise SweepError(f"{file}: a search has no grid and one seed; leave one of them out")
    if sweep.search and not sweep.search.names():
        raise SweepError(f"{file}: a search needs `ranges` or `choices`")


def _column(name: str) -> str:
    """Return the column of a parameter; `data` is a column of the results as well."""
    return f"{name} (parameter)" if name in ROW_COLUMNS else name


def sweep_table(sweep: Sweep, folder: str | Path) -> pd.DataFrame:
    """Merge the results of a sweep's runs into one table over seeds.

    A row for each combination of the grid, model, data, split and metric: ``mean``, ``sd`` over
    seeds (sample standard deviation, NaN for one seed) and ``n_seeds``. Of a search, a row for
    each trial, which is named.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    names, values = list(sweep.grid), {case.name: case.parameters for case in sweep.cases()}
    if sweep.search:
        names = ["trial", *sweep.search.names()]
        trials = drawn(open_study(sweep.search, Path(folder)))
        values = {case: {"trial": case} | trials[case].params for case in values}
    for case in sweep.cases():
        varied = {_column(name): _public(values[case.name][name]) for name in names}
        for row in read_results(Path(folder) / case.name):
            kept = {name: row[name] for name in ROW_COLUMNS}
            rows.append(varied | kept | {"value": row["value"]})
    keys = [*map(_column, names), *ROW_COLUMNS]
    grouped = pd.DataFrame(rows).groupby(keys, sort=False)["value"]
    return grouped.agg(mean="mean", sd="std", n_seeds="count").reset_index()
