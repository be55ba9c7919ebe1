"""A small atlas: phantoms as templates by week, in the layout of published atlases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fetal_phantoms.atlas_cohort import Template
from fetal_phantoms.fetal_brain.brain import make_fetal_brain


def template(weeks: int, seed: int = 3) -> Template:
    """Return a phantom as the template of a week."""
    phantom = make_fetal_brain(seed, ga_days=7.0 * weeks, spacing_mm=3.0)
    return Template(7.0 * weeks, phantom.t2, phantom.labels, phantom.affine)


def write_atlas(folder: Path, templates: Sequence[Template]) -> Path:
    """Write templates with their labels, a folder a week."""
    import nibabel

    for one in templates:
        home = folder / f"atlas_GA{one.ga_days / 7:.0f}"
        home.mkdir(parents=True)
        for name, values in (("srr", one.image), ("parcellation", one.labels)):
            image = nibabel.Nifti1Image(values, one.affine)
            nibabel.save(image, home / f"{name}.nii.gz")
    return folder
