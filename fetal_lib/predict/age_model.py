"""A trained brain-age model in a folder: tissue maps and volumes to years, without a network.

Two parts are averaged: ridge regression on blurred tissue maps, which is one weight a place, and
a shrunken cubic on tissue shares and contrast. ``model.json`` holds the numbers, ``weights.npz``
the arrays, ``card.md`` what it was trained on and how good it is. No scan of a subject is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fetal_lib.models.weights import read_arrays
from fetal_lib.predict.model_folder import SavedModel, Unbounded, load_model, model_spec

NORM_TISSUES = ("csf", "gray", "white")


@model_spec
class AgeModelSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    sigma : blur of the maps, in voxels of 4 mm.
    map_weight : share of the map model in the average.
    map_intercept, map_bias : years.
    half_width_years : of the prediction interval; infinite when uncalibrated.
    interval_coverage : coverage that it was calibrated for.
    age_range : youngest and oldest age of the training set, years.
    norms : per tissue the quadratic of its share in age (a, b, c of a + b age + c age²) and SD.
    trained_on : the data, in words.
    """

    sigma: float
    map_weight: float
    map_intercept: float
    half_width_years: Unbounded
    interval_coverage: float
    age_range: tuple[float, float]
    norms: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    trained_on: str = ""


@dataclass(frozen=True)
class AgeModel(SavedModel):
    """A spec and its arrays.

    Attributes
    ----------
    spec : AgeModelSpec
    map_weights : float32 (3, X, Y, Z), years for each unit of tissue share.
    mean, scale : float (F,), of the numbers that the cubic takes.
    powers : int (T, F), exponents of each term; coefficients : float (T,), years.
    intercept : float, years.
    """

    spec: AgeModelSpec
    map_weights: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    powers: np.ndarray
    coefficients: np.ndarray
    intercept: float

    def predict(self, maps: np.ndarray, numbers: np.ndarray) -> float:
        """Return the age in years.

        Parameters
        ----------
        maps : float (3, X, Y, Z), shares of CSF, gray and white on the 4 mm grid.
        numbers : float (F,), tissue shares and contrast.
        """
        from scipy import ndimage

        blurred = np.stack(
            [ndimage.gaussian_filter(m.astype(np.float32), self.spec.sigma) for m in maps]
        )
        by_maps = float((blurred * self.map_weights).sum()) + self.spec.map_intercept
        z = np.clip((numbers - self.mean) / self.scale, -3.5, 3.5)
        terms = (z[None] ** self.powers).prod(axis=1)
        by_numbers = float(terms @ self.coefficients) + self.intercept
        weight = self.spec.map_weight
        return weight * by_maps + (1 - weight) * by_numbers

    def centile(self, tissue: str, share: float, age_years: float) -> float:
        """Return the centile of a tissue's share among the training subjects of an age."""
        a, b, c, sd = self.spec.norms[tissue]
        z = (share - (a + b * age_years + c * age_years**2)) / sd
        return 50 * (1 + math.erf(z / math.sqrt(2)))

    def write_arrays(self, folder: Path) -> None:
        """Write ``weights.npz``."""
        arrays = {"map_weights": self.map_weights.astype(np.float32), "mean": self.mean}
        arrays |= {"scale": self.scale, "powers": self.powers.astype(np.int8)}
        arrays |= {"coefficients": self.coefficients, "intercept": np.array(self.intercept)}
        np.savez_compressed(folder / "weights.npz", **arrays)


def load_age_model(folder: str | Path | None = None) -> AgeModel:
    """Load a model that :meth:`AgeModel.save` wrote, or the one that is shipped.

    Parameters
    ----------
    folder : path, optional
        A run's ``model/`` folder, or the run's folder; without it the model of the package.

    Raises
    ------
    ValueError
        If there is no such model, or it cannot be read.
    """
    return load_model(folder, "05_brain_age", AgeModelSpec, _build)


def _build(spec: AgeModelSpec, folder: Path) -> AgeModel:
    arrays = read_arrays(folder / "weights.npz")
    arrays["intercept"] = float(arrays["intercept"])
    return AgeModel(spec, **arrays)
