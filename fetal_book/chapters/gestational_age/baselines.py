"""Baselines of chapter 01: what the mean, the size, and plain measures of the slices tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.gestational_age.data import PlaneSet, channels, network_name
from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.parameters.gestational_age import GestationalAgeParameters
from fetal_lib.baselines.age_regression import nested_predict, volume_regressors
from fetal_lib.baselines.brain_volume import fit_size_regression
from fetal_lib.baselines.slice_shape import PER_PLANE, slice_measures
from fetal_lib.data.splits.folds import Fold
from fetal_lib.metrics.intervals import bootstrap_ci

BASELINES = CHAPTERS["01_gestational_age"].baselines


def baseline_answers(
    planes: PlaneSet, folds: Sequence[Fold], parameters: GestationalAgeParameters
) -> pd.DataFrame:
    """Return a row a fetus with the answers of the baselines, each by the folds' training part.

    ``mean`` is the training mean, ``brain_area`` a cubic in the share of the pictures that the
    brain covers, ``slice_measures`` a ridge regression on plain measures of the pictures,
    ``brain_volume`` a cubic in the brain's volume in mL. A column is missing where nothing says
    how large the brains are.
    """
    table = planes.fetuses().set_index("subject")
    days = table["ga_days"]
    measured = measured_days(planes, folds, parameters)
    table["slice_measures"] = measured.groupby(planes.table["subject"].to_numpy()).median()
    for fold in folds:
        train = planes.table["subject"].iloc[fold.train].unique()
        test = planes.table["subject"].iloc[fold.test].unique()
        table.loc[test, "fold"] = fold.number
        table.loc[test, "mean"] = days[train].mean()
        for name, size, power in (
            ("brain_volume", table["brain_ml"], 1 / 3),
            ("brain_area", table["area"], 1 / 2),
        ):
            if (size > 0).all():
                model = fit_size_regression(size[train], days[train], power)
                table.loc[test, name] = model.predict(size[test])
    return table.reset_index()


def measured_days(
    planes: PlaneSet, folds: Sequence[Fold], parameters: GestationalAgeParameters
) -> pd.Series:
    """Return the answer of the ridge regression for each sample; its penalty is chosen inside."""
    numbers = slice_measures(planes.images[..., channels(parameters)])
    days = planes.table["ga_days"].to_numpy(float)
    ridge, penalties = volume_regressors(parameters.seed)["ridge"]
    return pd.Series(nested_predict(ridge, penalties, numbers, days, folds).outer)


def what_is_known(parameters: GestationalAgeParameters) -> dict[str, str]:
    """Return what each predictor gets to know of a fetus, in words."""
    away = parameters.size_normalised
    scale = "size normalised away" if away else "in scale"
    n = PER_PLANE * len(channels(parameters))
    same = "; the volume in the pictures tells no more, it is the same for all"
    return {
        "mean": f"nothing{same if away else ''}",
        "brain_area": f"area in the pictures, {scale}",
        "slice_measures": f"{n} plain measures of the pictures, {scale}",
        network_name(parameters): f"the pictures, {scale}",
        "brain_volume": "volume in mL",
        "head_volume": "volume in mL, by a norm",
        "any_contrast_shape": "the volume, size normalised away; trained elsewhere",
        "any_contrast": "the volume in scale; trained elsewhere",
    }


def against_baselines(
    baselines: pd.DataFrame, result: pd.DataFrame, parameters: GestationalAgeParameters
) -> str:
    """Return, in Markdown, the network's error beside each baseline's on the same fetuses."""
    days = result["ga_days"].to_numpy(float)
    own = np.abs(result["pred_days"].to_numpy(float) - days)
    answers = baselines.set_index("subject").loc[result["subject"]]
    known = what_is_known(parameters)
    lines = []
    for name in (name for name in BASELINES if name in answers):
        error = np.abs(answers[name].to_numpy(float) - days)
        more = own - error
        low, high = bootstrap_ci(more, groups=result["group"].to_numpy(), seed=parameters.seed)
        lines.append(
            f"- {own.mean() / error.mean():.2f} times the error of `{name}` ({error.mean():.1f} "
            f"days; difference {more.mean():+.1f}, 95 % interval {low:+.1f} to {high:+.1f}), which "
            f"knows: {known[name]}"
        )
    first = f"On the same fetuses, the network errs by **{own.mean():.1f} days**, which is"
    return "\n".join([first, "", *lines])
