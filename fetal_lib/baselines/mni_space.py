"""MNI space: the 2 mm grid that tissues are compared on, and the template's tissues on any grid.

References
----------
Fonov V et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage
2011;54:313-327. doi:10.1016/j.neuroimage.2010.07.033
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

GRID_MM, FIRST_MM, SHAPE = 2.0, (-90.0, -126.0, -72.0), (91, 109, 91)
"""Spacing of the 2 mm grid, where its first voxel lies, and its size."""
SOFTENING_MM = 2.5  # SD of the blur of the priors
FLOOR = (0.10, 0.05, 0.03)  # smallest prior of each tissue inside the brain
NEAR_MM = 8.0  # what lies farther from the template's brain is left out
DEEP_MM = 10.0  # what lies deeper in it is brain in every scan that is aligned
CUT = 1.8  # of the median deep in the brain: brighter voxels are vessels, fat or artefact
DARK = 0.1  # of it: darker voxels are background, or a halo that interpolation left
BRIGHTEST = 0.9984
"""Share of the voxels that are not dark that keep their brightness; 8-bit files keep a bit more."""
CONTRAST, MOST_POWER = 0.6, 2.0
"""Usual median gray over white where the template has them; largest power that leads there."""


class Template(NamedTuple):
    """The ICBM152 template on a grid.

    Attributes
    ----------
    priors : float32 (3, X, Y, Z), softened probability of CSF, gray and white, above a floor.
    brain : bool (X, Y, Z), the intracranial space.
    near, deep : bool (X, Y, Z), within `NEAR_MM` of it, and more than `DEEP_MM` inside.
    """

    priors: np.ndarray
    brain: np.ndarray
    near: np.ndarray
    deep: np.ndarray


def grid_affine() -> np.ndarray:
    """Return the affine of the 2 mm grid, (4, 4), voxel to mm."""
    affine = np.diag([GRID_MM] * 3 + [1.0])
    affine[:3, 3] = FIRST_MM
    return affine


def on_grid(data: np.ndarray, affine: np.ndarray, order: int = 1) -> np.ndarray:
    """Return a volume on the 2 mm grid; as it is where it is on it already.

    Parameters
    ----------
    data : (X, Y, Z)
    affine : (4, 4), its voxels to mm of MNI space.
    order : 1 for intensities, 0 for labels.

    Returns
    -------
    (91, 109, 91)
    """
    from scipy import ndimage

    target = grid_affine()
    if data.shape == SHAPE and np.allclose(affine, target, atol=1e-3):
        return data
    matrix = np.linalg.inv(affine) @ target
    return ndimage.affine_transform(data, matrix[:3, :3], matrix[:3, 3], SHAPE, order=order)


def half_voxel_off(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a scan as linear interpolation half a voxel off the 2 mm grid leaves it: its softest.

    Any scan that did not lie on the grid is interpolated, and by its place less or more so.

    Parameters
    ----------
    data : (X, Y, Z)
    affine : (4, 4), its voxels to mm of MNI space.

    Returns
    -------
    data : (91, 109, 91)
    affine : (4, 4), the 2 mm grid moved by half a voxel along each axis.

    Examples
    --------
    >>> data, affine = half_voxel_off(np.ones((91, 109, 91)), grid_affine())
    >>> affine[:3, 3].tolist(), float(data[:-1, :-1, :-1].min())
    ([-89.0, -125.0, -71.0], 1.0)
    """
    off = np.eye(4)
    off[:3, 3] = GRID_MM / 2
    return on_grid(data, np.linalg.inv(off) @ affine), off @ grid_affine()


def turned_and_moved(
    affine: np.ndarray,
    rng: np.random.Generator,
    turn_deg: float = 6.0,
    shift_mm: float = 8.0,
) -> np.ndarray:
    """Return the affine of a scan whose head lies elsewhere, as in the scanner of another person.

    Parameters
    ----------
    affine : (4, 4), voxel to mm of MNI space.
    rng : draws the angles and the shifts, normal about 0.
    turn_deg, shift_mm : SD of the angle about each axis and of the shift along it.

    Returns
    -------
    affine : float64 (4, 4)

    Examples
    --------
    >>> away = turned_and_moved(np.eye(4), np.random.default_rng(0))
    >>> bool(np.isclose(np.linalg.det(away), 1)), away[:3, 3].round(1).tolist()
    (True, [0.8, -4.3, 2.9])
    """
    from scipy.spatial.transform import Rotation

    move = np.eye(4)
    angles = rng.normal(0, turn_deg, 3)
    move[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    move[:3, 3] = rng.normal(0, shift_mm, 3)
    return move @ affine


def template_on(shape: tuple[int, ...], affine: np.ndarray) -> Template:
    """Return the template on a grid.

    Parameters
    ----------
    shape : (X, Y, Z)
    affine : (4, 4), voxel to mm of MNI space.
    """
    numbers = np.asarray(affine, float).ravel().tolist()
    return _template_on(tuple(int(n) for n in shape), tuple(numbers))


def standard_t1(data: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a scan on the 2 mm grid in units of its own: background 0, deep in the brain 1.

    Whatever a scanner or a file format makes of the numbers (a factor, an offset, 8 or 32 bits, a
    gamma curve, a bright tail that is clipped or not) is gone: the median at the grid's faces is
    taken off, the median deep in the template's brain becomes 1, a power brings where the template
    has gray matter to `CONTRAST` of where it has white, and what is brighter than `CUT`, or among
    the brightest per mille, is cut.

    Parameters
    ----------
    data : (X, Y, Z), a stripped T1 scan.
    affine : (4, 4), its voxels to mm of MNI space.

    Returns
    -------
    float32 (91, 109, 91)

    Raises
    ------
    ValueError
        If nothing lies where the template's brain is deepest.
    """
    data = np.asarray(data, np.float32)
    faces = [np.take(data, at, axis).ravel() for axis in range(3) for at in (0, -1)]
    t1 = on_grid(data - np.median(np.concatenate(faces)), affine)
    level = float(np.median(t1[template_on(SHAPE, grid_affine()).deep]))
    if not level > 0:
        raise ValueError("no brain lies where MNI space has it; register the scan to MNI152 first")
    even = np.maximum(t1 / level, 0)
    even = even ** np.float32(_power(even))
    ceiling = np.quantile(even[even > DARK], BRIGHTEST, method="lower")
    return np.minimum(even, min(CUT, float(ceiling)))


def _power(t1: np.ndarray) -> float:
    """Return the power that gives a scan on the 2 mm grid the usual contrast, within reason."""
    _, gray, white = template_on(SHAPE, grid_affine()).priors
    found = np.median(t1[gray > 0.7]) / max(float(np.median(t1[white > 0.8])), 1e-6)
    power = np.log(CONTRAST) / np.log(np.clip(found, 0.05, 0.95))
    return float(np.clip(power, 1 / MOST_POWER, MOST_POWER))


def brain_mask(t1: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return where a stripped scan holds brain: not dark, in one piece, near the template's.

    What a stripper left at the neck lies beyond `NEAR_MM`; a faint halo is darker than `DARK`.
    """
    from scipy import ndimage

    template = template_on(np.shape(t1), affine)
    level = max(float(np.median(np.asarray(t1)[template.deep])), 0.0)
    bright = ndimage.binary_fill_holes(np.asarray(t1) > DARK * level) & template.near
    pieces, _ = ndimage.label(bright)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return bright & (pieces == sizes.argmax())


@lru_cache(maxsize=2)
def _template_on(shape: tuple, numbers: tuple) -> Template:
    """Return the template; the same grid serves all scans of a set."""
    from scipy import ndimage

    affine = np.reshape(numbers, (4, 4))
    priors, brain, own = _load_template()
    matrix = np.linalg.inv(own) @ affine
    how = {"offset": matrix[:3, 3], "output_shape": shape, "order": 1, "mode": "nearest"}
    moved = np.stack([ndimage.affine_transform(p, matrix[:3, :3], **how) for p in priors])
    inside = ndimage.affine_transform(brain, matrix[:3, :3], **how) > 0.5
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    near = ndimage.distance_transform_edt(~inside, sampling=spacing) <= NEAR_MM
    deep = ndimage.distance_transform_edt(inside, sampling=spacing) > DEEP_MM
    for array in (moved, inside, near, deep):
        array.setflags(write=False)
    return Template(moved, inside, near, deep)


@lru_cache(maxsize=1)
def _load_template() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return priors (3, X, Y, Z), brain (X, Y, Z) as 0 or 1, and the affine of the 2 mm template.

    The priors are softened: the template is a young adult, and sulci and ventricles grow.
    """
    from nilearn import datasets
    from scipy import ndimage

    gray_image = datasets.load_mni152_gm_template(resolution=2)
    images = (
        gray_image,
        datasets.load_mni152_wm_template(resolution=2),
        datasets.load_mni152_brain_mask(resolution=2),
    )
    gray, white, brain = (np.asarray(image.dataobj, np.float32) for image in images)
    fluid = np.clip(brain - gray - white, 0, 1)
    soft = [ndimage.gaussian_filter(part, SOFTENING_MM / 2) for part in (fluid, gray, white)]
    priors = np.stack([np.maximum(p, floor) for p, floor in zip(soft, FLOOR, strict=True)])
    inside = (brain > 0.5).astype(np.float32)
    return priors / priors.sum(axis=0), inside, np.asarray(gray_image.affine, float)
