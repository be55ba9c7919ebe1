"""A trained brain-age model in a folder: tissue maps to years, without a network.

Blurred tissue maps meet `CosineRidge`, which is weights only: no scan of a subject is kept, as a
kernel between scans would need. Contrast and brightness are no part of it. ``model.json`` holds the
numbers, ``weights.npz`` the arrays, ``card.md`` what it was trained on and how good it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fetal_lib.baselines.cosine_ridge import CosineBasis, CosineRidge
from fetal_lib.baselines.tissue_maps import age_features
from fetal_lib.models.weights import read_arrays
from fetal_lib.predict.model_folder import SavedModel, Unbounded, load_model, model_spec

NORM_TISSUES = ("csf", "gray", "white")
BASIS = ("mean", "components", "directions", "phases")


@model_spec
class AgeModelSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    half_width_years : of the prediction interval; infinite when uncalibrated.
    interval_coverage : coverage that it was calibrated for.
    age_range : youngest and oldest age of the training set, years.
    norms : per tissue the quadratic of its share in age (a, b, c of a + b age + c age²) and SD.
    trained_on : the data, in words.
    """

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
    ridge : CosineRidge, on `age_features`.
    """

    spec: AgeModelSpec
    ridge: CosineRidge

    def predict(self, maps: np.ndarray) -> tuple[float, float]:
        """Return the age in years, and what it was before the curve that ends at known ages.

        Parameters
        ----------
        maps : float (3, X, Y, Z), shares of CSF, gray and white on the 4 mm grid.

        Raises
        ------
        ValueError
            If the model was made for other features.
        """
        features = age_features(maps)
        wanted = self.ridge.basis.mean.shape
        if features.shape != wanted:
            raise ValueError(
                f"model: it takes {wanted} features, those of a scan are {features.shape}; it was "
                "made by another version. Train it anew: `fetal-lib run 05`."
            )
        raw = float(self.ridge.raw(features[None])[0])
        return float(np.interp(raw, *self.ridge.curve)), raw

    def centile(self, tissue: str, share: float, age_years: float) -> float:
        """Return the centile of a tissue's share among the training subjects of an age."""
        a, b, c, sd = self.spec.norms[tissue]
        z = (share - (a + b * age_years + c * age_years**2)) / sd
        return 50 * (1 + math.erf(z / math.sqrt(2)))

    def write_arrays(self, folder: Path) -> None:
        """Write ``weights.npz``."""
        basis = {name: getattr(self.ridge.basis, name) for name in BASIS}
        arrays = {name: value.astype(np.float32) for name, value in basis.items()}
        arrays["components"] = arrays["components"].astype(np.float16)
        arrays |= {"weights": self.ridge.weights, "curve": self.ridge.curve}
        arrays["intercept"] = np.array(self.ridge.intercept)
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
    basis = CosineBasis(*(arrays[name] for name in BASIS))
    ridge = CosineRidge(basis, arrays["weights"], float(arrays["intercept"]), arrays["curve"])
    return AgeModel(spec, ridge)
