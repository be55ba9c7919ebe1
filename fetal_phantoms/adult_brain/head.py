"""Surround a brain with a schematic head, for what must strip a skull: bone, scalp, neck.

Shells of even thickness, without a face: enough to be no brain, too little to train on.
"""

from __future__ import annotations

import numpy as np

BONE_MM, SCALP_MM = 7.0, 13.0  # outer faces, from the edge of the intracranial space
BONE, SCALP, NECK, AIR = 0.10, 1.15, 0.55, 0.0
NECK_RADIUS_MM, NECK_TOP_MM = 48.0, -45.0


def surroundings(labels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the T1 signal outside the brain, relative to white matter, float32 (X, Y, Z)."""
    from scipy import ndimage

    spacing_mm = float(affine[0, 0])
    distance = ndimage.distance_transform_edt(labels == 0, sampling=spacing_mm)
    signal = np.full(labels.shape, AIR, np.float32)
    x, y, z = np.meshgrid(
        *(affine[k, 3] + spacing_mm * np.arange(n) for k, n in enumerate(labels.shape)),
        indexing="ij",
        sparse=True,
    )
    neck = (x**2 + (y + 25.0) ** 2 < NECK_RADIUS_MM**2) & (z < NECK_TOP_MM)
    signal[neck] = NECK
    signal[distance < SCALP_MM] = SCALP
    signal[distance < BONE_MM] = BONE
    return signal
