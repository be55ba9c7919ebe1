"""Grad-CAM and occlusion for PyTorch networks that answer with numbers, in 2D and in 3D.

Nothing is rescaled: a map is in the unit of the answer per unit of the features, and one that is
zero everywhere comes back as zero, so that it cannot look like a finding. The network's mode is
put back as it was, and hooks are removed whatever happens.

References
----------
Selvaraju RR et al. Grad-CAM: visual explanations from deep networks via gradient-based
localization. ICCV 2017. doi:10.1109/ICCV.2017.74
Zeiler MD, Fergus R. Visualizing and understanding convolutional networks. ECCV 2014.
doi:10.1007/978-3-319-10590-1_53
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

BATCH = 16


def grad_cam(
    network: nn.Module, layer: nn.Module, image: np.ndarray, output: int = 0, signed: bool = False
) -> np.ndarray:
    """Return where the features of a layer raise one number of the answer.

    Parameters
    ----------
    network : torch.nn.Module
        (B, C, *space) to (B, n).
    layer : torch.nn.Module
        A part of it whose output is (B, K, *smaller space).
    image : float32 (C, *space), two or three axes of space.
    output : which number is explained.
    signed : keep what lowers the number, as negative values; plain Grad-CAM cuts it off.

    Returns
    -------
    float32 (*space), linear interpolation of the layer's own grid.

    Raises
    ------
    ValueError
        If the layer is never used, or its output has no space.
    """
    import torch
    from torch.nn import functional

    kept: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: object, features: torch.Tensor) -> torch.Tensor:
        features.retain_grad()
        kept.append(features)
        return features.clone()  # what follows may write over it, as ReLU(inplace=True) does

    device = next(network.parameters()).device
    x = torch.from_numpy(np.array(image, np.float32))[None].to(device).requires_grad_()
    was_training = network.training
    hook = layer.register_forward_hook(keep)
    try:
        network.eval()
        network.zero_grad(set_to_none=True)
        network(x)[0, output].backward()
    finally:
        hook.remove()
        network.train(was_training)
        gradient = kept[-1].grad if kept else None
        network.zero_grad(set_to_none=True)
    if gradient is None or kept[-1].ndim != x.ndim:
        shape = tuple(kept[-1].shape) if kept else "nothing"
        raise ValueError(
            f"layer: gave {shape} for an input of {tuple(x.shape)}; it must be a part of the "
            "network that is used and whose output has the axes of space. Use its last "
            "convolution or block."
        )
    space = tuple(range(2, x.ndim))
    cam = (gradient.mean(dim=space, keepdim=True) * kept[-1].detach()).sum(dim=1, keepdim=True)
    cam = cam if signed else cam.clamp(min=0)
    mode = "trilinear" if len(space) == 3 else "bilinear"
    cam = functional.interpolate(cam, x.shape[2:], mode=mode, align_corners=False)
    return cam[0, 0].cpu().numpy()


def occlusion_volume(
    image: np.ndarray,
    measure: Callable[[np.ndarray], np.ndarray],
    patch: int = 8,
    stride: int = 4,
    fill: float = 0.0,
    where: np.ndarray | None = None,
    absolute: bool = True,
) -> np.ndarray:
    """Return how much hiding each place of an image or a volume changes an answer.

    Parameters
    ----------
    image : float (C, *space), two or three axes of space.
    measure : callable
        (N, C, *space) to (N,), the number that is explained.
    patch, stride : side of the hidden square or cube and the step between two, in voxels.
    fill : value that hides; 0 is the mean of a normalised brain.
    where : bool (*space), optional; cubes that touch none of it are not tried and count as 0.
    absolute : the size of the change; otherwise its sign too: hidden minus whole.

    Returns
    -------
    float64 (*space), in the unit of the answer: the mean over the cubes that cover a voxel, 0
    where none does: at the far sides, if the stride does not divide what the patch leaves.

    Examples
    --------
    >>> image = np.zeros((1, 4, 4)); image[0, 1, 1] = 8.0
    >>> found = occlusion_volume(image, lambda x: x.sum(axis=(1, 2, 3)), patch=2, stride=2)
    >>> found.tolist()[0], found.tolist()[3]
    ([8.0, 8.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    """
    space = image.shape[1:]
    starts = [range(0, max(1, n - patch + 1), stride) for n in space]
    boxes = [tuple(slice(a, a + patch) for a in corner) for corner in product(*starts)]
    if where is not None:
        boxes = [box for box in boxes if where[box].any()]
    whole = float(measure(image[None])[0])
    total, count = np.zeros(space), np.zeros(space)
    for first in range(0, len(boxes), BATCH):
        some = boxes[first : first + BATCH]
        hidden = np.repeat(image[None], len(some), axis=0)
        for k, box in enumerate(some):
            hidden[k][(slice(None), *box)] = fill
        change = np.asarray(measure(hidden), float) - whole
        for box, value in zip(some, np.abs(change) if absolute else change, strict=True):
            total[box] += value
            count[box] += 1
    return total / np.maximum(count, 1)
