"""Judge other scans by the models of the outer folds, as the subjects tested there were judged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.resampled import WAYS, features_of_all, rows_of_all
from fetal_book.chapters.brain_age.scores import fit_age_bias
from fetal_book.chapters.brain_age.tissues import Tissues
from fetal_lib.baselines.age_regression import NestedPrediction
from fetal_lib.baselines.cosine_ridge import fit_cosine_ridge
from fetal_lib.baselines.tissue_maps import age_features


class FoldJudge:
    """The models and lines of the outer folds, each fitted when it is first needed.

    Parameters
    ----------
    healthy : rows of the run's subjects.
    judged : nested prediction of their ages by the model that is saved.
    """

    def __init__(
        self,
        healthy: pd.DataFrame,
        tissues: Tissues,
        parts: Parts,
        judged: NestedPrediction,
        seed: int,
    ) -> None:
        self._age = healthy["age_years"].to_numpy(float)
        self._features = features_of_all(tissues)
        self._parts, self._judged, self._seed, self._fitted = parts, judged, seed, {}

    def predict(self, maps: np.ndarray, fold: int) -> float:
        """Return the age of a person by the model of a fold."""
        if fold not in self._fitted:
            rows = rows_of_all(self._parts.folds[fold].train, len(self._age))
            ages, chosen = np.tile(self._age, len(WAYS))[rows], self._judged.chosen[fold]
            self._fitted[fold] = fit_cosine_ridge(
                self._features[rows], ages, **chosen, seed=self._seed
            )
        return float(self._fitted[fold].predict(age_features(maps)[None])[0])

    def bias(self, fold: int) -> tuple[float, float]:
        """Return slope and intercept of predictions on ages in the training part of a fold."""
        guess = self._judged.inner[fold]
        known = np.isfinite(guess)
        return fit_age_bias(self._age[known], guess[known])
