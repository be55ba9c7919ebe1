"""Adult T1 MRI from a seed: template anatomy, published volumes, tissue labels."""

from fetal_phantoms.adult_brain.brain import AdultBrainPhantom, make_adult_brain
from fetal_phantoms.adult_brain.norms import ExpectedVolumes, published_curves
from fetal_phantoms.adult_brain.write import write_adult_brain_set

__all__ = [
    "AdultBrainPhantom",
    "ExpectedVolumes",
    "make_adult_brain",
    "published_curves",
    "write_adult_brain_set",
]
