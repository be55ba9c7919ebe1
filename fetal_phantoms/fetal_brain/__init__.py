"""Fetal T2 MRI from a seed: published volumes, folds that grow with age, stacks of slices."""

from fetal_phantoms.fetal_brain.brain import FetalBrainPhantom, make_fetal_brain
from fetal_phantoms.fetal_brain.norms import expected_volumes
from fetal_phantoms.fetal_brain.stacks import SliceStack, make_stacks
from fetal_phantoms.fetal_brain.tissues import LABELS
from fetal_phantoms.fetal_brain.write import write_fetal_brain_set

__all__ = [
    "LABELS",
    "FetalBrainPhantom",
    "SliceStack",
    "expected_volumes",
    "make_fetal_brain",
    "make_stacks",
    "write_fetal_brain_set",
]
