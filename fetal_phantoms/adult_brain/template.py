"""Fields of the ICBM152 template that a phantom is cut from, computed once and kept in memory.

The template (nonlinear, symmetric, 2009a; 1 mm) comes with the nilearn package and needs no
download. Sulci of an average brain are faint lines of fluid between thick gray walls: the
fluid's share is sharpened into a score whose level sets are narrow sulci at a high threshold
and wide ones at a low threshold.

References
----------
Fonov V et al. Unbiased average age-appropriate atlases for pediatric studies. NeuroImage
2011;54:313-327. doi:10.1016/j.neuroimage.2010.07.033
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LOW_MM, HIGH_MM = (-80.0, -114.0, -72.0), (81.0, 81.0, 89.0)  # the brain and a margin
# T1 of the template's tissues relative to white matter; what differs from it is texture.
FLUID_T1, GRAY_T1, WHITE_T1 = 0.30, 0.70, 0.95
HORNS_MM = (  # centre lines from the trigone; x is the distance from the midline
    ((28.0, -44.0, 6.0), (35.0, -38.0, -5.0), (35.0, -24.0, -14.0), (29.0, -10.0, -20.0)),
    ((26.0, -54.0, 9.0), (24.0, -66.0, 6.0), (20.0, -78.0, 4.0)),
)
HORN_RADIUS_MM = 1.3


@dataclass(frozen=True)
class BrainTemplate:
    """Hold the fields of the template at 1 mm.

    Attributes
    ----------
    fields : float16 (X, Y, Z, 5), on the last axis: distance to the edge of the
        intracranial space and to the ventricles' walls (mm, positive inside), the score of
        sulcal fluid, that of white matter, and T1 texture.
    origin_mm : position of voxel (0, 0, 0) in MNI space; voxels are 1 mm, RAS.
    tiv_ml, ventricles_ml : volumes where the two distances are positive.
    """

    fields: np.ndarray
    origin_mm: tuple[float, float, float]
    tiv_ml: float
    ventricles_ml: float


@lru_cache(maxsize=1)
def load_template() -> BrainTemplate:
    """Return the template's fields; the first call takes some seconds."""
    t1, gray, white, mask = _probabilities()
    fluid = np.clip(mask - gray - white, 0.0, 1.0)
    ventricles = _ventricles(fluid)
    fields = np.stack(
        [
            _distance_mm(mask > 0.5, 14.0),
            _distance_mm(ventricles, 30.0),
            _sulci(fluid, white, ventricles, mask),
            _smooth(_white(gray, white), 0.6),
            _texture(t1, fluid, gray, white, mask),
        ],
        axis=-1,
    ).astype(np.float16)
    fields.setflags(write=False)
    volumes = [float((fields[..., k] > 0).sum()) / 1000.0 for k in (0, 1)]
    return BrainTemplate(fields, LOW_MM, *volumes)


def _probabilities() -> tuple[np.ndarray, ...]:
    """Return T1, gray, white and mask of the template, float32, cropped to the brain."""
    try:
        from nilearn import datasets
    except ImportError as error:
        raise ImportError(
            "adult brain phantoms need the ICBM152 template that nilearn carries: "
            "pip install 'fetal-lib[torch]'"
        ) from error
    images = [
        datasets.load_mni152_template(resolution=1),
        datasets.load_mni152_gm_template(resolution=1),
        datasets.load_mni152_wm_template(resolution=1),
        datasets.load_mni152_brain_mask(resolution=1),
    ]
    start = np.round(np.asarray(LOW_MM) - images[0].affine[:3, 3]).astype(int)
    stop = start + np.asarray(HIGH_MM, int) - np.asarray(LOW_MM, int) + 1
    crop = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    return tuple(np.asarray(image.dataobj[crop], np.float32) for image in images)


def _mm_grid(shape: tuple[int, ...]) -> list[np.ndarray]:
    return np.meshgrid(
        *(low + np.arange(n, dtype=np.float32) for low, n in zip(LOW_MM, shape, strict=True)),
        indexing="ij",
        sparse=True,
    )


def _ventricles(fluid: np.ndarray) -> np.ndarray:
    """Return the lateral, third and fourth ventricles as bool."""
    from scipy import ndimage

    x, y, z = _mm_grid(fluid.shape)
    core = fluid > 0.5
    parts, _ = ndimage.label(core)
    body = core & (np.abs(np.abs(x) - 25) < 2) & (np.abs(y + 40) < 2) & (np.abs(z - 15) < 1)
    lateral = parts == np.bincount(parts[body]).argmax()
    third = core & (np.abs(x) < 5) & (y > -33) & (y < 6) & (z > -10) & (z < 12)
    fourth = core & (np.abs(x) < 10) & (y > -52) & (y < -34) & (z > -40) & (z < -22)
    return lateral | third | fourth | _horns(x, y, z)


def _horns(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return thin tubes for the temporal and occipital horns, which the average has lost."""
    inside = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), bool)
    side = np.abs(x)
    for path in HORNS_MM:
        for start, stop in zip(path[:-1], path[1:], strict=True):
            for share in np.linspace(0.0, 1.0, 15):
                a, b, c = (p + share * (q - p) for p, q in zip(start, stop, strict=True))
                inside |= (side - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < HORN_RADIUS_MM**2
    return inside


def _distance_mm(inside: np.ndarray, reach_mm: float) -> np.ndarray:
    """Return the signed distance to a surface, positive inside, cut at reach_mm."""
    from scipy import ndimage

    distance = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    distance = np.clip(distance - 0.5 * np.sign(distance), -reach_mm, reach_mm)
    return _smooth(distance.astype(np.float32), 0.8)


def _sulci(
    fluid: np.ndarray, white: np.ndarray, ventricles: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Return the score of fluid outside the ventricles: high along sulci and the outer rim."""
    from scipy import ndimage

    near = _smooth(ndimage.binary_dilation(ventricles, iterations=4).astype(np.float32), 1.0)
    fluid = fluid * (1.0 - near)
    fine = _smooth(fluid, 0.7)
    rim = _smooth(1.0 - mask, 2.0)
    from_white = ndimage.distance_transform_edt(white < 0.5)
    depth = _smooth(np.minimum(from_white, 7.0).astype(np.float32), 0.8)
    middle = 0.15 * (depth - _smooth(depth, 2.5)) + 0.03 * depth  # halfway between two walls
    return 2.0 * fine - _smooth(fluid, 3.0) + 0.9 * rim + middle - near


def _white(gray: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return the score of white matter: its probability, less in the nuclei, more in the stem.

    On T1 the average's brainstem is white matter and its nuclei are gray; the probabilities
    leave both undecided.
    """
    x, y, z = _mm_grid(white.shape)
    stem = _soft_ball(x / 17.0, (y + 28.0) / 15.0, (z + 38.0) / 34.0)
    nuclei = _soft_ball(x / 36.0, (y + 4.0) / 30.0, (z - 4.0) / 19.0)
    return white + 0.9 * stem * gray - 0.45 * nuclei * gray


def _nuclei_t1(gray: np.ndarray) -> np.ndarray:
    """Return how much brighter than cortex the thalamus, putamen and caudate are."""
    x, y, z = _mm_grid(gray.shape)
    return 0.11 * _soft_ball(x / 36.0, (y + 4.0) / 30.0, (z - 4.0) / 19.0) * gray


def _soft_ball(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return 1 inside the unit ball, 0 outside, with a soft edge."""
    return np.clip(3.0 * (1.0 - np.sqrt(x**2 + y**2 + z**2)) + 0.5, 0.0, 1.0).astype(np.float32)


def _texture(
    t1: np.ndarray, fluid: np.ndarray, gray: np.ndarray, white: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Return how far the T1 differs from the three tissues' mixture: nuclei, tracts."""
    mixture = FLUID_T1 * fluid + GRAY_T1 * gray + WHITE_T1 * white
    own = np.clip((t1 - mixture) * mask * (1.0 - fluid), -0.12, 0.12)
    return _smooth(own + _nuclei_t1(gray), 1.0)


def _smooth(field: np.ndarray, sigma_mm: float) -> np.ndarray:
    from scipy import ndimage

    return ndimage.gaussian_filter(field, sigma_mm, mode="nearest")


def sample(
    template: BrainTemplate, points_mm: np.ndarray, n_fields: int | None = None
) -> np.ndarray:
    """Return the first n fields at points (N, 3) in MNI mm, trilinear; float32 (N, n_fields)."""
    fields = template.fields
    shape = np.asarray(fields.shape[:3])
    at = np.clip(points_mm - np.asarray(template.origin_mm, np.float32), 0, shape - 1.001)
    base = at.astype(np.int32)
    weight = (at - base).astype(np.float32)
    flat = fields.reshape(-1, fields.shape[3])[:, :n_fields]
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    first = base @ strides
    total = np.zeros((len(points_mm), flat.shape[1]), np.float32)
    for corner in np.ndindex(2, 2, 2):
        share = np.ones(len(points_mm), np.float32)
        for axis, step in enumerate(corner):
            share *= weight[:, axis] if step else 1.0 - weight[:, axis]
        total += flat[first + int(strides @ corner)].astype(np.float32) * share[:, None]
    return total
