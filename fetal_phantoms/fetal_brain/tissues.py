"""Cut a head into labelled structures, so that every volume is met to the voxel.

Each structure has a score, the distance to its surface in mm. The voxels of highest score
become the structure, as many as its volume asks for; the level at which the cut falls is the
surface that partial volumes are computed from. Pia first: the cortex is what lies nearest to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.fetal_brain import hull, interior
from fetal_phantoms.fetal_brain.fetus import Fetus
from fetal_phantoms.fetal_brain.folds import gaps
from fetal_phantoms.fetal_brain.noise import read_field, smooth_field
from fetal_phantoms.fetal_brain.shapes import ellipsoid
from fetal_phantoms.mri import highest, laid_out, nth_highest

# 1-7 are the numbers of the FeTA challenge.
LABELS = {
    "background": 0,
    "extra_axial_csf": 1,
    "cortex": 2,
    "white": 3,
    "lateral_ventricles": 4,
    "cerebellum": 5,
    "deep_gray": 6,
    "brainstem": 7,
    "cavum": 8,
    "other_ventricles": 9,
}
CEREBRUM = ("cortex", "white", "deep_gray", "lateral_ventricles", "cavum", "other_ventricles")
WARP_LENGTH, WARP_SD = 1.0, 0.016  # of the head's unit: no two heads have one outline


@dataclass(frozen=True)
class Head:
    """Hold the voxels inside a skull and what is known of each.

    Attributes
    ----------
    index : int (N,), flat index into the grid.
    shape : (X, Y, Z) of the grid.
    labels : uint8 (N,).
    points : float32 (3, N), in units of the brain.
    unit_mm : mm of such a unit.
    pia_mm : float32 (N,), depth below the pia, negative in the fluid outside the brain.
    surfaces_mm : for each structure, float32 (N,), distance outwards from its cut surface.
    cortex_mm : thickness of the cortex: the depth at which white matter begins.
    """

    index: np.ndarray
    shape: tuple[int, int, int]
    labels: np.ndarray
    points: np.ndarray
    unit_mm: float
    pia_mm: np.ndarray
    surfaces_mm: dict[str, np.ndarray]
    cortex_mm: float

    def volume(self, values: np.ndarray, fill: float = 0.0) -> np.ndarray:
        """Return values of the voxels laid on the grid, (X, Y, Z)."""
        return laid_out(values, self.index, self.shape, fill)


def cut_head(
    fetus: Fetus, rng: np.random.Generator, axes: list[np.ndarray], spacing_mm: float
) -> Head:
    """Return the head of a fetus on a grid, cut into structures. What is taken from `rng` does not
    depend on the age or the grid.
    """
    n = {name: round(ml * 1000.0 / spacing_mm**3) for name, ml in fetus.volumes_ml.items()}
    field = smooth_field(rng, WARP_LENGTH, 3)
    skull_mm = hull.skull_unit_mm(fetus.intracranial_ml)
    index, head_mm = _inside_skull(fetus, field, axes, skull_mm, sum(n.values()))
    brain_ml = sum(fetus.volumes_ml[name] for name in CEREBRUM)
    unit_mm = hull.brain_unit_mm(brain_ml)
    anchor = (hull.ANCHOR * (skull_mm - unit_mm)).astype(np.float32)
    points = hull.tapered((head_mm - anchor[:, None]) / np.float32(unit_mm))
    cut = _Cut(points, unit_mm, n)
    cut.hindbrain()
    cut.ventricles(fetus)
    cut.cerebrum(fetus.fold_weeks, rng)
    shape = tuple(len(axis) for axis in axes)
    return Head(
        index=index,
        shape=shape,
        labels=cut.labels,
        points=points,
        unit_mm=unit_mm,
        pia_mm=cut.pia_mm,
        surfaces_mm=cut.surfaces_mm,
        cortex_mm=cut.cortex_mm,
    )


def head_points(fetus: Fetus, axes: list[np.ndarray]) -> np.ndarray:
    """Return the voxels' places in the head's own axes, its aspect undone; float32 (3, X·Y·Z)."""
    turned = fetus.rotation.T / fetus.aspect[:, None]
    grids = [
        axis.astype(np.float32).reshape([-1 if k == i else 1 for k in range(3)])
        - np.float32(fetus.shift_mm[i])
        for i, axis in enumerate(axes)
    ]
    rows = [sum(np.float32(turned[k, i]) * grids[i] for i in range(3)) for k in range(3)]
    return np.stack([row.reshape(-1) for row in rows])


def _inside_skull(
    fetus: Fetus, field: np.ndarray, axes: list[np.ndarray], unit_mm: float, n_voxels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return flat indices of the voxels in the skull, and their places in mm, outline warped."""
    places = head_points(fetus, axes)
    near = ellipsoid(places, (0.0, 0.0, -0.08 * unit_mm), [unit_mm * r for r in (0.95, 1.15, 0.98)])
    index = np.flatnonzero(near < 0)
    places = places[:, index] / np.float32(unit_mm)
    moved = np.stack([read_field(part, places) for part in field])
    places += np.float32(WARP_SD) * moved
    places[1] -= np.float32(fetus.torque) * places[0]
    inside = highest(-hull.skull(hull.tapered(places)), min(n_voxels, len(index)))
    return index[inside], places[:, inside] * np.float32(unit_mm)


class _Cut:
    """Cut one structure after the other from the voxels that are still free."""

    def __init__(self, points: np.ndarray, unit_mm: float, n: dict[str, int]) -> None:
        self.points, self.unit_mm, self.n = points, unit_mm, n
        self.labels = np.zeros(points.shape[1], np.uint8)
        self.surfaces_mm: dict[str, np.ndarray] = {}

    def hindbrain(self) -> None:
        """Cut brainstem, cerebellum, and the third and fourth ventricle."""
        self._take("other_ventricles", interior.other_ventricles(self.points))
        self._take("brainstem", interior.brainstem(self.points))
        self._take("cerebellum", interior.cerebellum(self.points))

    def ventricles(self, fetus: Fetus) -> None:
        """Cut the cavum and the two lateral ventricles, each at its own level."""
        self._take("cavum", interior.cavum(self.points))
        share = self._share("lateral_ventricles")
        both = interior.lateral_ventricles(self.points, fetus.ga_weeks, share)
        n_left = round(self.n["lateral_ventricles"] * fetus.left_ventricle_share)
        counts = {False: n_left, True: self.n["lateral_ventricles"] - n_left}
        surface = np.empty_like(both)
        for is_right, count in counts.items():
            side = (self.points[0] >= 0) == is_right
            level = self._cut("lateral_ventricles", np.where(side, both, np.inf), count)
            surface[side] = both[side] - level
        self.surfaces_mm["lateral_ventricles"] = surface * np.float32(self.unit_mm)

    def cerebrum(self, fold_weeks: float, rng: np.random.Generator) -> None:
        """Cut the pia, the deep gray matter and the cortex; the rest is white matter."""
        depth = -hull.hemispheres(self.points) * np.float32(self.unit_mm)
        n_tissue = self.n["cortex"] + self.n["white"] + self.n["deep_gray"]
        level = nth_highest(np.where(self.labels == 0, depth, -np.inf), n_tissue)
        gap = gaps(self.points, depth - level, self.unit_mm, fold_weeks, rng)
        free = (self.labels == 0) & (gap > 0)
        level = nth_highest(np.where(free, depth, -np.inf), min(n_tissue, np.count_nonzero(free)))
        self.pia_mm = np.minimum(depth - level, gap)
        tissue = np.zeros(len(depth), bool)
        tissue[highest(np.where(self.labels == 0, self.pia_mm, -np.inf), n_tissue)] = True
        self.labels[(self.labels == 0) & ~tissue] = LABELS["extra_axial_csf"]
        self._take("deep_gray", interior.deep_gray(self.points))
        free = self.labels == 0
        bare = ellipsoid(self.points, (0.0, -0.06, -0.18), (0.19, 0.47, 0.46)) * self.unit_mm
        score = self.pia_mm + np.maximum(-bare, 0.0) * np.float32(4.0)
        nearest = highest(np.where(free, -score, -np.inf), self.n["cortex"])
        self.cortex_mm = float(score[nearest].max())
        self.surfaces_mm["cortex"] = score - np.float32(self.cortex_mm)
        self.labels[nearest] = LABELS["cortex"]
        self.labels[self.labels == 0] = LABELS["white"]

    def _share(self, name: str) -> float:
        """Return the volume of a structure as a share of the tissue of the cerebrum."""
        return self.n[name] / (self.n["cortex"] + self.n["white"] + self.n["deep_gray"])

    def _take(self, name: str, distance: np.ndarray) -> None:
        level = self._cut(name, distance, self.n[name])
        self.surfaces_mm[name] = (distance - level) * np.float32(self.unit_mm)

    def _cut(self, name: str, distance: np.ndarray, count: int) -> np.float32:
        """Label the nearest free voxels; return the distance of the farthest of them."""
        if count == 0:
            return np.float32(distance.min() - 1.0)
        score = np.where(self.labels == 0, -distance, -np.inf)
        self.labels[highest(score, count)] = LABELS[name]
        return -nth_highest(score, count)
