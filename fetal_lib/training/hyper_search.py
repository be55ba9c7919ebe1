"""Search for hyper-parameters with Optuna, one resumable trial at a time.

Each trial is drawn by the tree-structured Parzen estimator from ``(seed, number)`` and
from the trials before it alone, and written down when it is done: a search that was
killed goes on as if it had not been.

References
----------
Akiba T et al. Optuna: a next-generation hyperparameter optimization framework. KDD 2019.
doi:10.1145/3292500.3330701
Bergstra J et al. Algorithms for hyper-parameter optimization. NeurIPS 2011.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

TRIALS = "trials.jsonl"
Space = Mapping[str, tuple]
"""Name to ("log", low, high), ("float", low, high), or ("choice", values)."""


def search(
    folder: str | Path,
    objective: Callable[[dict], float],
    space: Space,
    n_trials: int,
    seed: int = 0,
    first: dict | None = None,
    progress: Callable[..., None] = lambda event, **fields: None,
) -> None:
    """Try hyper-parameters, or go on with a search that was interrupted.

    Parameters
    ----------
    folder : path
        Holds ``trials.jsonl`` in the end.
    objective : callable
        Hyper-parameters to the score of the validation part; larger is better.
    space : mapping
    n_trials : int
    seed : int
    first : dict, optional
        What the first trial uses, such as the source's own setting.
    progress : callable
        Called with the word ``trial`` and the row.

    Raises
    ------
    ValueError
        If a range has another kind than log, float or choice.
    """
    path = Path(folder) / TRIALS
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = read_trials(folder)
    for number in range(len(rows), n_trials):
        start = time.perf_counter()
        given = first if number == 0 and first else suggest(space, rows, seed, number)
        value = float(objective(given))
        row = {"trial": number + 1, "value": value, "parameters": given}
        rows.append(row | {"seconds": time.perf_counter() - start})
        part = path.with_name(f"{TRIALS}.part")
        part.write_text("".join(json.dumps(r) + "\n" for r in rows))
        part.replace(path)
        progress("trial", trials=n_trials, **row)


def read_trials(folder: str | Path) -> list[dict]:
    """Return the trials of a search: ``trial, value, parameters, seconds``."""
    path = Path(folder) / TRIALS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def best_trial(rows: list[dict]) -> dict:
    """Return the hyper-parameters of the best trial, the first of equals; empty without any."""
    return max(rows, key=lambda row: row["value"])["parameters"] if rows else {}


def suggest(space: Space, rows: list[dict], seed: int, number: int) -> dict:
    """Return the hyper-parameters of the next trial.

    Examples
    --------
    >>> drawn = suggest({"rate": ("log", 1e-4, 1e-2)}, [], 0, 0)
    >>> 1e-4 <= drawn["rate"] <= 1e-2
    True
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges = {name: _distribution(name, given) for name, given in space.items()}
    sampler = optuna.samplers.TPESampler(seed=seed * 1000 + number, n_startup_trials=5)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for row in rows:
        study.add_trial(
            optuna.trial.create_trial(
                params=row["parameters"], distributions=ranges, value=row["value"]
            )
        )
    return dict(study.ask(ranges).params)


def _distribution(name: str, given: tuple):
    from optuna import distributions as d

    kind, *values = given
    if kind == "choice":
        return d.CategoricalDistribution(values[0])
    if kind in ("log", "float"):
        return d.FloatDistribution(*values, log=kind == "log")
    raise ValueError(f"space[{name!r}]: {kind!r}; use log, float or choice.")
