"""Regress the age on the shape of drawn brains: what the shipped model tells without their size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fetal_lib.predict.fetal_brain_shape import ShapeAge, shape_maps
from fetal_lib.predict.gestational_age_place import standardised
from fetal_phantoms.fetal_brain.painted import Anatomy, draw_scan

N_COMPONENTS, DRAWS = 40, 320  # scans drawn for a regression
PENALTIES = (1.0, 3.0, 10.0, 30.0)
COARSER = 4  # the finder's grid of the brain is so much coarser than the scan's


def drawn_maps(anatomy: Anatomy, rng: np.random.Generator) -> np.ndarray:
    """Return the shape maps of a scan drawn of a brain, its outline known."""
    drawn = draw_scan(anatomy, rng, textured=True)
    n = len(drawn.tissues) // COARSER
    blocks = (drawn.tissues > 0).reshape(n, COARSER, n, COARSER, n, COARSER)
    return shape_maps(standardised(drawn.image), blocks.mean(axis=(1, 3, 5), dtype=np.float32))


def fit_shape(
    atlas: Sequence[Anatomy], phantoms: Sequence[Anatomy], seed: Sequence[int], n: int = DRAWS
) -> ShapeAge:
    """Fit a ridge regression and principal components on ``n`` scans, half of each source.

    The penalty is chosen by folds over the brains, so that no brain is on both sides.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold

    rng = np.random.default_rng(seed)
    every = (*atlas, *phantoms)
    chosen = [
        k // 2 % len(atlas) if k % 2 else len(atlas) + k // 2 % len(phantoms) for k in range(n)
    ]
    maps = np.stack([drawn_maps(every[k], rng).reshape(-1) for k in chosen])
    days = np.array([every[k].ga_days for k in chosen])
    mean = maps.mean(axis=0)
    folds = list(GroupKFold(5).split(maps, groups=chosen))
    ridge = RidgeCV(alphas=PENALTIES, cv=folds).fit(maps - mean, days)
    _, spread, basis = np.linalg.svd(maps - mean, full_matrices=False)
    basis = basis[:N_COMPONENTS]
    rest = maps - mean - (maps - mean) @ basis.T @ basis
    return ShapeAge(
        np.asarray(mean, np.float32),
        np.asarray(ridge.coef_, np.float32),
        float(ridge.intercept_),
        np.asarray(basis, np.float32),
        np.asarray(spread[:N_COMPONENTS] / np.sqrt(n), np.float32),
        float(np.sqrt((rest**2).mean())),
    )
