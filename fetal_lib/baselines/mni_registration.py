"""Bring a stripped T1 scan to MNI space: an affine registration to the template's brain, checked.

SimpleITK maximises the correlation of the scan with the ICBM152 template that nilearn carries,
first at 8 mm and then at half of the voxels of 4 mm, from where the header puts the head and from
where the centres meet. Twelve numbers take off place, pose, size and shear; atrophy and the widths
of ventricles stay. The whole grid counts, and not what is near the template's brain: there a scan
could be stretched out of sight. Two outlines that fit say little of which way a head lies, so that
a registration is judged by the correlation inside the brain.

References
----------
Lowekamp BC et al. The design of SimpleITK. Front Neuroinform 2013;7:45.
doi:10.3389/fninf.2013.00045
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.baselines.mni_space import SHAPE, grid_affine, on_grid, template_on
from fetal_lib.data.adult_mri_quality import USABLE, quality_check, quality_measures
from fetal_lib.training.mri_input import TO_LPS, to_sitk

if TYPE_CHECKING:
    import SimpleITK

    from fetal_lib.readers.volume_grid import Volume

WELL_PLACED = 0.93, 4.0
"""Overlap with the template's brain and distance of the centres in mm of a scan left in place."""
MIN_LIKENESS = 0.36
"""Smallest correlation inside the brain with the template, of a young adult, of a scan that was
registered: brains that lie right have 0.38 to 0.65, and some of the oldest 0.33; upside down, on
their side or back to front 0.34 at most."""
WHOLE_HEAD = 0.8
"""Volume after the registration over that before, under which it squeezed more than a brain in: the
template is larger than most brains, by a fifth on average."""
BRIGHTEST = 1.6
"""Of the scan's median tissue; what is brighter counts as so bright."""


def in_mni_space(volume: Volume) -> tuple[Volume, list[str], bool]:
    """Return a scan in MNI space, why it cannot be used, and whether it was registered here.

    A scan that lies well in MNI space stays as it is. Any other is registered; the result is taken
    where it is `USABLE` and like the template, else the scan as it came where that is `USABLE`.

    Parameters
    ----------
    volume : Volume
        T1, skull-stripped, RAS.

    Returns
    -------
    volume : its affine goes to mm of MNI space.
    reasons : list of str, empty for a scan to be used.
    registered : bool
    """
    if not volume.data.max() > volume.data.min():
        return volume, quality_check(volume), False
    found, reasons = quality_measures(volume), quality_check(volume, USABLE)
    if not reasons and found.overlap >= WELL_PLACED[0] and found.shift_mm <= WELL_PLACED[1]:
        return volume, [], False
    affine, likeness = register_to_mni(volume.data, volume.affine)
    moved = replace(volume, affine=affine)
    again = quality_check(moved, USABLE)
    growth = np.linalg.det(affine[:3, :3]) / np.linalg.det(volume.affine[:3, :3])
    if growth < WHOLE_HEAD:
        again.append(
            f"registered to the template, it shrinks to {growth:.0%} of its volume, as a whole "
            "head does: the skull is not stripped"
        )
    elif likeness < MIN_LIKENESS:
        again.append(
            f"registered to the template, it correlates by {likeness:.2f} with its brain only "
            f"(at least {MIN_LIKENESS})"
        )
    if again and not reasons:
        return volume, [], False
    return moved, again, True


def register_to_mni(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, float]:
    """Find the affine that takes the voxels of a stripped scan to mm of MNI space.

    Parameters
    ----------
    data : (X, Y, Z), T1.
    affine : (4, 4), voxel to mm, RAS; the head may lie elsewhere by some centimetres and be
        turned by some 25 degrees.

    Returns
    -------
    affine : float64 (4, 4), voxel to mm of MNI space.
    likeness : correlation with the template inside its brain, 1 at best.
    """
    import SimpleITK as sitk

    positive = data[data > 0]
    tissue = np.median(positive[positive > 0.25 * np.percentile(positive, 95)])
    values = np.clip(data / tissue, 0, BRIGHTEST).astype(np.float32)
    scan, template, (t1, brain) = to_sitk(values, affine), _template_at(1), _template()
    starts = [sitk.AffineTransform(3)]
    kind = sitk.CenteredTransformInitializerFilter.MOMENTS
    starts.append(
        sitk.AffineTransform(
            sitk.CenteredTransformInitializer(template, scan, sitk.AffineTransform(3), kind)
        )
    )
    small = _shrunk(scan, 8, 0.5)
    coarse, _ = max((_improved(8, small, one) for one in starts), key=lambda pair: pair[1])
    fine, _ = _improved(4, _shrunk(scan, 4, 0.5), coarse, share=0.5)
    to_scan = np.eye(4)
    matrix, center = np.reshape(fine.GetMatrix(), (3, 3)), np.array(fine.GetCenter())
    to_scan[:3, :3] = TO_LPS @ matrix @ TO_LPS
    to_scan[:3, 3] = TO_LPS @ (np.array(fine.GetTranslation()) + center - matrix @ center)
    found_affine = np.linalg.inv(to_scan) @ affine
    seen = on_grid(values, found_affine)[brain]
    likeness = float(np.corrcoef(seen, t1[brain])[0, 1]) if seen.std() else 0.0
    return found_affine, likeness


def _improved(
    mm: int, scan: SimpleITK.Image, start: SimpleITK.AffineTransform, share: float = 1.0
) -> tuple[SimpleITK.AffineTransform, float]:
    """Return the transform from the template to the scan that is best near a start.

    The template's voxels are so large, and so many of them are asked.
    """
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 100, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    if share < 1:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(share, 1)  # a seed: the same voxels in every process
    found = sitk.AffineTransform(start)
    method.SetInitialTransform(found, inPlace=True)
    try:
        method.Execute(_template_at(mm), scan)
    except RuntimeError:  # the two do not even overlap
        return start, 0.0
    return found, -method.GetMetricValue()


def _shrunk(image: SimpleITK.Image, mm: int, share: float = 1.0) -> SimpleITK.Image:
    """Return an image blurred by half of a size in mm (SD), its voxels a share of it at most."""
    import SimpleITK as sitk

    factors = [max(1, int(share * mm / spacing + 0.01)) for spacing in image.GetSpacing()]
    return sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, mm / 2), factors)


@lru_cache
def _template_at(mm: int) -> SimpleITK.Image:
    """Return the template's T1 brain with voxels of a size in mm; 1 is as it comes."""
    image = to_sitk(_template()[0], grid_affine())
    return image if mm == 1 else _shrunk(image, mm)


@lru_cache(maxsize=1)
def _template() -> tuple[np.ndarray, np.ndarray]:
    """Return the template's T1 brain, tissue around 1, float32, and its mask, on the 2 mm grid."""
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=2)
    t1 = on_grid(np.asarray(image.dataobj, np.float32), image.affine)
    space = template_on(SHAPE, grid_affine())
    t1 = np.where(space.brain, t1 / np.median(t1[space.deep]), 0).astype(np.float32)
    return t1, space.brain
