"""MedSegDiff: a U-Net denoises a mask step by step, told by a second network where to look.

Two versions are here.

``"repository"`` is what the authors released and call the new version: the noisy mask and the
image go into the denoiser together; the first map of the denoiser gets the features of the
condition network added (32 channels, the same 32 again, and 64), detached, so that no gradient
of the noise reaches the condition network. With RGB images it has 129,400,450 parameters.

``"paper"`` is what the paper on the second version describes and nobody released:

* anchor condition with uncertain spatial attention (U-SA): the last features of the condition
  network are smoothed by a Gaussian kernel with learnt centre and width, the larger of smoothed
  and original is taken, and a 1x1 convolution and a sigmoid turn it into a gate g; the first map
  f of the denoiser becomes f g + f;
* semantic condition by the SS-Former at the bottleneck (`fetal_lib.models.ss_former`).

What differs from the paper in ``"paper"``: the image goes into the denoiser beside the mask, as
in the released code. Masks are in [-1, 1] here in both versions; the released code keeps them in
{0, 1} while its samples live in [-1, 1].

What the condition network says does not depend on the time step. It is computed once per image
by :meth:`MedSegDiff.look` and serves all steps and all members of an ensemble.

References
----------
Wu J et al. MedSegDiff-V2: diffusion-based medical image segmentation with transformer. AAAI 2024.
doi:10.1609/aaai.v38i6.28418
Wu J et al. MedSegDiff: medical image segmentation with diffusion probabilistic model. MIDL 2023.
arXiv:2211.00611
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from fetal_lib.models.condition_unet import (
    N_HALVINGS,
    ConditionMaps,
    ConditionUNet,
    condition_widths,
)
from fetal_lib.models.diffusion_unet import MULTIPLIERS, DenoisingUNet
from fetal_lib.models.image_batch import check_image_batch, scaled
from fetal_lib.models.ss_former import SSFormer

SIZE_MULTIPLE = 2**N_HALVINGS
BASE = 128
DROPOUT = 0.5
NARROWEST_CONDITION = 0.25
"""Of the paper's version: a condition network that starts with fewer than 8 channels outlines badly
what it shall point to."""
KERNEL_RADIUS = 3
VERSIONS = ("paper", "repository")


class Denoised(NamedTuple):
    """What one pass says.

    Attributes
    ----------
    values : Tensor (B, 2 n_classes, H, W)
        Noise (or mask, as the process has it) and then the logit of the variance.
    anchor_logits : Tensor (B, n_classes, H, W)
        The condition network's own mask.
    """

    values: torch.Tensor
    anchor_logits: torch.Tensor


class GaussianSmoothing(nn.Module):
    """Smoothing of all channels by one Gaussian kernel whose centre and width are learnt."""

    def __init__(self, radius: int = KERNEL_RADIUS) -> None:
        super().__init__()
        self.radius = radius
        self.centre = nn.Parameter(torch.zeros(2))  # rows and columns, pixels
        self.log_width = nn.Parameter(torch.zeros(()))  # logarithm of the SD in pixels

    def kernel(self) -> torch.Tensor:
        """Return the kernel (2 r + 1, 2 r + 1), of sum 1."""
        axis = torch.arange(-self.radius, self.radius + 1, device=self.centre.device)
        variance = (2 * self.log_width).exp()
        rows, columns = (-((axis - c) ** 2) / (2 * variance) for c in self.centre.unbind())
        weights = torch.exp(rows[:, None] + columns[None, :])
        return weights / weights.sum()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = int(x.shape[1])
        kernel = self.kernel().to(x.dtype).expand(n, 1, -1, -1)
        return F.conv2d(x, kernel, padding=self.radius, groups=n)  # (B, n, H, W)


class UncertainSpatialAttention(nn.Module):
    """The gate of the anchor condition."""

    def __init__(self, n_anchor: int) -> None:
        super().__init__()
        self.smooth = GaussianSmoothing()
        self.reduce = nn.Conv2d(n_anchor, 1, 1)

    def gate(self, anchor: torch.Tensor) -> torch.Tensor:
        """Return weights (B, 1, H, W) in (0, 1) of the anchor's features (B, n_anchor, H, W)."""
        return torch.sigmoid(self.reduce(torch.maximum(self.smooth(anchor), anchor)))

    def forward(self, x: torch.Tensor, anchor: torch.Tensor) -> torch.Tensor:
        return x * self.gate(anchor) + x  # (B, C, H, W)


def add_detached(x: torch.Tensor, decoded: list[torch.Tensor]) -> torch.Tensor:
    """Add the condition network's features to a map, as the released code does.

    Parameters
    ----------
    x : Tensor (B, 4 c, H, W)
    decoded : list of Tensor
        Those at 1/2, of c channels, are taken twice, and those at 1/4, of 2 c, once; no gradient
        goes back through them.

    Returns
    -------
    Tensor (B, 4 c, H, W)
    """
    fine, coarse = (
        F.interpolate(d.detach(), size=x.shape[2:], mode="bilinear") for d in decoded[1:3]
    )
    return x + torch.cat([fine, fine, coarse], dim=1)


class MedSegDiff(nn.Module):
    """Condition network and denoiser."""

    def __init__(
        self, version: str, in_channels: int, n_classes: int, width: float, dropout: float
    ) -> None:
        super().__init__()
        self.version, self.in_channels, self.n_classes = version, in_channels, n_classes
        base = scaled(BASE, width, 4)
        width = base / BASE  # so that 4 times 32 condition channels fit the base
        if version == "paper":
            width = max(width, NARROWEST_CONDITION)
        widths = condition_widths(width)
        self.condition = ConditionUNet(in_channels, n_classes, width, dropout)
        self.denoiser = DenoisingUNet(in_channels + n_classes, 2 * n_classes, base)
        if version == "paper":
            self.attention = UncertainSpatialAttention(widths[0])
            self.former = SSFormer(widths[-1], base * MULTIPLIERS[-1], 4 * base)

    def look(self, image: torch.Tensor) -> ConditionMaps:
        """Run the condition network: once per image (B, in_channels, H, W)."""
        check_image_batch(image.shape, "MedSegDiff", self.in_channels, SIZE_MULTIPLE)
        return self.condition(image)

    def denoise(
        self, noisy: torch.Tensor, t: torch.Tensor, image: torch.Tensor, seen: ConditionMaps
    ) -> torch.Tensor:
        """Run the denoiser: once per step and member.

        Parameters
        ----------
        noisy : Tensor, float32 (B, n_classes, H, W)
            The noisy mask.
        t : Tensor, int64 (B,)
            Time steps of the process.
        image : Tensor (B, in_channels, H, W)
        seen : ConditionMaps
            What :meth:`look` said about the image.

        Returns
        -------
        Tensor (B, 2 n_classes, H, W)
        """
        x = torch.cat([image, noisy], dim=1)  # (B, in_channels + n_classes, H, W)
        if self.version == "repository":
            return self.denoiser(x, t, partial(add_detached, decoded=seen.decoded))
        at_first = partial(self.attention, anchor=seen.decoded[0])
        return self.denoiser(x, t, at_first, lambda e, time: self.former(e, seen.bottleneck, time))

    def forward(self, noisy: torch.Tensor, t: torch.Tensor, image: torch.Tensor) -> Denoised:
        seen = self.look(image)
        return Denoised(self.denoise(noisy, t, image, seen), seen.logits)


def get_med_seg_diff(
    version: str = "paper",
    in_channels: int = 3,
    n_classes: int = 1,
    width: float = 1.0,
    dropout: float | None = None,
) -> MedSegDiff:
    """Build MedSegDiff.

    Parameters
    ----------
    version : str
        ``"paper"`` or ``"repository"``.
    in_channels : int
        Channels of the image.
    n_classes : int
        Channels of the mask.
    width : float
        Factor of all channels; 1 is a base width of 128. The condition network of the paper's
        version keeps a quarter of its channels at least.
    dropout : float, optional
        Rate in the encoder of the condition network; by default the published 0.5 at full width,
        and none below it, because a narrow network cannot spare any of its few channels.

    Returns
    -------
    MedSegDiff
        ``network(noisy, t, image)`` gives :class:`Denoised`; sides are multiples of 32.

    Raises
    ------
    ValueError
        If the version is none of the two.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     network = get_med_seg_diff("repository")
    >>> sum(p.numel() for p in network.parameters())
    129400450
    """
    if version not in VERSIONS:
        raise ValueError(f"version={version!r}: use one of {VERSIONS}.")
    if dropout is None:
        dropout = DROPOUT if width >= 1 else 0.0
    return MedSegDiff(version, in_channels, n_classes, width, dropout)
