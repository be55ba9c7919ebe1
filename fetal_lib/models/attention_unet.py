"""Attention U-Net in 2D, and the plain U-Net that is its twin without the gates.

A gate at each of four skips weighs the encoder's features pixel by pixel before they are
concatenated: 1x1 convolutions of the skip and of the decoder's features are added, and a ReLU, a
1x1 convolution and a sigmoid make one weight per pixel of it. The paper's networks are 3D, gate
three of four skips on a grid half as fine, and are a quarter as wide; nearly all results on 2D
images are of the wider version that is built here, in which the gate works at the skip's own
size. It has 34,878,573 parameters with RGB images, and its twin without gates 34,527,041.

References
----------
Oktay O et al. Attention U-Net: learning where to look for the pancreas. MIDL 2018.
arXiv:1804.03999
Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image
segmentation. MICCAI 2015. doi:10.1007/978-3-319-24574-4_28
"""

from __future__ import annotations

import torch
from torch import nn

from fetal_lib.models.image_batch import check_image_batch, scaled

N_HALVINGS = 4
SIZE_MULTIPLE = 2**N_HALVINGS
N_FILTERS = 64


def double_conv(n_in: int, n_out: int) -> nn.Sequential:
    """Return 3x3 convolution, batch normalisation and ReLU, twice."""
    layers: list[nn.Module] = []
    for n in (n_in, n_out):
        layers += [nn.Conv2d(n, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def up_conv(n_in: int, n_out: int) -> nn.Sequential:
    """Return doubling of the size by repetition, and a 3x3 convolution."""
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        nn.Conv2d(n_in, n_out, 3, padding=1),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


class AttentionGate(nn.Module):
    """Weights of a skip's pixels, from the skip and the decoder's features at its size.

    Examples
    --------
    >>> gate = AttentionGate(n_signal=8, n_skip=8, n_inner=4)
    >>> gated, weights = gate(torch.zeros(2, 8, 6, 6), torch.zeros(2, 8, 6, 6))
    >>> tuple(gated.shape), tuple(weights.shape)
    ((2, 8, 6, 6), (2, 1, 6, 6))
    """

    def __init__(self, n_signal: int, n_skip: int, n_inner: int) -> None:
        super().__init__()
        self.signal = nn.Sequential(nn.Conv2d(n_signal, n_inner, 1), nn.BatchNorm2d(n_inner))
        self.skip = nn.Sequential(nn.Conv2d(n_skip, n_inner, 1), nn.BatchNorm2d(n_inner))
        self.weigh = nn.Sequential(nn.Conv2d(n_inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(
        self, signal: torch.Tensor, skip: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weighted skip (B, n_skip, H, W) and the weights (B, 1, H, W) in (0, 1)."""
        weights = self.weigh(torch.relu(self.signal(signal) + self.skip(skip)))  # (B, 1, H, W)
        return skip * weights, weights


class AttentionUNet(nn.Module):
    """Encoder, decoder, and between them skips with or without gates."""

    def __init__(self, n_filters: int, in_channels: int, n_classes: int, gated: bool) -> None:
        super().__init__()
        self.in_channels = in_channels
        widths = [n_filters * 2**level for level in range(N_HALVINGS + 1)]
        inner = [max(1, n // 2) for n in widths[:-1]]
        self.encoder = nn.ModuleList(map(double_conv, [in_channels, *widths[:-1]], widths))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(map(up_conv, widths[1:], widths[:-1]))
        self.gates = nn.ModuleList(
            map(AttentionGate, widths[:-1], widths[:-1], inner) if gated else ()
        )
        self.decoder = nn.ModuleList(double_conv(2 * n, n) for n in widths[:-1])
        self.head = nn.Conv2d(n_filters, n_classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.forward_with_gates(image)[0]  # (B, n_classes, H, W)

    def forward_with_gates(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return logits and the gates' weights, finest first; none for the plain U-Net.

        Parameters
        ----------
        image : Tensor, float32 (B, in_channels, H, W)

        Returns
        -------
        logits : Tensor (B, n_classes, H, W)
        gates : list of Tensor (B, 1, H / 2^l, W / 2^l), level l from 0 to 3, in (0, 1)
        """
        check_image_batch(image.shape, "U-Net", self.in_channels, SIZE_MULTIPLE)
        x, skips, maps = image, [], []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else self.pool(x))  # (B, 2^l F, H/2^l, W/2^l)
            skips.append(x)
        for level in reversed(range(N_HALVINGS)):
            x = self.up[level](x)  # (B, 2^l F, H/2^l, W/2^l)
            skip = skips[level]
            if len(self.gates):
                skip, weights = self.gates[level](x, skip)
                maps.insert(0, weights)
            x = self.decoder[level](torch.cat([skip, x], dim=1))
        return self.head(x), maps


def get_attention_unet(
    in_channels: int = 3,
    n_classes: int = 1,
    width: float = 1.0,
    gated: bool = True,
) -> AttentionUNet:
    """Build the Attention U-Net, or the plain U-Net of the same widths.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    n_classes : int
        Channels of the output.
    width : float
        Factor of all channels; 1 is 64 to 1024.
    gated : bool
        False leaves the gates out.

    Returns
    -------
    AttentionUNet
        float32 (B, in_channels, H, W) to logits (B, n_classes, H, W); sides are multiples of 16.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     networks = get_attention_unet(), get_attention_unet(gated=False)
    >>> [sum(p.numel() for p in network.parameters()) for network in networks]
    [34878573, 34527041]
    """
    return AttentionUNet(scaled(N_FILTERS, width), in_channels, n_classes, gated)
