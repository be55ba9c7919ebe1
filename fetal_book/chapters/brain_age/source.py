"""The flaws of source 004, re-enacted on the chapter's data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.age_scores import N_RESAMPLES, age_interval
from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.networks import AGE_CODE, YEARS, fit_settings, new_network
from fetal_book.chapters.flaws import add_difference_of_trainings, score_trainings
from fetal_book.runs.session import Run
from fetal_lib.baselines.age_regression import NestedPrediction, choose_on_inner, volume_regressors
from fetal_lib.data.splits.folds import Fold
from fetal_lib.metrics.intervals import with_interval
from fetal_lib.metrics.regression import mae, r2, rmse
from fetal_lib.metrics.trainings import over_trainings
from fetal_lib.training.torch_arrays import Arrays
from fetal_lib.training.torch_fit import fit_torch
from fetal_lib.training.torch_task import TorchSettings
from fetal_lib.training.watched_errors import WatchedSquaredError, read_watched

METRICS = {"mae_years": mae, "rmse_years": rmse}
PICKED = (
    "RMSE at the last epoch (y)",
    "RMSE at the epoch that is best on the test part (y)",
    "RMSE at the epoch that is best on the other half of it (y)",
)


@dataclass(frozen=True)
class Score:
    """Hold a number with its 95 % bootstrap interval over subjects.

    What chose the number, such as an epoch or a split, is not chosen anew in a resample: the
    interval is that of the number as it would be reported.

    Examples
    --------
    >>> str(Score(6.904, 6.01, 7.87))
    '6.90 (6.01 to 7.87)'
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return with_interval(self.value, (self.low, self.high), 2)


def score_ages(
    true: np.ndarray,
    pred: np.ndarray,
    metric: Callable[..., float],
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Score:
    """Score ages (N,) as the chapter's honest rows are scored: same groups, draws and seed."""
    low, high = age_interval(true, pred, metric, groups, seed) or (np.nan, np.nan)
    return Score(metric(true, pred), low, high)


def _add(
    run: Run, model: str, metric: str, true: np.ndarray, pred: np.ndarray, groups: np.ndarray
) -> Score:
    """Add a number of the source's protocol to the run; return it with its interval.

    Of predictions (N, S) of S trainings it is the mean, and the interval holds their luck.
    """
    score = partial(over_trainings, METRICS[metric])
    answers = np.column_stack([true, pred])
    value, ci95 = score_trainings(score, answers, groups, run.parameters.seed)
    label = {"model": model, "split": "protocol", "metric": metric, "n": len(true)}
    run.add_result(**label, value=value, ci95=ci95)
    return Score(value, *(ci95 or (np.nan, np.nan)))


def _add_difference(
    run: Run,
    names: tuple[str, str],
    metric: str,
    errors: Sequence[np.ndarray],
    groups: np.ndarray,
    **facts: int,
) -> None:
    """Add what a flaw does to a score of the same subjects: errors (N,), or (N, S) of S trainings,
    with it and without it.

    ``facts`` are those of the run's differences. A regressor's fit leaves nothing to chance, so
    that it counts no training.
    """
    score = partial(over_trainings, METRICS[metric])
    pairs = tuple(np.column_stack([np.zeros(len(error)), error]) for error in errors)
    add_difference_of_trainings(
        run,
        names,
        metric,
        pairs,
        (score, score),
        (groups, groups),
        n_resamples=N_RESAMPLES,
        **facts,
    )


def training_set_error(
    run: Run, age_years: np.ndarray, features: np.ndarray, parts: Parts
) -> pd.DataFrame:
    """Fit and score regressors on the same subjects, as one displayed figure of the source does.

    A forest is among them, since it remembers: its training error says nothing at all. The numbers
    are text with 95 % intervals over subjects.
    """
    from sklearn.base import clone
    from sklearn.ensemble import ExtraTreesRegressor

    models = {k: v for k, (v, _) in volume_regressors(run.parameters.seed).items()}
    models["trees"] = ExtraTreesRegressor(100, random_state=run.parameters.seed)
    kept = parts.tested
    rows = []
    for name in ("linear", "poly3", "gaussian_process", "trees"):
        model = clone(models[name])
        seen = model.fit(features[kept], age_years[kept]).predict(features[kept])
        honest = np.full(len(age_years), np.nan)
        for fold in parts.folds:
            model.fit(features[fold.train], age_years[fold.train])
            honest[fold.test] = model.predict(features[fold.test])
        true, persons = age_years[kept], parts.person[kept]
        answers = {f"{name}_training_set": seen, f"{name}_outer_folds": honest[kept]}
        own, new = (_add(run, k, "mae_years", true, guess, persons) for k, guess in answers.items())
        errors = [np.abs(guess - true) for guess in answers.values()]
        chance = int(name == "trees")
        _add_difference(run, tuple(answers), "mae_years", errors, persons, trainings=chance)
        texts = {"MAE on its own training set (y)": own}
        texts |= {"R2 there": score_ages(true, seen, r2, persons, run.parameters.seed)}
        texts |= {"MAE on the outer folds (y)": new}
        rows.append({"regressor": name} | {title: str(score) for title, score in texts.items()})
    return pd.DataFrame(rows)


def picked_on_test(
    run: Run, images: np.ndarray, age_years: np.ndarray, parts: Parts
) -> pd.DataFrame:
    """Train SFCN with the test part as its validation part, with and without `eval()`.

    The source picks the epoch (and the model) with the lowest error on the part that it reports,
    and never calls ``eval()``: batch statistics then come from the batches that are scored, and
    scoring changes them. Beside it each half of the people is scored at the epoch that is best on
    the other half, a choice that may come out either way. Scores are means of ``source_trainings``,
    text with 95 % intervals over subjects and trainings.
    """
    p = run.parameters
    fold = parts.folds[0]
    persons, zero = parts.person[fold.test], np.zeros(len(fold.test))
    found = {}
    base = replace(fit_settings("sfcn", p), epochs=p.source_epochs, schedule="constant", ema=0.0)
    seeds = range(p.seed, p.seed + p.source_trainings)
    rows = []
    for name, wrong in (("eval() called", False), ("eval() never called", True)):
        settings = replace(base, validate_in_training_mode=wrong)
        each = [
            _watched_errors(run, images, age_years, fold, replace(settings, seed=one))
            for one in seeds
        ]
        best = [int(np.argmin((errors**2).mean(axis=1))) for errors in each]
        label = "sfcn_no_eval" if wrong else "sfcn_eval"
        answers = {
            "last_epoch": [errors[-1] for errors in each],
            "best_epoch_on_test": [errors[at] for errors, at in zip(each, best, strict=True)],
            "epoch_of_other_half": [_epoch_of_the_other_half(one, persons) for one in each],
        }
        row = {"protocol": name, "trainings": len(each)}
        for (kind, errors), title in zip(answers.items(), PICKED, strict=True):
            model = f"{label}_{kind}"
            found[model] = np.stack(errors, axis=1)
            row[title] = str(_add(run, model, "rmse_years", zero, found[model], persons))
        row["that epoch"] = ", ".join(str(at + 1) for at in best)
        rows.append(row | {"epochs trained": p.source_epochs})
    for flawed, honest in (
        ("sfcn_eval_best_epoch_on_test", "sfcn_eval_epoch_of_other_half"),
        ("sfcn_eval_best_epoch_on_test", "sfcn_eval_last_epoch"),
        ("sfcn_no_eval_last_epoch", "sfcn_eval_last_epoch"),
    ):
        pair = [found[flawed], found[honest]]
        facts = {"trainings": p.source_trainings, "epochs": p.source_epochs}
        _add_difference(run, (flawed, honest), "rmse_years", pair, persons, **facts)
    return pd.DataFrame(rows)


def _epoch_of_the_other_half(errors: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Return errors (N,) of each half of the persons at the epoch that is best on the other half.

    Of errors (E, N) after each epoch; an epoch chosen so may be better or worse than the last.

    Examples
    --------
    >>> errors = np.array([[1.0, 5, 1, 5], [3, 4, 3, 4]])
    >>> _epoch_of_the_other_half(errors, np.arange(4)).tolist()
    [3.0, 5.0, 3.0, 5.0]
    """
    first = pd.factorize(persons)[0] % 2 == 0
    found = np.empty(errors.shape[1])
    for half in (first, ~first):
        found[half] = errors[np.argmin((errors[:, ~half] ** 2).mean(axis=1)), half]
    return found


def _watched_errors(
    run: Run, images: np.ndarray, age_years: np.ndarray, fold: Fold, settings: TorchSettings
) -> np.ndarray:
    """Train SFCN on a fold; return absolute errors (E, N) of its test part after each epoch."""
    p, train, test = run.parameters, fold.train, fold.test
    x = np.asarray(images, np.float32)
    y = ((age_years - age_years[train].mean()) / YEARS).astype(np.float32)[:, None]

    def fit(folder: Path) -> None:
        loss = WatchedSquaredError(folder, len(test))
        task = Arrays(x[train], y[train], settings, loss, (x[test], y[test]))
        own = p.model_copy(update={"seed": settings.seed})
        fit_torch(folder, new_network("sfcn", own), task, run.progress)

    spec = {"name": "sfcn_source_protocol", "side": p.age_side, "spacing_mm": p.age_spacing_mm}
    spec |= {"width": p.sfcn_width}
    rows = {"train": train.tolist(), "test": test.tolist()}
    code = (*AGE_CODE, "fetal_lib.training.watched_errors")
    outcome = run.fit_or_reuse(spec, settings.as_spec() | rows, code, fit)
    return YEARS * np.sqrt(read_watched(outcome.folder))


def best_on_test(
    run: Run, predictions: dict[str, NestedPrediction], age_years: np.ndarray, parts: Parts
) -> dict:
    """Compare the model that is best on the tested subjects with those that inner folds choose.

    Returns ``n`` models, ``model`` and ``best``: the lowest MAE on tested subjects and whose it is,
    and ``chosen``: the MAE when each fold takes the model that is best on its inner folds.
    """
    whole = {k: v for k, v in predictions.items() if v.chosen}
    kept = parts.tested
    errors = {k: mae(age_years[kept], v.outer[kept]) for k, v in whole.items()}
    best = min(errors, key=errors.get)
    chosen = np.full(len(age_years), np.nan)
    for name, fold in zip(choose_on_inner(whole, age_years), parts.folds, strict=True):
        chosen[fold.test] = whole[name].outer[fold.test]
    answers = {"best": whole[best].outer, "chosen": chosen}
    found = {
        kind: _add(
            run, f"model_{kind}", "mae_years", age_years[kept], pred[kept], parts.person[kept]
        )
        for kind, pred in answers.items()
    }
    errors = [np.abs(pred[kept] - age_years[kept]) for pred in answers.values()]
    names = ("model_best", "model_chosen")
    _add_difference(run, names, "mae_years", errors, parts.person[kept], trainings=0)
    return found | {"n": len(whole), "model": best}


def source_design(shares: np.ndarray) -> tuple[int, int]:
    """Return columns and rank of the source's cubic in three shares, which sum to one.

    Examples
    --------
    >>> shares = np.random.default_rng(0).dirichlet([2, 5, 4], 50)
    >>> source_design(shares)
    (20, 10)
    """
    from sklearn.preprocessing import PolynomialFeatures

    design = PolynomialFeatures(3).fit_transform(shares)
    return design.shape[1], int(np.linalg.matrix_rank(design, tol=1e-8 * np.abs(design).max()))


def best_of_many(run: Run, age_years: np.ndarray, features: np.ndarray, parts: Parts) -> dict:
    """Repeat an unseeded two-fold split, and report the luckiest, as choosing on the test does.

    Returns ``mean``, ``best`` and ``worst`` MAE over splits, and ``n``, their number.
    """
    from sklearn.base import clone

    model, _ = volume_regressors()["linear"]
    rows = np.flatnonzero(parts.tested)
    persons, zero = parts.person[rows], np.zeros(len(rows))
    errors = []
    for seed in range(50):
        order = np.random.default_rng([run.parameters.seed, seed]).permutation(len(rows))
        guess = np.empty(len(rows))
        halves = np.split(order, [len(order) // 2])
        for test, train in (halves, halves[::-1]):
            fitted = clone(model).fit(features[rows[train]], age_years[rows[train]])
            guess[test] = fitted.predict(features[rows[test]])
        errors.append(np.abs(guess - age_years[rows]))
    ranked = sorted(errors, key=np.mean)
    kinds = {"mean": np.mean(errors, axis=0), "best": ranked[0], "worst": ranked[-1]}
    found = {
        kind: _add(run, f"linear_two_fold_{kind}", "mae_years", zero, error, persons)
        for kind, error in kinds.items()
    }
    names = ("linear_two_fold_best", "linear_two_fold_mean")
    pair = [kinds["best"], kinds["mean"]]
    _add_difference(run, names, "mae_years", pair, persons, trainings=0)
    return found | {"n": len(errors)}
