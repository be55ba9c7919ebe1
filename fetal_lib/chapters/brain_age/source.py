"""The flaws of source 004, re-enacted on the chapter's data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.baselines.age_regression import (
    NestedPrediction,
    choose_on_inner,
    volume_regressors,
)
from fetal_lib.chapters.brain_age.networks import YEARS, fit_one, fit_settings
from fetal_lib.metrics.regression import mae, r2
from fetal_lib.training.torch_fit import read_torch_history

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.chapters.brain_age.data import Parts
    from fetal_lib.runs.session import Run


def training_set_error(
    run: Run, age_years: np.ndarray, features: np.ndarray, parts: Parts
) -> pd.DataFrame:
    """Fit and score regressors on the same subjects, as one displayed figure of the source does.

    A forest is among them, since it remembers: its training error says nothing at all.

    Returns
    -------
    DataFrame
        ``regressor, MAE on its own training set, R2 there, MAE on the outer folds``.
    """
    import pandas as pd
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
        row = {"regressor": name, "MAE on its own training set (y)": mae(age_years[kept], seen)}
        row |= {"R2 there": r2(age_years[kept], seen)}
        rows.append(row | {"MAE on the outer folds (y)": mae(age_years[kept], honest[kept])})
        run.add_result(
            model=f"{name}_training_set",
            split="protocol",
            metric="mae_years",
            value=rows[-1]["MAE on its own training set (y)"],
            n=int(kept.sum()),
        )
    return pd.DataFrame(rows)


def picked_on_test(
    run: Run, images: np.ndarray, age_years: np.ndarray, parts: Parts
) -> pd.DataFrame:
    """Train SFCN with the test part as its validation part, with and without `eval()`.

    The source picks the epoch (and the model) with the lowest error on the part that it reports,
    and never calls ``eval()``: batch statistics then come from the batches that are scored, and
    scoring changes them.

    Returns
    -------
    DataFrame
        A row a variant: RMSE on the test part at the last epoch and at the best epoch, in years.
    """
    import pandas as pd

    p = run.parameters
    fold = parts.folds[0]
    base = replace(fit_settings("sfcn", p), epochs=p.source_epochs, constant_rate=True, ema=0.0)
    rows = []
    for name, wrong in (("eval() called", False), ("eval() never called", True)):
        settings = replace(base, validate_in_training_mode=wrong)
        _, folder, _ = fit_one(
            run, "sfcn", images, age_years, fold.train, fold.test, settings, augment=False
        )
        history = read_torch_history(folder)
        errors = [YEARS * float(np.sqrt(row["val_loss"])) for row in history]
        best = int(np.argmin(errors))
        row = {"protocol": name, "RMSE at the last epoch (y)": errors[-1]}
        row |= {"RMSE at the epoch that is best on the test part (y)": errors[best]}
        rows.append(row | {"that epoch": best + 1, "of": len(errors)})
        label = "sfcn_no_eval" if wrong else "sfcn_eval"
        for kind, value in (("last_epoch", errors[-1]), ("best_epoch_on_test", errors[best])):
            run.add_result(
                model=f"{label}_{kind}",
                split="protocol",
                metric="rmse_years",
                value=value,
                n=len(fold.test),
            )
    return pd.DataFrame(rows)


def best_on_test(
    run: Run, predictions: dict[str, NestedPrediction], age_years: np.ndarray, parts: Parts
) -> dict:
    """Compare the model that is best on the tested subjects with those that inner folds choose.

    Returns
    -------
    dict
        ``n`` models, ``model`` and ``best``: the lowest MAE on tested subjects and whose it is,
        ``chosen``: the MAE when each fold takes the model that is best on its inner folds.
    """
    whole = {k: v for k, v in predictions.items() if v.chosen}
    kept = parts.tested
    errors = {k: mae(age_years[kept], v.outer[kept]) for k, v in whole.items()}
    best = min(errors, key=errors.get)
    chosen = np.full(len(age_years), np.nan)
    for name, fold in zip(choose_on_inner(whole, age_years), parts.folds, strict=True):
        chosen[fold.test] = whole[name].outer[fold.test]
    found = {"best": errors[best], "chosen": mae(age_years[kept], chosen[kept])}
    for kind, value in found.items():
        run.add_result(
            model=f"model_{kind}",
            split="protocol",
            metric="mae_years",
            value=value,
            n=int(kept.sum()),
        )
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

    Returns
    -------
    dict
        ``mean``, ``best`` and ``worst`` MAE over splits, and ``n``, their number.
    """
    from sklearn.base import clone

    model, _ = volume_regressors()["linear"]
    rows = np.flatnonzero(parts.tested)
    errors = []
    for seed in range(50):
        order = np.random.default_rng([run.parameters.seed, seed]).permutation(rows)
        half = len(order) // 2
        guess = np.empty(len(order))
        for a, b in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
            fitted = clone(model).fit(features[order[b]], age_years[order[b]])
            guess[a] = fitted.predict(features[order[a]])
        errors.append(mae(age_years[order], guess))
    found = {"mean": float(np.mean(errors)), "best": min(errors), "worst": max(errors)}
    for name, value in found.items():
        run.add_result(
            model=f"linear_two_fold_{name}",
            split="protocol",
            metric="mae_years",
            value=value,
            n=len(rows),
        )
    return found | {"n": len(errors)}
