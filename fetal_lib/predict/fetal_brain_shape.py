"""The age of a fetal brain by its shape alone: ridge regression on ranks of its grey values.

On a grid that is a share of the brain's own size three maps are taken: how much of each place is
brain, the mean rank of its grey values among those of the brain, and their spread. Ranks do not
change with gain, gamma or bit depth; a contrast turned round turns the ranks round, and both ways
are tried. How far the maps lie from what the principal components of the training can show says
whether they are of a fetal brain at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_lib.predict.gestational_age_place import brain_on_grid

GRID, FIELD = 14, 1.3  # places along a side, and the side by the brain's diameter
THIN = 0.05  # share of brain below which a place counts as so much


@dataclass(frozen=True)
class ShapeAge:
    """Hold a regression; F = 3 * 14³ numbers of a brain, P principal components.

    Attributes
    ----------
    mean : float32 (F,); weights : float32 (F,), days; intercept : days.
    basis : float32 (P, F), orthonormal; scale : float32 (P,), SDs along it in the training.
    residual : what a brain of the training has beside its components, root mean square.
    """

    mean: np.ndarray
    weights: np.ndarray
    intercept: float
    basis: np.ndarray
    scale: np.ndarray
    residual: float

    def days(self, maps: np.ndarray) -> float:
        """Return the age of maps (3, 14, 14, 14), days."""
        return float((maps.reshape(-1) - self.mean) @ self.weights + self.intercept)

    def strangeness(self, maps: np.ndarray) -> float:
        """Return how unlike the training maps are: 1 for the usual, larger for the strange.

        The larger of the mean square of the standardised components, and the mean square of what
        they cannot show over that of the training.
        """
        apart = maps.reshape(-1) - self.mean
        along = apart @ self.basis.T
        rest = apart - along @ self.basis
        strange = max(((along / self.scale) ** 2).mean(), (rest**2).mean() / self.residual**2)
        return float(strange)


def shape_maps(grid: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return how the grey values of a brain lie, the size taken away.

    Parameters
    ----------
    grid : float32 (S, S, S), a scan.
    share : float (s, s, s), how much of each place of a coarser grid is brain; s divides S.

    Returns
    -------
    float32 (3, 14, 14, 14): share of brain, and its mean rank (from -1/2 to 1/2) and the SD of
    its rank times that share; each the mean of the brain and its mirror image.
    """
    from scipy import ndimage

    ratio = len(grid) // len(share)
    part, middle = brain_on_grid(share)
    diameter = ratio * float(np.cbrt(6 * max(part.sum(dtype=float), 1.0) / np.pi))
    middle = ratio * middle + (ratio - 1) / 2
    inside = _inside(part, ratio)
    ranks = _ranks(grid, inside)
    cell = FIELD * diameter / GRID
    steps = (np.arange(GRID) - (GRID - 1) / 2) * cell
    at = np.stack(np.meshgrid(*[steps + one for one in middle], indexing="ij"))
    found = [
        ndimage.map_coordinates(
            ndimage.uniform_filter(one, max(2, round(cell))), at, order=1, output=np.float32
        )
        for one in (inside.astype(np.float32), ranks, ranks**2)
    ]
    brain = np.maximum(found[0], THIN)
    mean = found[1] / brain
    sd = np.sqrt(np.maximum(found[2] / brain - mean**2, 0))
    maps = np.stack([found[0], (mean - 0.5) * found[0], sd * found[0]])
    return (maps + maps[:, ::-1]) / 2


def turned_round(maps: np.ndarray) -> np.ndarray:
    """Return the maps of the same brain with bright and dark exchanged."""
    return maps * np.array([1, -1, 1], np.float32).reshape(3, 1, 1, 1)


def structure(grid: np.ndarray, share: np.ndarray) -> float:
    """Return the correlation of neighbours' ranks in a brain: 0 for noise, over 0.7 for tissue.

    Parameters are as of `shape_maps`.
    """
    inside = _inside(brain_on_grid(share)[0], len(grid) // len(share))
    ranks, found = _ranks(grid, inside), []
    for axis in range(3):
        both = np.roll(inside, 1, axis) & inside
        pair = ranks[both], np.roll(ranks, 1, axis)[both]
        spread = np.std(pair[0]) * np.std(pair[1]) if both.any() else 0.0
        found.append(float(np.cov(*pair, bias=True)[0, 1] / spread) if spread > 0 else 0.0)
    return float(np.mean(found))


def _inside(part: np.ndarray, ratio: int) -> np.ndarray:
    from scipy import ndimage

    return ndimage.zoom(part, ratio, order=1, mode="nearest", grid_mode=True) > 0.5


def _ranks(grid: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the rank of each grey value among those inside, 0 to 1; 0 outside."""
    values = grid[inside]
    ranks = np.zeros(grid.shape, np.float32)
    if values.size:
        some = np.sort(values[:: max(1, values.size // 4000)])
        ranks[inside] = np.searchsorted(some, values) / len(some)
    return ranks
